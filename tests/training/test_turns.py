"""Trainings wait in line: one works at a time, paused ones make way, killed ones hold up nobody."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finrec import presets, schema, snapshots
from finrec.schema import CheckpointError
from finrec.training import jobs, turns


@pytest.fixture
def told(home: Path, small_dataset: schema.Dataset) -> Iterator[Callable[[int], Any]]:
    """Settings of a training that does not end by itself; whatever works is ended afterwards."""
    made = snapshots.write(small_dataset)
    shape = {"width": 16, "length": 20, "decoder_layers": 1}
    course = {"epochs": 900, "batch": 8, "patience": 900}

    def settings(seed: int) -> Any:
        return presets.settings(made.info, made.ref, "quick", parts="baseline", seed=seed,
                                device="cpu", model=shape, train=course)  # fmt: skip

    yield settings
    for job in jobs.jobs():
        jobs.cancel(job.run)
        jobs.kill(job.run)


def wait(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def learns(run: str) -> bool:
    return "step" in set(jobs.read_log(run).get("event", []))


def state(run: str) -> str:
    return jobs.read(run).state


def test_second_waits_paused_one_makes_way_and_goes_on_at_the_end(told: Any) -> None:
    first = jobs.start(told(0))
    wait(lambda: learns(first))
    second, third = jobs.start(told(1)), jobs.start(told(2))
    wait(lambda: jobs.line() == [second, third])
    with pytest.raises(CheckpointError, match="waiting for its turn already"):
        jobs.resume(second)
    jobs.cancel(second)  # taken out of the line
    wait(lambda: jobs.line() == [third])
    assert (state(first), state(second), state(third)) == ("running", "cancelled", "queued")
    jobs.resume(second)
    wait(lambda: jobs.line() == [third, second])

    jobs.pause(first)
    wait(lambda: state(third) == "running")
    assert state(first) == "paused" and "paused" in set(jobs.read_log(first)["event"])
    assert any((jobs.folder(first) / "checkpoint" / "choose").iterdir())
    jobs.resume(first)
    wait(lambda: jobs.line() == [second, first])
    wait(lambda: learns(third))
    os.kill(jobs.read(third).pid, signal.SIGKILL)
    wait(lambda: state(second) == "running" and jobs.line() == [first])
    assert state(third) == "stopped"
    jobs.cancel(second)
    wait(lambda: state(first) == "running")
    wait(lambda: "resumed" in set(jobs.read_log(first)["event"]))
    with pytest.raises(CheckpointError, match="is running"):
        jobs.forget(first)
    jobs.pause(first)
    wait(lambda: state(first) == "paused")
    jobs.forget(first)


def waiting(folder: Path, since: float, job_state: str = "queued") -> Path:
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"state": job_state}))
    (folder / turns.WAITING).write_text(repr(since))
    return folder


def test_line_has_only_those_whose_process_lives(tmp_path: Path) -> None:
    late, early, dead = (waiting(tmp_path / n, t) for n, t in
                         (("late", 3.0), ("early", 1.0), ("dead", 2.0)))  # fmt: skip
    with (late / turns.WAITING).open("a") as one, (early / turns.WAITING).open("a") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(two, fcntl.LOCK_EX)
        assert turns.line(tmp_path) == ["early", "late"]
    assert turns.line(tmp_path) == [] and dead.is_dir()


def test_turn_comes_when_nothing_works_and_is_kept_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOOK_SECONDS", 0.01)
    waiting(tmp_path / "mine", 1.0)
    busy = waiting(tmp_path / "busy", 0.0, "running")
    got: list[int | None] = []
    thread = threading.Thread(target=lambda: got.append(turns.wait(tmp_path, "mine")))
    with (busy / turns.WORKING).open("w") as working:
        fcntl.flock(working, fcntl.LOCK_EX)
        thread.start()
        wait(lambda: turns.line(tmp_path) == ["mine"])
        time.sleep(0.1)
        assert got == []
    thread.join(10)
    assert got[0] is not None and turns.locked(tmp_path / turns.TURN)
    os.close(got[0])
    assert not turns.locked(tmp_path / turns.TURN)


@pytest.mark.parametrize("how", ["cancelled", "gone", "done"])
def test_what_is_not_wanted_any_more_does_not_wait(tmp_path: Path, how: str) -> None:
    folder = waiting(tmp_path / "mine", 1.0, "done" if how == "done" else "queued")
    if how == "cancelled":
        (folder / "cancel").touch()
    if how == "gone":
        (folder / "job.json").unlink()
    assert turns.wait(tmp_path, "mine") is None
    assert not turns.locked(tmp_path / turns.TURN)
