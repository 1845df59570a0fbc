"""Metrics worked by hand, as fractions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from finrec.evaluation import metrics


def test_ranks_count_ties_against_us_and_leave_out_what_is_not_allowed():
    scores = np.array([[5.0, 5.0, 3.0, 9.0, 1.0]])
    allowed = np.array([[True, True, True, False, True]])
    rows = np.zeros(4, dtype=int)
    found = metrics.ranks(scores, allowed, rows, np.array([0, 1, 2, 3]))
    assert found.tolist() == [2, 2, 3, math.inf]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        metrics.ranks(np.array([[bad, 1.0]]), np.ones((1, 2), bool), np.array([0]), np.array([1]))


def test_metrics_by_hand():
    # Case 0: two relevant at ranks 1 and 4; case 1: one at rank 3; case 2: one never offered.
    rank = np.array([4.0, 1.0, 3.0, np.inf])
    offsets = np.array([0, 2, 3, 4])
    found = metrics.per_case(rank, offsets, (3, 5))
    assert found["hr@3"].tolist() == [1, 1, 0]
    assert found["precision@3"].tolist() == pytest.approx([1 / 3, 1 / 3, 0])
    assert found["recall@3"].tolist() == pytest.approx([1 / 2, 1, 0])
    assert found["f1@3"].tolist() == pytest.approx([2 / 5, 1 / 2, 0])
    assert found["mrr@3"].tolist() == pytest.approx([1, 1 / 3, 0])
    assert found["mrr"].tolist() == pytest.approx([1, 1 / 3, 0])
    assert metrics.per_case(rank, offsets, (2,))["mrr@2"].tolist() == [1, 0, 0]
    second = 1 / math.log2(3)
    assert found["ndcg@3"].tolist() == pytest.approx([1 / (1 + second), 1 / 2, 0])
    assert found["ndcg@5"].tolist() == pytest.approx(
        [(1 + 1 / math.log2(5)) / (1 + second), 1 / 2, 0]
    )
    assert found["map@3"].tolist() == pytest.approx([1 / 2, 1 / 3, 0])
    assert found["map@5"].tolist() == pytest.approx([(1 + 2 / 4) / 2, 1 / 3, 0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_ndcg_equals_scikit_learns(seed, k):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(12).astype(float)[None]
    truth = rng.random((1, 12)) < 0.4
    truth[0, rng.integers(12)] = True
    relevant = np.flatnonzero(truth[0])
    rank = metrics.ranks(scores, np.ones_like(truth), np.zeros(len(relevant), int), relevant)
    found = metrics.per_case(rank, np.array([0, len(relevant)]), (k,))
    assert found[f"ndcg@{k}"][0] == pytest.approx(ndcg_score(truth.astype(int), scores, k=k))
