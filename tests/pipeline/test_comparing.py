"""Comparisons in the background: watched, cancelled, gone on with, one at a time, deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finrec import config, locks, schema, snapshots
from finrec.pipeline import cells, compare, comparing
from finrec.schema import DataError

METHODS = ["popularity", "markov", "itemcf"]


@pytest.fixture
def made(home: Path, small_dataset: schema.Dataset) -> compare.Comparison:
    snapshots.write(small_dataset)
    return compare.plan("small", METHODS)


def wait(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def state(made: compare.Comparison) -> str:
    return comparing.standing(made.name).state


def log(made: compare.Comparison) -> str:
    file = config.data_dir() / "comparisons" / "work" / made.name / "log.jsonl"
    return file.read_text() if file.exists() else ""


def test_started_cancelled_killed_and_gone_on_with(home: Path, made: compare.Comparison) -> None:
    assert state(made) == "planned"
    comparing.start(made.name)
    assert state(made) in comparing.LIVE
    with pytest.raises(DataError, match="at work already"):
        comparing.start(made.name)
    with pytest.raises(DataError, match="cancel it first"):
        comparing.delete(made.name)
    wait(lambda: '"cell"' in log(made))
    now = comparing.standing(made.name)
    assert now.state == "running" and now.doing is not None and now.doing[0] in METHODS
    assert now.left is not None and 0 < now.left <= 3 * comparing.UNKNOWN_SECONDS
    comparing.cancel(made.name)
    wait(lambda: state(made) == "cancelled")
    kept = len(made.done)
    assert kept < 3

    comparing.start(made.name)
    wait(lambda: log(made).count('"cell"') >= 2)
    os.kill(only(home, "compare"), signal.SIGKILL)
    wait(lambda: state(made) == "interrupted")
    comparing.start(made.name)
    wait(lambda: state(made) == "done")
    assert len(made.done) == 3
    standing = comparing.standing(made.name)
    assert (standing.done, standing.of, standing.left, standing.failed) == (3, 3, None, ())
    again = compare.grid("small", [*METHODS, "ease"])
    assert comparing.expected(again) == comparing.UNKNOWN_SECONDS, "what is measured costs nothing"


def processes(home: Path, word: str) -> list[int]:
    """Processes of finrec, of this home, that were asked to do something."""
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]
    return [p for p in pids if asked(p)[:1] == [word] and home_of(p) == str(home)]


def only(home: Path, word: str) -> int:
    """The one such process; one that is just starting another is two for a moment."""
    found: list[int] = []

    def one() -> bool:
        found[:] = processes(home, word)
        return len(found) == 1

    wait(one, 10)
    return found[0]


def asked(pid: int) -> list[str]:
    """What a finrec process was asked to do."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []
    return words[words.index("finrec") + 1 :] if "finrec" in words else []


def test_killed_alone_it_takes_the_cell_that_is_measured_with_it(
    home: Path, small_dataset: schema.Dataset
) -> None:
    snapshots.write(small_dataset)
    long = compare.plan("small", ["sasrec"], seeds=1, given={"sasrec": {"epochs": 100_000}})
    comparing.start(long.name)

    lock = config.data_dir() / "comparisons" / "locks" / long.cells[0].key
    wait(lambda: locks.locked(lock))  # it is being measured
    worker, child = only(home, "compare"), only(home, "cell")
    os.kill(worker, signal.SIGKILL)
    try:
        wait(lambda: not locks.locked(lock), 10)
        wait(lambda: state(long) == "interrupted", 10)
        assert processes(home, "cell") == []
    finally:
        if child in processes(home, "cell"):
            os.kill(child, signal.SIGKILL)


def home_of(pid: int) -> str:
    """FINREC_HOME of a process."""
    try:
        told = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    except OSError:
        return ""
    return next((t.partition("=")[2] for t in told if t.startswith("FINREC_HOME=")), "")


