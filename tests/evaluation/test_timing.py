"""Protocol T: who is asked, the truth, and a calibration that comes from validation alone."""

from __future__ import annotations

import numpy as np
import pytest

from finrec.evaluation import calibration, timing
from finrec.schema import CUSTOMER, TIME
from finrec.split import split


class Told:
    """A scorer whose chances are three times too low in hazard."""

    def __init__(self, truth: dict[str, float]) -> None:
        self.truth = truth

    def chance(self, customers, window, intensity=1.0):
        """As told, calibrated."""
        real = np.array([self.truth[c] for c in customers.ids])
        return 1 - (1 - real) ** (intensity / 3)


@pytest.fixture
def cut(small_dataset, monkeypatch):
    """A split by time of a small bank."""
    monkeypatch.setattr(timing, "FEWEST", 1)
    return split(small_dataset, "R2")


def test_everybody_with_a_past_is_asked_and_the_truth_is_what_came(cut):
    people, window, truth = timing._period(cut, cut.test, None, 0)
    assert set(people.ids) == set(cut.test.train[CUSTOMER])
    assert people.times.max() < cut.test.until.timestamp()
    later = cut.later[cut.later[TIME] >= cut.test.until]
    assert {c for c, t in zip(people.ids, truth, strict=True) if t} == (
        set(later.loc[later["kind"].isin(timing.NAMES), CUSTOMER]) & set(people.ids)
    )
    assert window == pytest.approx((later[TIME].max() - cut.test.until).days + 1, abs=1)


def test_the_calibration_is_found_and_from_validation(cut):
    rng = np.random.default_rng(0)
    people, _, _ = timing._period(cut, cut.valid, cut.test.until, 0)
    told = Told({c: 0.05 + 0.5 * rng.random() for c in cut.test.train[CUSTOMER].unique()})
    many = people.take(np.tile(np.arange(len(people)), 200))
    again = np.concatenate([[told.truth[c] > rng.random() for c in people.ids] for _ in range(200)])
    assert timing.calibrated(told, many, 30.0, again) == pytest.approx(3, rel=0.1)
    asked = []

    def rival(customers, window):
        asked.append((len(customers), window))
        return np.full(len(customers), 0.5)

    found = timing.evaluate(lambda fold: told, cut, {"half": rival})
    people, window, truth = timing._period(cut, cut.test, None, 0)
    assert asked[1:] == [(len(people), window)] and len(asked) == 2
    chance = told.chance(people, window, found["intensity"])
    assert found["brier"] == pytest.approx(float(((chance - truth) ** 2).mean()))
    assert found["log_loss"] == pytest.approx(calibration.log_loss(truth, chance))
    assert found["rivals"]["half"]["brier"] == pytest.approx(0.25)
    assert found["rivals"]["half"]["roc_auc"] == pytest.approx(0.5)
    assert found["best_on_validation"] in ("network", "half", "constant")
    valid_people, valid_window, valid_truth = timing._period(cut, cut.valid, cut.test.until, 0)
    assert found["intensity"] == pytest.approx(
        timing.calibrated(told, valid_people, valid_window, valid_truth)
    )

    constant = 1 - valid_truth.mean()
    expected = 1 - constant ** (window / valid_window)
    assert found["rivals"]["constant"]["brier"] == pytest.approx(
        float(((expected - truth) ** 2).mean())
    )


def test_who_was_best_is_decided_on_validation(cut):
    truths = {}
    for fold, end in (("valid", cut.test.until), ("test", None)):
        people, _, truth = timing._period(cut, cut.fold(fold), end, 0)
        truths[fold] = dict(zip(people.ids, truth, strict=True))

    class Knows:
        def __init__(self, known):
            self.known = known

        def chance(self, customers, window, intensity=1.0):
            return np.array([0.9 if self.known[c] else 0.1 for c in customers.ids])

    right = timing.evaluate(lambda fold: Knows(truths[fold]), cut, {})
    assert right["best_on_validation"] == "network"
    wrong = {c: not t for c, t in truths["valid"].items()}
    lucky = timing.evaluate(
        lambda fold: Knows(wrong if fold == "valid" else truths["test"]), cut, {}
    )
    assert lucky["best_on_validation"] == "constant" and lucky["roc_auc"] == 1.0


def test_nothing_is_said_where_time_is_not_held_out_or_too_few_came(cut, small_dataset):
    told = Told(dict.fromkeys(small_dataset.events[CUSTOMER].unique(), 0.2))
    assert timing.evaluate(lambda fold: told, split(small_dataset, "R1"), {}) is None
    timing.FEWEST = 10_000
    assert timing.evaluate(lambda fold: told, cut, {}) is None
