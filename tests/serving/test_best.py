"""The best products without a matrix of all scores: the same as with one."""

import numpy as np
import pytest

from finrec.scorer import KINDS, cohort
from finrec.serving.best import best
from finrec.serving.recommender import offerable
from finrec.split import split
from finrec.topk import topk
from finrec.training import assemble, calibrate, fused_scorer
from finrec.training.fused_scorer import FusedScorer


@pytest.fixture
def people(small_dataset):
    """An untrained network of the small data set, and its customers now."""
    from finrec.presets import settings

    asked = settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", model={"width": 16, "length": 20}
    )
    cut = split(small_dataset)
    given, _ = assemble.inputs(cut, "valid", asked)
    scorer = FusedScorer(assemble.network(given, asked), given, 20)
    ids = small_dataset.customers["customer_id"].tolist()
    now = small_dataset.events["time"].max()
    events = small_dataset.events
    kinds = events["kind"].mask(np.arange(len(events)) % 4 == 0, "dropped")  # may be offered again
    events = events.assign(kind=kinds)
    return scorer, cohort(ids, events, small_dataset.customers, given.catalogue, now)


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("at_once", [1, 50, 10**6])
@pytest.mark.parametrize("k", [1, 5, 12])
def test_the_best_are_those_of_the_whole_matrix(people, monkeypatch, repeatable, at_once, k):
    scorer, customers = people
    monkeypatch.setattr(fused_scorer, "AT_ONCE", at_once)
    scores = scorer.score(customers)
    allowed = offerable(customers, scores.shape[1], repeatable)
    assert not allowed.all(), "else nothing is left out"
    expected, high = topk(scores, allowed, k)
    chances = calibrate.probabilities(scores, allowed, 1.7)
    index, top, chance = best(scorer, customers, repeatable, k, 1.7)
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_allclose(top, high, atol=1e-5)
    row, rank = np.nonzero(index >= 0)
    np.testing.assert_allclose(chance[row, rank], chances[row, index[row, rank]], atol=1e-6)
    assert (chance[index < 0] == 0).all()


def test_who_took_everything_gets_nothing(people):
    scorer, customers = people
    n = len(scorer.given.catalogue)
    one = customers.take([0])
    full = type(one)(
        one.ids, np.array([0, n]), np.arange(n), np.full(n, KINDS.index("acquired")),
        np.arange(n) * 86_400, np.full(n, np.nan, np.float32), one.asof, one.profile,
    )  # fmt: skip
    index, top, chance = best(scorer, full, True, 3, 1.0)
    assert index.tolist() == [[-1, -1, -1]] and np.isneginf(top).all() and (chance == 0).all()