def test_a_cell_whose_parent_is_gone_measures_nothing(made: compare.Comparison) -> None:
    cell = made.cells[0]
    words = [sys.executable, "-m", "finrec", "cell", json.dumps(compare.asdict(cell))]
    ended = subprocess.run([*words, "--parent", "1"], check=False, timeout=100)
    assert ended.returncode == 1 and not cell.done


def test_one_comparison_works_at_a_time(made: compare.Comparison, monkeypatch: Any) -> None:
    monkeypatch.setattr(compare, "_apart", lambda cell, cancelled: compare._here(cell))
    turn = config.data_dir() / "comparisons" / "work" / "turn"
    turn.parent.mkdir(parents=True)
    with locks.held(turn) as held:
        assert held
        thread = threading.Thread(target=comparing.work, args=(made,))
        thread.start()
        wait(lambda: state(made) == "waiting")
        assert not made.done
    thread.join(60)
    assert state(made) == "done"


def test_failed_cell_is_told_until_it_succeeds(made: compare.Comparison, monkeypatch: Any) -> None:
    real = compare._here

    def fails(cell: cells.Cell, cancelled: Any) -> str:
        return "out of luck" if cell.method == "markov" else real(cell)

    monkeypatch.setattr(compare, "_apart", fails)
    assert comparing.work(made) == ["markov, seed 0: out of luck"]
    found = comparing.standing(made.name)
    assert (found.state, found.done, found.failed) == (
        "failed",
        2,
        ("markov, seed 0: out of luck",),
    )
    monkeypatch.setattr(compare, "_apart", lambda cell, cancelled: real(cell))
    assert comparing.work(made) == []
    assert comparing.standing(made.name).state == "done"


def test_summary_is_worked_out_once_and_again_when_more_is_measured(
    made: compare.Comparison, monkeypatch: Any
) -> None:
    real, asked = compare.summary, []

    def counted(*given: Any) -> Any:
        asked.append(given)
        return real(*given)

    monkeypatch.setattr(compare, "_apart", lambda cell, cancelled: compare._here(cell))
    compare.run(compare.Comparison(made.name, made.cells[:2], made.created), apart=False)
    monkeypatch.setattr(compare, "summary", counted)
    first = comparing.summary(made, "hr@3", "warm")
    pd.testing.assert_frame_equal(comparing.summary(made, "hr@3", "warm"), first)
    assert len(asked) == 1 and len(first) == 2
    comparing.work(made)
    assert len(asked) == 2, "the page's first view is worked out beforehand"
    pd.testing.assert_frame_equal(comparing.summary(made, "ndcg@3"), real(made, "ndcg@3"))
    assert len(asked) == 2
    assert len(comparing.summary(made, "hr@3", "warm")) == 3


def test_deleting_keeps_what_another_comparison_has(made: compare.Comparison) -> None:
    compare.run(made, apart=False)
    other = compare.Comparison("small-other", made.cells[:1], made.created)
    file = config.data_dir() / "comparisons" / f"{made.name}.json"
    told = file.read_text()
    for cell in made.cells[1:]:
        assert cell.method in told
    compare.write_json(
        file.with_name("small-other.json"),
        {"created": made.created, "cells": [compare.asdict(other.cells[0])]},
    )
    comparing.delete(made.name)
    assert [m.name for m in compare.comparisons()] == ["small-other"]
    assert [c.done for c in made.cells] == [True, False, False]
    with pytest.raises(DataError, match="is no comparison"):
        comparing.cancel(made.name)
    with pytest.raises(DataError, match="is not the name"):
        comparing.cancel_asked("../evil")


def test_same_cell_is_measured_once_by_two_at_once(
    made: compare.Comparison, monkeypatch: Any
) -> None:
    times = []
    real = cells._baseline

    def slow(cell: cells.Cell) -> Any:
        times.append(cell.method)
        time.sleep(0.3)
        return real(cell)

    monkeypatch.setattr(cells, "_baseline", slow)
    both = [threading.Thread(target=cells.measure, args=(made.cells[0],)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    assert times == [made.cells[0].method] and made.cells[0].done
