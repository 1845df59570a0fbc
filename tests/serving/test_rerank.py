"""Re-ranking against plain loops and by hand; what it promises, it keeps."""

import itertools
import time

import numpy as np
import pandas as pd
import pytest

from finrec.serving.rerank import (
    RIDGE,
    Candidates,
    Weights,
    alike,
    candidates,
    grid,
    pareto,
    rerank,
)


def draw(rng, b=30, n=20, m=12):
    p = rng.dirichlet(np.full(n, 0.3), b)
    allowed = rng.random((b, n)) < 0.8
    margin = rng.integers(1, 10, n)
    return candidates(p, allowed, p * margin, m), p, allowed


def greedy_plainly(given, k, variety, features):
    lists = []
    for index, fit in zip(given.index, given.fit, strict=True):
        listed = []
        for _ in range(k):
            best, best_gain = None, -np.inf
            for j, product in enumerate(index):
                if product < 0 or j in listed:
                    continue
                common = max((features[product] @ features[index[i]] for i in listed), default=0.0)
                gain = fit[j] - variety * fit.max() * max(common, 0.0)
                if gain > best_gain + 1e-12:
                    best, best_gain = j, gain
            if best is not None:
                listed.append(best)
        lists.append([int(index[j]) for j in listed] + [-1] * (k - len(listed)))
    return lists


def test_candidates_are_the_best_allowed_in_order():
    given, p, allowed = draw(np.random.default_rng(0))
    for b in range(30):
        mine = given.index[b][given.index[b] >= 0]
        expected = sorted(np.flatnonzero(allowed[b]), key=lambda j: (-p[b, j], j))[:12]
        assert mine.tolist() == expected


def test_without_weights_the_list_is_the_models_own():
    given, *_ = draw(np.random.default_rng(1))
    assert (rerank(given, 5, 20, Weights()) == given.index[:, :5]).all()


@pytest.mark.parametrize("variety", [0.1, 0.5, 1.0])
def test_variety_is_the_greedy_of_the_definition(variety):
    rng = np.random.default_rng(2)
    given, *_ = draw(rng)
    table = pd.DataFrame({"type": rng.choice(["a", "b", "c"], 20), "risk": rng.integers(0, 3, 20)})
    features = alike(table, ["type", "risk"])
    assert (features**2).sum(1) == pytest.approx(np.ones(20))
    found = rerank(given, 4, 20, Weights(variety=variety), features)
    assert found.tolist() == greedy_plainly(given, 4, variety, features)


def test_value_alone_orders_by_value():
    given, *_ = draw(np.random.default_rng(3))
    found = rerank(given, 12, 20, Weights(value=1.0))
    for b in range(30):
        value = dict(zip(given.index[b], given.value[b], strict=True))
        listed = [value[p] for p in found[b] if p >= 0]
        assert listed == sorted(listed, reverse=True)


def expected_gain(given, lists):
    discount = 1 / np.log2(np.arange(2, lists.shape[1] + 2))
    fit = np.array(
        [
            [0.0 if p < 0 else given.fit[b][list(given.index[b]).index(p)] for p in row]
            for b, row in enumerate(lists)
        ]
    )
    return float((fit * discount).sum())


@pytest.mark.parametrize("fewest", [1, 3])
def test_showings_rise_and_no_more_gain_is_given_up_than_allowed(fewest):
    rng = np.random.default_rng(4)
    n = 60
    p = rng.dirichlet(np.geomspace(3, 0.02, n), 200)
    given = candidates(p, rng.random((200, n)) < 0.9, m=40)
    plain = rerank(given, 5, n, Weights())
    before = np.bincount(plain.ravel(), minlength=n)
    base, last = expected_gain(given, plain), 0
    for loss in (0.001, 0.01, 0.1):
        found = rerank(given, 5, n, Weights(fewest=fewest, loss=loss))
        after = np.bincount(found.ravel(), minlength=n)
        assert expected_gain(given, found) >= base * (1 - loss) - 1e-9
        assert (after >= np.minimum(before, fewest)).all(), "none falls below what it shall have"
        served = int(np.minimum(after, fewest).sum())
        assert served >= last
        last = served
        assert (found[:, 0] == plain[:, 0]).all()
        assert all(len(set(row)) == 5 for row in found.tolist())
    assert last > np.minimum(before, fewest).sum()


def test_coverage_is_bought_where_it_costs_least():
    given = Candidates(
        np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]]),
        np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.29], [0.9, 0.09, 0.01]], np.float32),
        np.zeros((3, 3), np.float32),
    )
    found = rerank(given, 2, 3, Weights(fewest=1, loss=0.05))
    assert found.tolist() == [[0, 1], [0, 2], [0, 1]]


