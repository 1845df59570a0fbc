"""Repeat and content-based, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finrec.baselines import METHODS, method
from finrec.baselines.content import Content
from finrec.baselines.popularity import Popularity
from finrec.baselines.repeat import Repeat
from finrec.schema import DESCRIPTION, NAME, PRODUCT, DataError
from finrec.scorer import KINDS, Cohort
from finrec.split import split


def one(cut, products: list[int], kinds: list[str]) -> Cohort:
    """A customer with these products on successive days."""
    like = cut.test.cases.customers.take([0])
    return replace(
        like,
        offsets=np.array([0, len(products)]),
        products=np.array(products),
        kinds=np.array([KINDS.index(k) for k in kinds]),
        times=np.arange(len(products)) * 86_400,
        amounts=np.full(len(products), np.nan, dtype=np.float32),
    )


def test_repeat_puts_the_latest_first_then_what_is_popular(small_dataset):
    cut = split(small_dataset)
    repeat = Repeat().fit(cut.test, cut)
    customers = one(cut, [3, 5, 3, 7, 5], ["acquired"] * 4 + ["dropped"])
    order = np.argsort(-repeat.score(customers)[0], kind="stable").tolist()
    assert order[:3] == [7, 3, 5]  # giving a product up is no sign of wanting it
    popular = Popularity(90.0).fit(cut.test, cut).counts
    rest = [p for p in np.argsort(-popular, kind="stable").tolist() if p not in (3, 5, 7)]
    assert order[3:] == rest


def test_content_prefers_the_same_kind_of_product(small_dataset):
    cut = split(small_dataset)
    content = Content().fit(cut.test, cut)
    scores = content.score(one(cut, [3], ["acquired"]))[0]  # a credit card
    best = np.argsort(-scores).tolist()
    assert best[0] == 3 and set(best[1:3]) == {4, 5}  # then the two other cards


def test_content_halves_what_was_before(small_dataset):
    cut = split(small_dataset)
    content = Content(decay=0.5).fit(cut.test, cut)
    parts = [content.score(one(cut, [p], ["acquired"]))[0] for p in (0, 6)]
    both = content.score(one(cut, [0, 6], ["acquired"] * 2))[0]
    tie = 1e-3 * content.popularity
    np.testing.assert_allclose(both - tie, 0.5 * (parts[0] - tie) + parts[1] - tie, atol=1e-6)


def named(small_dataset, names: list[str]):
    """The split with products of these names and nothing else said of them."""
    products = small_dataset.products[[PRODUCT, NAME, DESCRIPTION]].copy()
    products[NAME], products[DESCRIPTION] = names, ""
    return split(replace(small_dataset, products=products))


def test_content_reads_names_of_a_single_character(small_dataset):
    cut = named(small_dataset, list("abcdef" * 2))
    content = Content().fit(cut.test, cut)
    scores = content.score(one(cut, [3], ["acquired"]))[0]
    assert set(np.argsort(-scores)[:2].tolist()) == {3, 9}  # both are called d


@pytest.mark.parametrize("name", ["", "--"])
def test_content_without_a_word_ranks_what_is_popular(small_dataset, name):
    cut = named(small_dataset, [name] * 12)
    content = Content().fit(cut.test, cut)
    scores = content.score(one(cut, [3], ["acquired"]))[0]
    popular = Popularity().fit(cut.test, cut).counts
    np.testing.assert_allclose(scores, 1e-3 * popular / popular.sum(), rtol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_every_choice_of_tuning_can_be_built(name):
    for argument, values in METHODS[name].space.items():
        for value in values:
            assert getattr(method(name).build({argument: value}), argument) == value


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(DataError, match="'nothing' is unknown; there are popularity, "):
        method("nothing")
