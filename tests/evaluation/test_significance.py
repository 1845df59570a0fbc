"""Intervals and tests against hand-worked values, enumeration and scipy."""

import itertools

import numpy as np
import pytest
from scipy import stats

from finrec.evaluation import significance


def test_interval_agrees_with_the_normal_one_for_many_customers():
    values = np.random.default_rng(0).random(2000)
    found = significance.bootstrap(values, np.arange(2000))
    half = 1.96 * values.std(ddof=1) / np.sqrt(2000)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_cases_of_one_customer_are_resampled_together():
    one_each = np.repeat(np.random.default_rng(1).random(50), 40)
    apart = significance.bootstrap(one_each, np.arange(2000))
    together = significance.bootstrap(one_each, np.repeat(np.arange(50), 40))
    assert together.high - together.low > 4 * (apart.high - apart.low)


def test_paired_p_is_that_of_all_flips():
    a = np.array([0.9, 0.8, 0.4, 0.7, 0.6, 0.5, 0.3, 0.9])
    b = np.array([0.5, 0.6, 0.5, 0.1, 0.2, 0.4, 0.3, 0.1])
    difference = a - b
    flips = np.array(list(itertools.product((-1, 1), repeat=8))) @ difference
    exact = (np.abs(flips) >= abs(difference.sum()) - 1e-12).mean()
    assert significance.paired(a, b, np.arange(8), 50_000) == pytest.approx(exact, abs=0.005)
    theirs = stats.permutation_test((a, b), lambda x, y: (x - y).mean(), n_resamples=9999,
                                    permutation_type="samples").pvalue  # fmt: skip
    assert significance.paired(a, b, np.arange(8), 50_000) == pytest.approx(theirs, abs=0.005)


def test_equal_methods_are_never_told_apart_and_different_cases_are_refused():
    a = np.random.default_rng(2).random(30)
    assert significance.paired(a, a, np.arange(30)) == 1.0
    with pytest.raises(ValueError, match="same cases"):
        significance.paired(a, a[:10], np.arange(30))


def test_p_is_uniform_where_nothing_differs():
    rng = np.random.default_rng(3)
    ps = [
        significance.paired(rng.random(40), rng.random(40), np.arange(40), 400, seed)
        for seed in range(200)
    ]
    assert 0.01 <= np.mean(np.array(ps) < 0.05) <= 0.1


def test_holm_by_hand():
    found = significance.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


def test_spread_over_seeds():
    assert significance.spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert np.isnan(significance.spread([1.0])[1])


def test_sums_over_resampled_customers_do_not_depend_on_how_many_are_held_at_once(monkeypatch):
    totals = np.random.default_rng(4).random((30, 2))
    whole = significance.resampled(totals, 50)
    monkeypatch.setattr(significance, "CELLS", 90)  # three resamples at once
    assert np.array_equal(whole, significance.resampled(totals, 50))
    assert whole.mean(0) == pytest.approx(totals.sum(0), rel=0.1)