def test_only_what_may_be_offered_is_listed():
    for weights in grid():
        given, _, allowed = draw(np.random.default_rng(5))
        found = rerank(given, 6, 20, weights, np.eye(20, dtype=np.float32))
        for b, row in enumerate(found):
            assert all(allowed[b, p] for p in row if p >= 0)


def test_front_holds_what_nothing_beats():
    given, *_ = draw(np.random.default_rng(6))
    scores = iter([(1.0, 0.1), (0.9, 0.2), (0.8, 0.2), (0.9, 0.2)])

    def measure(lists):
        a, b = next(scores)
        return {"ndcg": a, "coverage": b}

    frame = pareto(given, 3, 20, [Weights(loss=i / 10) for i in range(4)], measure)
    assert frame["front"].tolist() == [True, True, False, True]
    assert frame["loss"].tolist() == [0, 0.1, 0.2, 0.3]


def test_twenty_thousand_lists_take_seconds():
    rng = np.random.default_rng(7)
    index = np.argsort(rng.random((20_000, 300)), axis=1)[:, :100] * 40
    fit = np.sort(rng.random((20_000, 100)).astype(np.float32) ** 8)[:, ::-1]
    given = Candidates(index, fit, fit)
    began = time.process_time()
    found = rerank(given, 10, 12_000, Weights(fewest=1, loss=0.02))
    assert time.process_time() - began < 10
    assert found.shape == (20_000, 10)


def dpp_plainly(given, k, variety, features):
    """Each place by the determinant itself, from the definition."""
    lists = []
    for index, fit in zip(given.index, given.fit, strict=True):
        own = np.maximum(index, 0)
        common = (1 - RIDGE) * features[own] @ features[own].T + RIDGE * np.eye(len(index))
        listed = []
        for _ in range(k):
            options = [j for j, p in enumerate(index) if p >= 0 and j not in listed]
            if not options:
                break

            def worth(j, listed=tuple(listed), common=common, fit=fit):
                some = [*listed, j]
                det = np.linalg.slogdet(common[np.ix_(some, some)])[1]
                return (1 - variety) * fit[some].sum() / fit.max() + variety * det

            listed.append(max(options, key=worth))
        lists.append([int(index[j]) for j in listed] + [-1] * (k - len(listed)))
    return lists


@pytest.mark.parametrize("variety", [0.05, 0.3, 0.9])
def test_dpp_is_the_greedy_of_its_determinant(variety):
    rng = np.random.default_rng(8)
    given, *_ = draw(rng)
    table = pd.DataFrame({"type": rng.choice(["a", "b", "c"], 20), "risk": rng.integers(0, 3, 20)})
    features = alike(table, ["type", "risk"])
    found = rerank(given, 4, 20, Weights(variety=variety, variety_by="dpp"), features)
    assert found.tolist() == dpp_plainly(given, 4, variety, features)


def test_dpp_comes_close_to_the_best_list_there_is():
    rng = np.random.default_rng(9)
    given, *_ = draw(rng, b=12, n=8, m=8)
    table = pd.DataFrame({"type": rng.choice(["a", "b", "c"], 8), "risk": rng.integers(0, 3, 8)})
    features, v, exact = alike(table, ["type", "risk"]), 0.2, 0
    found = rerank(given, 3, 8, Weights(variety=v, variety_by="dpp"), features)
    for index, fit, row in zip(given.index, given.fit, found, strict=True):
        gains = {int(p): f / fit.max() for p, f in zip(index, fit, strict=True) if p >= 0}

        def worth(products, gains=gains):
            s = (1 - RIDGE) * features[list(products)] @ features[list(products)].T
            s += RIDGE * np.eye(len(s))
            return (1 - v) * sum(gains[p] for p in products) + v * np.linalg.slogdet(s)[1]

        size = int((row >= 0).sum())
        every = {c: worth(c) for c in itertools.combinations(sorted(gains), size)}
        mine = every[tuple(sorted(int(p) for p in row if p >= 0))]
        exact += mine == max(every.values())
        assert mine <= max(every.values()) and mine >= np.quantile(list(every.values()), 0.9)
    assert exact >= 8


def test_dpp_without_weight_is_the_models_own_and_with_it_more_varied():
    rng = np.random.default_rng(10)
    given, *_ = draw(rng)
    features = alike(pd.DataFrame({"type": rng.choice(["a", "b", "c", "d"], 20)}), ["type"])
    plain = rerank(given, 4, 20, Weights(variety=0.0, variety_by="dpp"), features)
    assert (plain == given.index[:, :4]).all()

    def alikeness(lists):
        return sum((features[row] @ features[row].T).sum() for row in lists if (row >= 0).all())

    varied = rerank(given, 4, 20, Weights(variety=0.3, variety_by="dpp"), features)
    assert alikeness(varied) < 0.8 * alikeness(plain)
    assert (varied[:, 0] == plain[:, 0]).all(), "the best offer stays first"
