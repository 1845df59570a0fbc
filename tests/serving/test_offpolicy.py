"""Estimates from simulated logs whose truth is known; exploration's propensities."""

import numpy as np
import pytest

from finrec.serving.offpolicy import estimate, explored

N = 5


def world(rng, size):
    """Chances of take-up [L, N], an old policy that explores, a log, a new policy."""
    kind = rng.integers(0, 3, size)
    truth = np.array([[0.5, 0.2, 0.1, 0.05, 0.3], [0.1, 0.6, 0.2, 0.1, 0.1],
                      [0.2, 0.1, 0.1, 0.4, 0.2]])[kind]  # fmt: skip
    old = np.array([[0.2, 0.5, 0.1, 0.1, 0.1], [0.4, 0.2, 0.2, 0.1, 0.1],
                    [0.2, 0.2, 0.2, 0.2, 0.2]])[kind]  # fmt: skip
    offered = (rng.random(size)[:, None] > np.cumsum(old, 1)).sum(1)
    rows = np.arange(size)
    reward = (rng.random(size) < truth[rows, offered]).astype(float)
    new = np.eye(N)[np.array([0, 1, 3])[kind]]  # the best of each kind
    return truth, offered, old[rows, offered], reward, new


def test_all_three_find_the_truth_and_its_interval_holds_as_often_as_said():
    inside = dict.fromkeys(("IPS", "SNIPS", "DR"), 0)
    values = {name: [] for name in inside}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth, offered, propensity, reward, new = world(rng, 600)
        model = np.clip(truth + rng.normal(0, 0.1, (600, N)), 0, 1)
        value = 0.5  # (0.5 + 0.6 + 0.4) / 3
        found = estimate(new, offered, propensity, reward, model, np.arange(600), seed=seed)
        for one in found.estimates[1:]:
            inside[one.method] += one.low <= value <= one.high
            values[one.method].append(one.value)
    for name, count in inside.items():
        assert count >= 51, f"{name}: {count} of 60 intervals hold the truth"
        assert np.mean(values[name]) == pytest.approx(0.5, abs=0.02)
    assert np.std(values["DR"]) < np.std(values["IPS"]), "the model takes variance away"


def test_the_logged_policy_estimates_itself():
    rng = np.random.default_rng(1)
    _, offered, propensity, reward, _ = world(rng, 2000)
    new = np.zeros((2000, N))
    new[np.arange(2000), offered] = propensity  # as the log: weights of one
    found = estimate(new, offered, propensity, reward, np.zeros((2000, N)), np.arange(2000))
    by = {e.method: e.value for e in found.estimates}
    assert by["IPS"] == by["SNIPS"] == by["as logged"] == pytest.approx(reward.mean())
    assert found.effective == pytest.approx(2000) and found.heaviest == pytest.approx(1)


def test_what_the_log_never_did_is_said():
    offered = np.zeros(100, int)
    new = np.tile([0.0, 1.0], (100, 1))
    supported = np.tile([True, False], (100, 1))
    found = estimate(new, offered, np.ones(100), np.ones(100), np.zeros((100, 2)),
                     np.arange(100), supported)  # fmt: skip
    assert found.uncovered == 1.0 and not found.trustworthy
    with pytest.raises(ValueError, match="propensity"):
        estimate(new, offered, np.zeros(100), np.ones(100), np.zeros((100, 2)), np.arange(100))


def test_decisions_of_one_customer_count_as_one_in_the_interval():
    rng = np.random.default_rng(2)
    reward = np.repeat(rng.random(20) < 0.5, 50).astype(float)
    offered = np.zeros(1000, int)
    new, model = np.ones((1000, 1)), np.zeros((1000, 1))
    alone = estimate(new, offered, np.ones(1000), reward, model, np.arange(1000))
    grouped = estimate(new, offered, np.ones(1000), reward, model, np.repeat(np.arange(20), 50))
    width = [e.estimates[1].high - e.estimates[1].low for e in (alone, grouped)]
    assert width[1] > 4 * width[0]


def test_exploration_draws_as_often_as_it_says():
    index = np.tile([4, 2, 7, -1], (40_000, 1))
    lists, chance = explored(index, 0.3, np.random.default_rng(0))
    for product in (4, 2, 7):
        first = lists[:, 0] == product
        told = 0.7 * (product == 4) + 0.1
        assert first.mean() == pytest.approx(told, abs=0.01)
        assert chance[first, 0] == pytest.approx(np.full(first.sum(), told))
    assert all(sorted(row) == [-1, 2, 4, 7] for row in lists[:200].tolist())
    same, sure = explored(index, 0.0, np.random.default_rng(0))
    assert (same == index).all() and (sure[:, 0] == 1).all() and (sure[:, 1:] == 0).all()
