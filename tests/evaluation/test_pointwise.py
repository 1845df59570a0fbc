"""Protocol P and calibration: by hand, against scikit-learn, and what each variant draws."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from finrec.baselines.popularity import Popularity
from finrec.evaluation import calibration, pointwise, protocols
from finrec.split import split


def test_log_loss_brier_reliability_and_ece_by_hand():
    truth = np.array([True, False, True, False])
    chance = np.array([0.8, 0.4, 0.4, 0.2])
    assert calibration.brier(truth, chance) == pytest.approx((0.04 + 0.16 + 0.36 + 0.04) / 4)
    expected = -(np.log(0.8) + np.log(0.6) + np.log(0.4) + np.log(0.8)) / 4
    assert calibration.log_loss(truth, chance) == pytest.approx(expected)
    table = calibration.reliability(truth, chance, bins=4)
    assert table["told"].tolist() == pytest.approx([0.2, 0.4, 0.8])  # equal ones stay together
    assert table["found"].tolist() == pytest.approx([0, 1 / 2, 1])
    assert table["weight"].tolist() == [1, 2, 1]
    assert calibration.ece(table) == pytest.approx((0.2 + 2 * 0.1 + 0.2) / 4)


def test_a_weight_of_two_is_the_pair_twice():
    rng = np.random.default_rng(0)
    truth, chance = rng.random(50) < 0.3, rng.random(50).round(1)
    weight = rng.integers(1, 4, 50)
    times = np.repeat(np.arange(50), weight)
    for of in (calibration.log_loss, calibration.brier):
        assert of(truth, chance, weight) == pytest.approx(of(truth[times], chance[times]))
    once, often = (
        calibration.reliability(truth, chance, weight),
        calibration.reliability(truth[times], chance[times]),
    )
    assert np.allclose(once.to_numpy(), often.to_numpy())
    assert pointwise.counts(truth, chance > 0.5, weight) == pytest.approx(
        pointwise.counts(truth[times], chance[times] > 0.5)
    )
    assert pointwise.best_threshold(truth, chance, weight) == pointwise.best_threshold(
        truth[times], chance[times]
    )


def test_figures_equal_scikit_learns():
    rng = np.random.default_rng(1)
    truth = rng.random(400) < 0.4
    score = rng.normal(size=400) + truth
    weight = rng.random(400) + 0.5
    half = slice(0, 200), slice(200, 400)
    found = pointwise.answers(
        truth[half[0]], score[half[0]], weight[half[0]],
        truth[half[1]], score[half[1]], weight[half[1]],
    )  # fmt: skip
    told, w = score[half[1]] >= found["threshold"], weight[half[1]]
    true = truth[half[1]]
    named = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    for name, theirs in named.items():
        assert found[name] == pytest.approx(theirs(true, told, sample_weight=w)), name
    theirs = LogisticRegression(C=np.inf).fit(
        score[half[0], None], truth[half[0]], sample_weight=weight[half[0]]
    )
    chance = theirs.predict_proba(score[half[1], None])[:, 1]
    loss = sk.log_loss(true, chance, sample_weight=w)
    assert found["log_loss"] == pytest.approx(loss, rel=1e-3)
    assert found["brier"] == pytest.approx(
        sk.brier_score_loss(true, chance, sample_weight=w), rel=1e-3
    )


def test_threshold_has_the_highest_f1_of_all():
    rng = np.random.default_rng(2)
    truth, score = rng.random(60) < 0.3, rng.random(60).round(1)
    best = pointwise.best_threshold(truth, score)
    every = [sk.f1_score(truth, score >= t) for t in np.unique(score)]
    assert sk.f1_score(truth, score >= best) == pytest.approx(max(every))


def test_platt_survives_scores_that_tell_everything_and_nothing():
    truth = np.array([True] * 5 + [False] * 5)
    slope, offset = calibration.platt(truth, truth * 2.0 - 1, np.ones(10))
    assert np.isfinite([slope, offset]).all() and slope > 3
    slope, offset = calibration.platt(truth, np.zeros(10), np.ones(10))
    assert (slope, offset) == pytest.approx((0, 0), abs=1e-6)


def test_each_variant_draws_what_it_says(small_dataset):
    cut = split(small_dataset)
    n = len(cut.catalogue)
    cases = cut.test.cases
    tags = np.arange(n, dtype=np.float64)
    counts = protocols._counts(cut, "test")

    def drawn(seed):
        collector = pointwise.Collector(counts, seed)
        collector.add(cases, np.tile(tags, (len(cases), 1)))
        return collector.pairs()

    place = {round(float(v), 9): i for i, v in enumerate((tags - tags.mean()) / tags.std())}
    found = drawn(3)
    free = ~(cases.relevance(n) | cases.customers.seen(n))
    rows = np.repeat(np.arange(len(cases)), np.diff(cases.offsets))
    for variant in ("uniform", "popularity"):
        pairs = found[variant]
        products = np.array([place[round(float(v), 9)] for v in pairs.score])
        assert pairs.truth.tolist() == [True, False] * (len(pairs.truth) // 2)
        kept = rows[free.any(1)[rows]]
        assert free[kept, products[1::2]].all(), "a negative is neither held nor acquired"
        assert np.allclose(np.expm1(pairs.popular), counts[products])
    natural = found["natural"]
    assert natural.weight[~natural.truth].sum() == free[np.unique(rows)].sum()
    again, other = drawn(3), drawn(4)
    for variant, pairs in found.items():
        assert (pairs.score == again[variant].score).all(), "the seed is frozen"
    assert (found["uniform"].score != other["uniform"].score).any()
    many = [drawn(s) for s in range(20)]
    mean = {v: np.mean([m[v].popular[~m[v].truth].mean() for m in many]) for v in found}
    assert mean["popularity"] > mean["uniform"]


def test_large_catalogues_are_sampled_and_weighted_to_stand_for_all(small_dataset, monkeypatch):
    cut = split(small_dataset)
    n = len(cut.catalogue)
    cases = cut.test.cases
    counts = protocols._counts(cut, "test")
    scores = Popularity().fit(cut.test, cut).score(cases.customers)
    whole = pointwise.Collector(counts, 0)
    whole.add(cases, scores)
    monkeypatch.setattr(pointwise, "SAMPLE", 5)
    sampled = pointwise.Collector(counts, 0)
    sampled.add(cases, scores)
    a, b = whole.pairs()["natural"], sampled.pairs()["natural"]
    assert n > 5
    assert b.weight.sum() == pytest.approx(a.weight.sum())
    assert len(b.truth) < len(a.truth)


def test_popularity_matched_draws_are_in_proportion():
    counts = np.array([0, 8, 0, 89])  # plus one: 1, 9, 1, 90
    collector = pointwise.Collector(counts, 0)
    free = np.ones((1, 4), bool)
    free[0, 3] = False
    drawn = collector._by_popularity(free, np.zeros(20_000, int))
    assert np.bincount(drawn, minlength=4) / 20_000 == pytest.approx(
        [1 / 11, 9 / 11, 1 / 11, 0], abs=0.01
    )


def test_evaluate_reports_every_variant_beside_always_yes_and_popularity(small_dataset):
    cut = split(small_dataset)
    popular = Popularity().fit(cut.test, cut)
    calls = []

    class Counted:
        def score(self, customers):
            calls.append(len(customers))
            return popular.score(customers)

    found = protocols.evaluate(lambda fold: Counted(), cut, small_dataset.info, {}).metrics["P"]
    assert sum(calls) == len(cut.valid.cases) + len(cut.test.cases), "nothing is scored twice"
    assert set(found["variants"]) == {"uniform", "popularity", "natural"}
    for variant in found["variants"].values():
        for row in (variant, variant["always_yes"], variant["popular"]):
            assert {"precision", "recall", "f1", "log_loss", "brier", "ece"} <= set(row)
        assert {"roc_auc", "pr_auc", "threshold", "reliability", "prevalence"} <= set(variant)
        always = variant["always_yes"]
        assert always["recall"] == 1
        assert always["precision"] == pytest.approx(variant["prevalence"])
    uniform = found["variants"]["uniform"]
    assert found["f1"] == uniform["f1"]
    assert uniform["prevalence"] == pytest.approx(0.5)
    assert found["variants"]["natural"]["prevalence"] < 0.3


def _some_pairs(customers: np.ndarray) -> tuple[pointwise.Pairs, np.ndarray]:
    rng = np.random.default_rng(6)
    truth, yes = rng.random(len(customers)) < 0.5, rng.random(len(customers)) < 0.6
    nothing = np.zeros(len(customers))
    return pointwise.Pairs(truth, nothing, nothing, nothing + 1, customers), yes


def test_intervals_hold_the_figures_and_are_those_of_the_normal_approximation():
    pairs, yes = _some_pairs(np.arange(3000))
    found = pointwise.intervals(pairs, yes)
    told = pointwise.counts(pairs.truth, yes)
    for name in ("precision", "recall", "f1"):
        assert found[name][0] < told[name] < found[name][1]
    half = 1.96 * np.sqrt(told["precision"] * (1 - told["precision"]) / yes.sum())
    assert np.diff(found["precision"])[0] / 2 == pytest.approx(half, rel=0.1)


def test_pairs_of_one_customer_are_resampled_together():
    pairs, yes = _some_pairs(np.arange(100))
    times = np.repeat(np.arange(100), 30)
    many = pointwise.Pairs(*(column[times] for column in vars(pairs).values()))
    apart = pointwise.Pairs(*list(vars(many).values())[:-1], np.arange(3000))
    together = np.diff(pointwise.intervals(many, yes[times])["f1"])
    assert together > 4 * np.diff(pointwise.intervals(apart, yes[times])["f1"])


def test_the_same_customer_in_two_batches_keeps_one_code(small_dataset):
    parts = split(small_dataset)
    collector = pointwise.Collector(np.ones(len(parts.catalogue)), 0)
    scores = np.random.default_rng(0).random((len(parts.test.cases), len(parts.catalogue)))
    for _ in range(2):
        collector.add(parts.test.cases, scores)
    pairs = collector.pairs()["uniform"]
    half = len(pairs.customer) // 2
    assert np.array_equal(pairs.customer[:half], pairs.customer[half:])
