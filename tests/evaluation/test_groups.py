"""Groups: who is in which, gaps by hand, exposure as fractions, and what levelling costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finrec.baselines.popularity import Popularity
from finrec.evaluation import groups, levelling, protocols
from finrec.split import split


def test_ages_are_banded_by_tens_and_small_groups_are_hidden():
    ages = pd.Series([20] * 3 + [25] * 3 + [34, 40, 41, 42, np.nan] + list(range(60, 66)),
                     name="age")  # fmt: skip
    found = groups.assign(ages, 3)
    assert found.names == ("under 25", "25 to 34", "35 to 44", "55 to 64")
    assert found.hidden == 2, "65 and over, and not known"
    assert found.codes[[0, 3, 6, 7, 10, 16]].tolist() == [0, 1, 1, 2, -1, -1]


def test_other_numbers_are_banded_by_fifths_and_words_by_frequency():
    found = groups.assign(pd.Series(np.arange(100.0) + 0.5, name="income"), 10)
    assert [int((found.codes == g).sum()) for g in range(5)] == [20] * 5
    words = groups.assign(pd.Series(["b"] * 5 + ["a"] * 9 + [None] * 4), 4)
    assert words.names == ("a", "b", groups.UNKNOWN)
    codes = groups.assign(pd.Series(np.repeat(np.arange(20.0), 5), name="province_code"), 5)
    assert codes.names[0] == "0" and codes.names[-1] == groups.OTHER
    yes = groups.assign(pd.Series([True, False, True], name="student"), 1)
    assert yes.names == ("yes", "no")
    many = groups.assign(pd.Series([f"v{i}" for i in range(40)] * 2 + ["big"] * 5), 1)
    assert len(many.names) == groups.MOST_GROUPS
    assert many.names[-1] == groups.OTHER


def test_usable_leaves_out_what_says_who_and_what_does_not_divide():
    n = 200
    profile = pd.DataFrame(
        {
            "name": [f"n{i}" for i in range(n)],
            "same": "x",
            "joined": pd.Timestamp("2024-01-01"),
            "sex": ["f", "m"] * (n // 2),
            "empty": np.nan,
        }
    )
    assert groups.usable(profile, 50) == ["sex"]
    assert groups.usable(profile, 101) == []


def test_gap_and_means_by_hand():
    values = np.array([1.0, 0.5, 0.0, 0.5, 0.25, 0.25])
    own = groups.Groups(np.array([0, 0, 1, 1, 2, -1]), ("a", "b", "c"), 1)
    table = groups.by_group(values, np.arange(6), own)
    assert table["mean"].tolist() == [3 / 4, 1 / 4, 1 / 4]
    assert table["cases"].tolist() == [2, 2, 1]
    found = groups.gap(values, np.arange(6), own)
    assert (found.best, found.worst, found.value) == ("a", "b", 1 / 2)
    assert found.low <= 1 / 2 <= found.high


def test_a_real_gap_is_told_from_chance():
    rng = np.random.default_rng(0)
    own = groups.Groups(np.repeat([0, 1], 300), ("a", "b"), 0)
    none = groups.gap(rng.random(600), np.arange(600), own, 300)
    shifted = rng.random(600) + np.repeat([0.2, 0.0], 300)
    real = groups.gap(shifted, np.arange(600), own, 300)
    assert real.chance < 0.01 < none.chance
    assert real.low > 0
    assert groups.gap(shifted, np.arange(600), groups.Groups(own.codes * 0, ("a",), 0)) is None


def test_exposure_coverage_and_gap_as_fractions():
    lists = np.array([[0, 1], [0, 2], [2, -1], [3, 3]])
    own = groups.Groups(np.array([0, 0, 1, -1]), ("a", "b"), 0)
    shares = groups.exposure(lists, own, 4)
    assert shares.tolist() == [[1 / 2, 1 / 4, 1 / 4, 0], [0, 0, 1, 0]]
    assert groups.coverage(lists, own, 4).tolist() == [3 / 4, 1 / 4]
    # The mean exposure is (1/4, 1/8, 5/8, 0); both groups differ from it by 3/8.
    assert groups.exposure_gap(lists, own, 4) == pytest.approx(3 / 8)


def test_levelling_at_full_strength_leaves_groups_the_same_mean_score():
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, -1], [30, 20, 10])
    scores = rng.normal(size=(60, 5)) + 3 * (codes[:, None] == 0) * np.eye(5)[0]
    levelled = levelling.level(scores, codes, 1.0)
    assert np.allclose(levelled[codes == 0].mean(0), levelled[codes == 1].mean(0))
    plain = levelling.level(scores, codes, 0.0)
    assert (np.argsort(plain) == np.argsort(scores)).all(), "strength 0 changes no order"
    assert (levelled[codes == -1] == plain[codes == -1]).all()


def test_levelling_closes_an_exposure_gap_and_says_what_it_costs(small_dataset, monkeypatch):
    monkeypatch.setattr(groups, "LEAST", 8)
    cut = split(small_dataset)
    n = len(cut.catalogue)

    class ByOccupation:
        """Offers nurses other products than everybody else."""

        def score(self, customers):
            nurse = (customers.profile["occupation"] == "nurse").to_numpy()
            return np.where(nurse[:, None], np.arange(n), -np.arange(n)).astype(np.float32)

    scorer = ByOccupation()
    metrics = protocols.evaluate(lambda fold: scorer, cut, small_dataset.info, {}).metrics
    rows = metrics["levelling"]["occupation"]["strengths"]
    assert [r["strength"] for r in rows] == list(levelling.STRENGTHS)
    assert rows[0]["exposure_gap"] > 0.3
    assert rows[-1]["exposure_gap"] < rows[0]["exposure_gap"]
    k = small_dataset.info.ks[0]
    plain = protocols.ranking(scorer, cut.valid.cases, (k,), True, cut.repeatable)
    assert rows[0]["ndcg"] == pytest.approx(plain.mean()[f"ndcg@{k}"])


def test_levelling_reads_validation_only(small_dataset, monkeypatch):
    monkeypatch.setattr(groups, "LEAST", 8)
    cut = split(small_dataset)
    popular = Popularity().fit(cut.valid, cut)
    n = len(cut.catalogue)
    kept = levelling.Collector(cut.valid.cases, n, 5, True)
    for part, scores in protocols.scored(popular, cut.valid.cases, 7):
        kept.add(part, scores)
    whole = levelling.Collector(cut.valid.cases, n, 5, True)
    whole.add(cut.valid.cases, popular.score(cut.valid.cases.customers))
    assert kept.measured() == whole.measured() != {}
