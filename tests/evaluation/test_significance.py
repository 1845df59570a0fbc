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


def test_seeds_count_where_models_are_trained_anew() -> None:
    rng = np.random.default_rng(0)
    customers = np.arange(4000)
    difference = rng.normal(0.02, 0.2, 4000)
    steady = significance.anew([0.52, 0.5201], [0.50, 0.5001], difference, customers)
    shaky = significance.anew([0.56, 0.48], [0.50, 0.5001], difference, customers)
    assert significance.paired(difference, np.zeros(4000), customers) < 0.001
    assert steady < 0.001 < 0.3 < shaky


def test_without_seeds_it_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    difference = rng.normal(0.1, 1.0, 300)
    expected = stats.ttest_1samp(difference, 0.0).pvalue
    found = significance.anew([difference.mean()], [0.0], difference, np.arange(300))
    assert found == pytest.approx(expected)


def test_seeds_alone_are_welchs_test() -> None:
    first, second = [0.3, 0.34, 0.31], [0.25, 0.29, 0.28, 0.24]
    middle = float(np.mean(first) - np.mean(second))
    same = np.full(500, middle)  # no customer differs from another
    expected = stats.ttest_ind(first, second, equal_var=False).pvalue
    assert significance.anew(first, second, same, np.arange(500)) == pytest.approx(expected)


def test_customers_with_several_cases_count_once() -> None:
    rng = np.random.default_rng(2)
    once = rng.normal(0.05, 1.0, 200)
    found = significance.anew([0.1], [0.0], np.repeat(once, 5), np.repeat(np.arange(200), 5))
    assert found == pytest.approx(stats.ttest_1samp(once, 0.0).pvalue)


def test_equal_methods_are_never_told_apart() -> None:
    assert significance.anew([0.1, 0.1], [0.1, 0.1], np.zeros(9), np.arange(9)) == 1.0
    assert np.isnan(significance.anew([0.1], [0.2], np.ones(3), np.zeros(3)))


def test_equal_methods_are_found_different_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        person = rng.normal(0.0, 0.1, 200)  # of each customer, the same under every seed
        one, other = rng.normal(0.5, 0.01, 3), rng.normal(0.5, 0.01, 5)
        difference = person - person.mean() + rng.normal(0.0, 0.1 / 200**0.5)
        difference += one.mean() - other.mean()
        found.append(significance.anew(one, other, difference, np.arange(200)))
    assert np.mean(np.array(found) < 0.05) < 0.075
    assert np.mean(np.array(found) < 0.5) > 0.4, "and not only because p is always large"
