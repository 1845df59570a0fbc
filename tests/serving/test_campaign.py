"""Allocations against every possible one; the number taken up against plain counting."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finrec.schema import DataError
from finrec.serving import campaign
from finrec.serving.campaign import Limits, allocate, distribution, spread_of, take_up


def keeps(chosen, limits, group=None, number=None):
    """Whether a choice, bool [B, N], keeps to the limits."""
    count = chosen.sum(0)
    ok = (chosen.sum(1) <= limits.cap).all() and (count <= limits.budgets).all()
    if limits.total is not None:
        ok &= count.sum() <= limits.total
    if limits.least is not None:
        ok &= (count >= limits.least).all()
    if limits.money is not None:
        ok &= (chosen * limits.cost).sum() <= limits.money + 1e-9
    if limits.most_share < 1:
        ok &= (count <= max(np.ceil(limits.most_share * number), 1)).all()
    if limits.parity > 0:
        for name in np.unique(group):
            fair = number * (group == name).mean()
            ok &= chosen[group == name].sum() >= np.floor(limits.parity * fair)
    return bool(ok)


def best_of_all(value, allowed, limits, group=None, number=None):
    """The largest value over every set of offers."""
    cells = np.argwhere(allowed)
    best = -np.inf
    for pick in itertools.product([False, True], repeat=len(cells)):
        chosen = np.zeros(value.shape, bool)
        chosen[tuple(cells[list(pick)].T)] = True
        if keeps(chosen, limits, group, number):
            best = max(best, float(value[chosen].sum()))
    return best


def made(found, shape):
    chosen = np.zeros(shape, bool)
    chosen[found.rows, found.products] = True
    return chosen


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_allocation_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    b, n = 4, 3
    value = np.round(rng.normal(1, 1, (b, n)), 1)  # ties, and offers worth less than nothing
    allowed = rng.random((b, n)) < 0.75
    limits = Limits(
        cap=int(rng.integers(1, 3)),
        budgets=rng.integers(0, 4, n),
        total=int(rng.integers(1, 6)) if rng.random() < 0.5 else None,
        cost=rng.integers(1, 4, n).astype(float) if rng.random() < 0.5 else None,
        money=float(rng.integers(1, 9)),
    )
    if limits.cost is None:
        limits = Limits(limits.cap, limits.budgets, limits.total)
    found = allocate(value, allowed, limits)
    chosen = made(found, value.shape)
    assert keeps(chosen, limits) and not (chosen & ~allowed).any()
    assert found.value == pytest.approx(best_of_all(value, allowed, limits), abs=1e-6)
    assert found.value == pytest.approx(float(value[chosen].sum()))
    assert found.optimal


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_shares_and_parity_cost_as_little_as_possible(seed):
    rng = np.random.default_rng(seed)
    value = rng.random((6, 2)) + 0.01
    allowed = np.ones((6, 2), bool)
    group = np.array(["a", "a", "a", "b", "b", "b"])
    limits = Limits(cap=1, budgets=np.array([2, 2]), most_share=0.5, parity=1.0)
    found = allocate(value, allowed, limits, group)
    assert keeps(made(found, value.shape), limits, group, 4)
    best = best_of_all(value, allowed, limits, group, 4)
    assert found.value == pytest.approx(best)


def test_fewest_offers_are_made_even_at_a_loss():
    value = np.array([[5.0, -1.0], [4.0, -2.0]])
    limits = Limits(cap=1, budgets=np.array([2, 2]), least=np.array([0, 1]))
    found = allocate(value, np.ones((2, 2), bool), limits)
    assert found.value == pytest.approx(3.0) and found.optimal  # 5 and -2, or 4 and -1


def test_contradicting_limits_are_said():
    value, allowed = np.ones((2, 1)), np.ones((2, 1), bool)
    with pytest.raises(DataError, match="No campaign keeps"):
        allocate(value, allowed, Limits(cap=1, budgets=np.array([5]), least=np.array([3])))
    with pytest.raises(DataError, match="fewest"):
        allocate(value, allowed, Limits(cap=1, budgets=np.array([1]), least=np.array([3])))
    with pytest.raises(DataError, match="cap"):
        allocate(value, allowed, Limits(cap=0, budgets=np.array([1])))
    nothing = allocate(value, ~allowed, Limits(cap=1, budgets=np.array([1])))
    assert len(nothing.rows) == 0 and nothing.optimal


def test_ten_thousand_customers_are_whole_and_optimal_in_seconds():
    rng = np.random.default_rng(0)
    value = rng.random((10_000, 8)).astype(np.float32)
    limits = Limits(cap=2, budgets=rng.integers(50, 300, 8), total=900)
    found = allocate(value, rng.random(value.shape) < 0.8, limits)
    assert keeps(made(found, value.shape), limits)
    assert found.optimal and len(found.rows) == 900


def test_distribution_of_take_ups_by_hand_and_against_the_binomial():
    assert distribution(np.array([0.5, 0.2])) == pytest.approx([0.4, 0.5, 0.1])
    from scipy.stats import binom

    expected = binom.pmf(np.arange(1001), 1000, 0.03)
    assert distribution(np.full(1000, 0.03)) == pytest.approx(expected, abs=1e-12)


def test_forecast_interval_holds_as_often_as_it_says():
    rng = np.random.default_rng(1)
    probability = rng.beta(1, 12, 700)
    told = take_up(probability, 0.9)
    assert told.expected == pytest.approx(probability.sum())
    counts = (rng.random((4000, 700)) < probability).sum(1)
    inside = ((counts >= told.low) & (counts <= told.high)).mean()
    assert 0.89 <= inside <= 0.96
    assert take_up(np.zeros(0)).high == 0


@pytest.mark.parametrize("scale", [0.002, 0.05])
def test_many_offers_are_counted_as_exactly_as_few(scale, monkeypatch):
    p = np.random.default_rng(3).random(6000) * scale
    near = take_up(p, 0.9)
    monkeypatch.setattr(campaign, "EXACT", 10_000)
    exact = take_up(p, 0.9)
    assert abs(near.low - exact.low) <= 1 and abs(near.high - exact.high) <= 1


def test_interval_holds_when_demand_strays_by_product():
    rng = np.random.default_rng(4)
    chance = rng.beta(1, 12, 400)
    product = np.repeat(np.arange(4), 100)
    told = take_up(chance, 0.9, product, spread=0.5)
    plain = take_up(chance, 0.9)
    factors = rng.gamma(4, 1 / 4, (3000, 4))[:, product]  # mean 1, standard deviation 0.5
    counts = (rng.random((3000, 400)) < np.minimum(chance * factors, 1)).sum(1)
    inside = ((counts >= told.low) & (counts <= told.high)).mean()
    naive = ((counts >= plain.low) & (counts <= plain.high)).mean()
    assert 0.87 <= inside <= 0.96 and naive < 0.8
    assert told.expected == plain.expected


def test_spread_is_found_again():
    rng = np.random.default_rng(5)
    expected = rng.uniform(5, 60, 400)
    happened = rng.poisson(expected * rng.gamma(1 / 0.16, 0.16, 400))  # spread 0.4
    assert spread_of(expected, expected, happened) == pytest.approx(0.4, abs=0.05)
    assert spread_of(expected, expected, rng.poisson(expected)) < 0.12
