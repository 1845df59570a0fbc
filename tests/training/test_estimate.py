"""The estimate of a training's time: from the most similar run, within the settings' limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from finrec import presets
from finrec.config import RunSettings
from finrec.schema import DatasetInfo
from finrec.training.estimate import estimate
from finrec.training.runs import Run


def settings(preset: str = "standard", **train: float) -> RunSettings:
    info = DatasetInfo("bank", "A bank")
    return presets.settings(info, "bank@1", preset, "baseline", train=dict(train))


def run(name: str, seconds: float, told: RunSettings) -> Run:
    done = {"targets": 1000, "epochs": 5, "seconds_train": seconds}
    return Run(name, Path(name), told, {}, done)


def test_speed_is_that_of_the_similar_run() -> None:
    slow, fast = run("slow", 50.0, settings()), run("fast", 0.5, settings())
    expected = estimate(settings(), 1000, 10, [slow])
    assert expected.high > 10 * estimate(settings(), 1000, 10, [fast]).high
    assert "slow" in expected.basis
    # 10 passes of 1,000 events at 0.01 s an event, learned twice, and a margin on top.
    assert 2 * 10 * 10 < expected.high < 2 * 10 * 10 * 1.5


def test_other_shapes_say_nothing_about_speed() -> None:
    guess = estimate(settings("quick"), 1000, 10, [run("slow", 500.0, settings())])
    assert "rough guess" in guess.basis


def test_low_is_below_high_and_more_events_take_longer() -> None:
    few, many = (estimate(settings(), n, 10, []) for n in (10_000, 1_000_000))
    assert few.low < few.high < many.high


def test_minutes_bound_the_estimate() -> None:
    unbounded = run("slow", 50_000.0, settings())  # 10 s an event and pass
    expected = estimate(settings(minutes=1.0), 10, 10, [unbounded])
    assert expected.high == pytest.approx(8 + 2 * (60 + 100) * 1.4)
