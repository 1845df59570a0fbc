"""Robo-advisor: tolerance of risk decides; proxies are said; otherwise it is popularity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from finrec.baselines.popularity import Popularity
from finrec.baselines.robo_advisor import RoboAdvisor
from finrec.split import split


def with_columns(dataset, customers: dict, products: dict):
    return split(
        replace(
            dataset,
            customers=dataset.customers.drop(columns=["age", "income"]).assign(**customers),
            products=dataset.products.assign(**products),
        )
    )


@pytest.mark.parametrize("words", [False, True])
def test_a_told_tolerance_decides(small_dataset, words):
    n = len(small_dataset.customers)
    levels = np.where(np.arange(n) % 2, "high", "low") if words else np.arange(n) % 2 * 2 + 2
    cut = with_columns(small_dataset, {"risk_tolerance": levels}, {"risk": np.arange(12) % 4 + 1})
    method = RoboAdvisor(weight=100.0).fit(cut.test, cut)
    customers = cut.test.cases.customers
    customers = replace(  # without the histories, which would correct it
        customers.take(slice(0, 0)),
        ids=customers.ids, offsets=np.zeros(len(customers) + 1, dtype=np.int64),
        asof=customers.asof, profile=customers.profile,
    )  # fmt: skip
    scores = method.score(customers)
    risk = np.arange(12) % 4 + 1
    bold = customers.profile["risk_tolerance"].isin(["high", 4]).to_numpy()
    best = risk[np.argmax(scores, axis=1)]
    assert bold.any() and (~bold).any()
    assert best[bold].min() > best[~bold].max()
    assert method.notes == ("A customer's tolerance is told, corrected by what was taken.",)


def test_proxies_are_said_and_the_young_get_longer_terms(small_dataset):
    ages = np.tile([25, 65], 30)
    cut = with_columns(small_dataset, {"age": ages}, {"term_months": np.arange(12) * 12})
    method = RoboAdvisor(weight=100.0).fit(cut.test, cut)
    assert method.notes == (
        "A customer's horizon is years to retirement, corrected by what was taken.",
    )
    customers = cut.test.cases.customers
    best = np.argmax(method.score(customers), axis=1)
    young = (customers.profile["age"] == 25).to_numpy()
    assert best[young].mean() > best[~young].mean()


def test_without_any_such_column_it_is_popularity(small_dataset):
    products = small_dataset.products.drop(columns="rate")
    cut = split(replace(small_dataset, products=products))
    method = RoboAdvisor().fit(cut.test, cut)
    popular = Popularity().fit(cut.test, cut).counts
    expected = np.tile(np.log(popular + 1), (len(cut.test.cases), 1))
    np.testing.assert_allclose(method.score(cut.test.cases.customers), expected, rtol=1e-6)
    assert method.notes == ("Products tell no risk, return or term: this is popularity.",)


def test_unknown_values_are_an_average_customer(small_dataset):
    cut = with_columns(
        small_dataset,
        {"risk tolerance": pd.Series([np.nan, 1.0, 5.0] * 20)},
        {"risk class": ["unknown", "2", "3"] * 4},
    )
    assert np.isfinite(RoboAdvisor().fit(cut.test, cut).score(cut.test.cases.customers)).all()
