"""Tuning: within its budget, the defaults first, killed and gone on with, never on test cases."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from finrec import locks, schema, snapshots
from finrec.baselines.markov import Markov
from finrec.pipeline import compare, planning, tuning
from finrec.schema import DataError
from finrec.split import split


@pytest.fixture
def ref(home: Path, small_dataset: schema.Dataset) -> str:
    return snapshots.write(small_dataset).ref


def told(monkeypatch: pytest.MonkeyPatch, values: dict[int, Any] | None = None) -> list[Any]:
    """Settings that are tried of our network: each trial is worth less than the one before.

    Where ``values`` has an exception for a trial's place in the list, it is raised.
    """
    asked: list[Any] = []

    def fused(settings: Any, parts: Any, metric: str, trial: Any) -> float:
        asked.append(settings)
        if (values or {}).get(len(asked)):
            raise (values or {})[len(asked)]
        return 1.0 / len(asked)

    monkeypatch.setattr(tuning, "_fused", fused)
    return asked


def test_a_budget_is_spent_once_though_the_preset_itself_is_best(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = told(monkeypatch)
    budget = 0.005
    (cell, *_) = compare.plan(ref, ["+gnn"], budget=budget).cells
    assert cell.settings == {} and len(asked) > 1
    known = tuning.tuned(ref, "R2", "+gnn")
    assert known is not None and known.settings == {} and not known.whole
    tried = len(asked)
    # What lies between two trials is no part of their seconds, so a rest of the budget may be left.
    compare.plan(ref, ["+gnn"], budget=known.seconds / 60)
    assert len(asked) == tried
    assert tuning.tuned(ref, "R2", "baseline") is None


def test_a_trial_that_takes_longer_than_the_budget_is_ended(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    real, alarm = Markov.fit, signal.getsignal(signal.SIGALRM)

    def slow(self: Markov, *arguments: Any) -> Any:
        tried.append(1)
        if len(tried) > quick:
            time.sleep(60)
        return real(self, *arguments)

    monkeypatch.setattr(Markov, "fit", slow)
    for quick, trials in ((0, 0), (3, 3)):  # the usual settings take too long; the fourth try does
        tried.clear()
        began = time.monotonic()
        (cell,) = compare.plan(ref, ["markov"], budget=0.02 + quick / 20).cells
        assert time.monotonic() - began < 20 and len(tried) == quick + 1
        known = tuning.tuned(ref, "R2", "markov")
        assert known is not None and known.seconds >= 1 and not known.whole
        assert bool(cell.settings) == bool(trials), "what is usual stays where nothing was found"
        compare.plan(ref, ["markov"], budget=known.seconds / 60)
        assert len(tried) == quick + 1, "the budget is spent once"
    assert signal.getsignal(signal.SIGALRM) is alarm, "whose it was has it again"


def test_a_larger_budget_tunes_for_what_is_left_of_it(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning.tune(ref, "markov", trials=1)
    known = tuning.tuned(ref, "R2", "markov")
    assert known is not None and known.seconds > 0 and not known.whole
    asked: list[float] = []
    monkeypatch.setattr(
        planning.tuning, "tune", lambda *_, minutes: asked.append(minutes) or {"weight": 5.0}
    )
    said: list[dict[str, Any]] = []
    (cell,) = compare.plan(ref, ["markov"], budget=3.0, progress=said.append).cells
    assert asked == [pytest.approx(3.0 - known.seconds / 60)] and asked[0] < 3.0
    assert said == [{"event": "tuning", "method": "markov", "minutes": asked[0]}]
    assert cell.settings == {"weight": 5.0}
    compare.plan(ref, ["markov"], budget=known.seconds / 120)
    assert len(asked) == 1, "all of that was spent"


def test_what_was_tried_whole_is_not_tuned_again(ref: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tuning.tune(ref, "itemcf", minutes=5)
    known = tuning.tuned(ref, "R2", "itemcf")
    assert known is not None and known.whole
    monkeypatch.setattr(planning.tuning, "tune", lambda *_, **__: pytest.fail("tuned again"))
    compare.plan(ref, ["itemcf"], budget=60)


def test_killed_in_its_third_trial_two_are_kept_and_others_are_drawn(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = told(monkeypatch, {3: KeyboardInterrupt()})  # leaves its trial as kill -9 does
    with pytest.raises(KeyboardInterrupt):
        tuning.tune(ref, "+gnn", trials=4)
    known = tuning.tuned(ref, "R2", "+gnn")
    assert known is not None and known.settings == {}, "best.json is there before the end"
    tuning.tune(ref, "+gnn", trials=4)
    assert len(asked) == 5, "four came to an end, the one that was killed does not count"
    plain = [s for s in asked if s == asked[0]]
    assert len(plain) == 1, "the defaults are tried once"
    assert asked[3] not in asked[:3], "it does not draw again what it drew"


def test_killed_in_its_first_trial_the_defaults_still_come_first(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = told(monkeypatch, {1: KeyboardInterrupt(), 2: KeyboardInterrupt()})
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            tuning.tune(ref, "+gnn", trials=1)
    assert tuning.tuned(ref, "R2", "+gnn") is None
    assert tuning.tune(ref, "+gnn", trials=1) == {}
    assert asked[0] == asked[1] == asked[2]


def test_two_processes_do_not_tune_the_same_and_no_limit_is_negative(ref: str) -> None:
    folder = tuning._folder(ref, "R2", "markov", "standard")
    folder.mkdir(parents=True)
    with locks.held(folder / "lock"), pytest.raises(DataError, match="Another process tunes"):
        tuning.tune(ref, "markov", trials=1)
    for limits in ({"trials": -1}, {"minutes": -1.0}, {"minutes": float("nan")}):
        with pytest.raises(DataError, match="can't be below 0"):
            tuning.tune(ref, "markov", **limits)


def test_a_method_is_tuned_on_validation_alone(
    ref: str, small_dataset: schema.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[Any] = []
    ranked: list[Any] = []
    real, rank = Markov.fit, tuning.protocols.ranking

    def fit(self: Markov, fold: Any, cut: Any, rng: Any = None) -> Markov:
        learned.append(fold.train["time"].max())
        return real(self, fold, cut, rng)

    def ranking(scorer: Any, cases: Any, *how: Any) -> Any:
        ranked.append(cases)
        return rank(scorer, cases, *how)

    monkeypatch.setattr(Markov, "fit", fit)
    monkeypatch.setattr(tuning.protocols, "ranking", ranking)
    tuning.tune(ref, "markov", trials=2)
    parts = split(small_dataset)
    assert len(learned) == 2 and max(learned) < parts.valid.until
    for cases in ranked:
        assert np.array_equal(cases.relevant, parts.valid.cases.relevant)
        assert not np.array_equal(cases.relevant, parts.test.cases.relevant)


class Learns:
    """Stands for our network's learning: its validation after each pass is as scripted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, curves: list[list[float]]) -> None:
        self.curves = curves
        self.passes: list[int] = []
        self.folds: list[str] = []
        self.cases: list[Any] = []
        self.value = 0.0
        monkeypatch.setattr(tuning.assemble, "inputs", self.inputs)
        monkeypatch.setattr(tuning.protocols, "ranking", self.ranking)
        monkeypatch.setattr(tuning.fit, "fit", self.fit)

    def inputs(self, parts: Any, fold: str, settings: Any) -> tuple[None, None]:
        self.folds.append(fold)
        return None, None

    def ranking(self, scorer: Any, cases: Any, *how: Any) -> Any:
        self.cases.append(cases)
        return SimpleNamespace(mean=lambda: {"ndcg@3": self.value})

    def fit(self, given: Any, histories: Any, settings: Any, validate: Any) -> Any:
        curve = self.curves[len(self.passes)]
        self.passes.append(0)
        for self.value in curve:
            self.passes[-1] += 1
            validate(None)
        return SimpleNamespace(valid=max(curve))


def test_our_network_is_tuned_on_validation_alone_and_pruned(
    ref: str, small_dataset: schema.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = [0.5] * 6, [0.1] * 6
    learns = Learns(monkeypatch, [good, good, good, bad, good])
    tuning.tune(ref, "+gnn", trials=5)
    assert learns.passes[:3] == [6, 6, 6] and learns.passes[4] == 6
    assert learns.passes[3] < 6, "it fell behind, and was not learned to its end"
    assert set(learns.folds) == {"valid"}
    own = split(small_dataset).valid.cases.relevant
    assert all(np.array_equal(cases.relevant, own) for cases in learns.cases)
    known = tuning.tuned(ref, "R2", "+gnn")
    assert known is not None and known.settings == {}, "of equals the first is kept"
