"""What is taken of late: counted by hand, and never from the same or a later moment."""

from dataclasses import replace

import numpy as np
import pytest

from finrec.features import trend
from tests.training.test_balance import histories

DAY = 86_400
KNOWN = np.ones(3, dtype=bool)


def some():
    """Two customers, products 0 to 2: firsts on days 10, 10 and 100, later ones on 40 and 100."""
    days = [10, 10, 40, 100, 100]  # customer A: 0 and 1 together, then 2; customer B: 0 and 0
    told = histories([0, 1, 2, 0, 0], [3, 2], [d * DAY for d in days])
    return replace(told, times=told.times + np.array([5, 5, 7, 9, 9]))  # the hour is no matter


def test_counts_by_day_product_and_whether_there_was_a_past():
    found = trend.count(some(), 130)
    listed = zip(found.days, found.products, found.later, found.counts, strict=True)
    assert sorted(map(tuple, listed)) == [
        (10, 0, 0, 1),
        (10, 1, 0, 1),
        (40, 2, 1, 1),
        (100, 0, 0, 2),
    ]


def test_what_was_given_up_or_held_is_not_counted_as_taken():
    told = some()
    kinds = np.array([1, 5, 0, 3, 2])  # dropped, held; acquired, traded, rated
    found = trend.count(replace(told, kinds=kinds), 130)
    assert found.counts.sum() == 3
    assert (found.days[0], found.products[0], found.later[0]) == (40, 2, 1), "held before: a past"


def test_shares_are_those_of_the_days_before_worked_by_hand():
    days, shares = trend.shares(trend.count(some(), 130), KNOWN)
    assert days.tolist() == [10, 40, 100, 130]
    ever, year, quarter, month, season = range(5)
    np.testing.assert_allclose(shares[0], 0, atol=1e-7)  # nothing is known: all equal
    first = np.exp(shares[:, :5]) / 3
    b = 3  # one event a product is borrowed
    all_40 = (np.array([1, 1, 0]) + 0.5) / (2 + 1.5)  # half an event each to begin with
    np.testing.assert_allclose(first[1, ever], all_40, rtol=1e-5)
    year_40 = (np.array([1, 1, 0]) + b * all_40) / (2 + b)
    np.testing.assert_allclose(first[1, year], year_40, rtol=1e-5)
    # On day 130 the month goes back to day 98, so the first purchases of day 10 are not in it.
    all_130 = (np.array([3, 1, 0]) + 0.5) / (4 + 1.5)
    year_130 = (np.array([3, 1, 0]) + b * all_130) / (4 + b)
    quarter_130 = (np.array([2, 0, 0]) + b * year_130) / (2 + b)
    np.testing.assert_allclose(first[3, quarter], quarter_130, rtol=1e-5)
    month_130 = (np.array([2, 0, 0]) + b * quarter_130) / (2 + b)
    np.testing.assert_allclose(first[3, month], month_130, rtol=1e-5)
    np.testing.assert_allclose(first[3, season], all_130, rtol=1e-5)  # nothing is known of it
    later = np.exp(shares[:, 5:]) / 3
    np.testing.assert_allclose(later[2, ever], (np.array([0, 0, 1]) + 0.5) / 2.5, rtol=1e-5)
    np.testing.assert_allclose(later[:2], 1 / 3, rtol=1e-5)  # the one of day 40 is not before it
    np.testing.assert_allclose(first.sum(-1), 1, rtol=1e-5)


def test_the_season_is_the_two_months_after_this_day_a_year_ago():
    days = [99, 100, 160, 161, 400]
    told = histories([0, 1, 2, 0, 0], [1] * 5, [d * DAY for d in days])
    _, shares = trend.shares(trend.count(told, 465), KNOWN)
    season = np.exp(shares[-1, trend.WINDOWS.index((365, 304))]) / 3
    ever = (np.array([3, 1, 1]) + 0.5) / 6.5
    b = 3  # one event a product is borrowed
    np.testing.assert_allclose(season, (np.array([0, 1, 1]) + b * ever) / (2 + b), rtol=1e-5)


@pytest.mark.parametrize("most", [trend.MOST_CELLS, 6 * trend.N_FEATURES * 5])
def test_a_same_or_later_event_never_changes_what_is_read(monkeypatch, most):
    monkeypatch.setattr(trend, "MOST_CELLS", most)
    rng = np.random.default_rng(1)
    times = np.sort(rng.integers(0, 400, 60)) * DAY
    told = histories(rng.integers(0, 5, 60), [1] * 60, times)
    known = np.ones(5, dtype=bool)

    def read(cohort, day):
        days, shares = trend.shares(trend.count(cohort, 500), known)
        return shares[max(np.searchsorted(days, day, side="right") - 1, 0)]

    for event in range(20, 60, 7):
        day = int(told.times[event] // DAY)
        changed = told.products.copy()
        changed[told.times >= told.times[event]] = 4  # everything from that day on
        np.testing.assert_array_equal(read(told, day), read(replace(told, products=changed), day))
    changed = told.products.copy()
    changed[:20] = 4
    assert not np.array_equal(read(told, 399), read(replace(told, products=changed), 399))


def test_a_large_catalogue_has_few_moments_and_the_last_is_always_exact(monkeypatch):
    told = histories([0] * 300, [1] * 300)  # one each day
    monkeypatch.setattr(trend, "MOST_CELLS", 20 * trend.N_FEATURES * 3)
    found = trend.count(told, 300)
    days = trend.moments(found, 3)
    assert len(days) <= 20 and days[-1] == 300 and (np.diff(days) > 0).all()
    assert trend.shares(found, KNOWN)[1].shape == (len(days), trend.N_FEATURES, 3)


def test_a_product_that_was_never_sold_stands_at_the_mean_of_the_others():
    known = np.array([True, True, False])
    told = histories([0, 0, 1], [1, 1, 1])
    _, shares = trend.shares(trend.count(told, 9), known)
    np.testing.assert_allclose(shares[..., 2], shares[..., :2].mean(-1), atol=1e-6)
