"""Training in a process of its own, which outlives the page or shell that started it.

A job is the folder ``models/jobs/<run>/``: ``job.json`` (settings, state), ``log.jsonl`` (what
happened, line by line), ``checkpoint/``. The working process holds a lock on ``lock``; whether it
lives is read off that lock, so a killed process is never mistaken for a running one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch

from finrec import config, locks
from finrec.config import RunSettings
from finrec.schema import CheckpointError
from finrec.snapshots import discard, sweep
from finrec.training import checkpoint, turns

SECONDS_TO_START = 120  # a queued job without a working process after this has died

State = Literal["queued", "running", "paused", "cancelled", "failed", "stopped", "done"]


@dataclass(frozen=True)
class Job:
    """A training that was asked for and is not yet a run.

    Args:
        run: name of the run it will become.
        settings: what it was told.
        state: ``stopped`` means that its process died; it can be resumed.
        created: ISO time (UTC).
        pid: of the working process; 0 when none works.
        message: last sentence for people.
        threads: of torch when the job was created; kept so that a resumed job rounds alike.
        code: hash of the code by which it was begun; empty where it was not told.
        reader: hash of the text encoder with which it was begun; empty likewise.
    """

    run: str
    settings: RunSettings
    state: State
    created: str
    pid: int
    message: str
    threads: int
    code: str = ""
    reader: str = ""


def folder(run: str) -> Path:
    """Folder of a job."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", run):
        raise CheckpointError(f"{run!r} is not the name of a run.")
    return config.models_dir() / "jobs" / run


def create(settings: RunSettings, code: str = "", reader: str = "") -> str:
    """A new job, not yet started; its run's name tells data set, parts, seed and time.

    Args:
        settings: what it is told.
        code: hash of the code that begins it, so that no other one goes on unnoticed.
        reader: hash of the text encoder, likewise.
    """
    data = settings.snapshot.partition("@")[0]
    parts = settings.parts.strip("+").replace("+", "-")
    stamp = datetime.now(UTC).strftime("%y%m%d-%H%M%S")
    base = f"{data}-{parts}-{settings.preset}-s{settings.train.seed}-{stamp}"
    run, number = base, 1
    while (config.models_dir() / run).exists() or folder(run).exists():
        number += 1
        run = f"{base}-{number}"
    folder(run).mkdir(parents=True)
    sweep(folder(run).parent)
    threads = torch.get_num_threads()
    job = Job(run, settings, "queued", _now(), 0, "Waiting to start.", threads, code, reader)
    _write(job)
    return run


def start(settings: RunSettings, code: str = "", reader: str = "") -> str:
    """Create a job and put it in line; it works in a process of its own when its turn comes.

    Returns:
        The run's name.
    """
    run = create(settings, code, reader)
    resume(run)
    return run


def resume(run: str) -> None:
    """Put a job in line; at its turn it goes on from its latest checkpoint.

    Raises:
        CheckpointError: when there is no such job, or it is running or waiting.
    """
    if became(run):
        clear(run)
        raise CheckpointError(f"{run} is done: it is among the runs.")
    job = read(run)
    if job.state == "running":
        raise CheckpointError(f"{run} is running already.")
    if job.state == "queued" and run in line():
        raise CheckpointError(f"{run} is waiting for its turn already.")
    (folder(run) / "cancel").unlink(missing_ok=True)
    _update(job, "queued", "Waiting to start.")
    turns.enter(folder(run))
    root = Path(__file__).parent.parent.parent
    environment = {**os.environ, "FINREC_HOME": str(config.home().resolve())}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(root), os.environ.get("PYTHONPATH", "")])
    )
    with (folder(run) / "output.txt").open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "finrec.training.turns", str(folder(run).parent.resolve()), run],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )


def line() -> list[str]:
    """Names of the jobs that wait for their turn, who is next in front."""
    return turns.line(config.models_dir() / "jobs")


def cancel(run: str) -> None:
    """Ask a job to stop at its next step; its checkpoint stays, so it can be resumed."""
    _stop(run, "cancelled", "Cancelled.")


def pause(run: str) -> None:
    """Ask a job to stop at its next step and let the next one work; it is meant to be resumed."""
    _stop(run, "paused", "Paused; resume to go on from the latest checkpoint.")


def _stop(run: str, state: State, message: str) -> None:
    job = read(run)
    (folder(run) / "cancel").write_text(state)
    if job.state in ("queued", "stopped", "paused"):
        _update(job, state, message)


def cancelled(run: str) -> bool:
    """Whether a stop was asked for."""
    return (folder(run) / "cancel").exists()


def stopped(run: str) -> None:
    """Write that a job has stopped because it was asked to: paused or cancelled."""
    file = folder(run) / "cancel"
    paused = file.exists() and file.read_text() == "paused"
    words = "Paused" if paused else "Cancelled"
    log(run, {"event": words.lower(), "message": f"{words}."})  # who sees the state finds this
    finish(run, "paused" if paused else "cancelled",
           f"{words}; resume to go on from the latest checkpoint.")  # fmt: skip


def forget(run: str) -> None:
    """Delete a job that is not running, checkpoint included; it is gone for every reader at once.

    Raises:
        CheckpointError: when there is no such job, or it is running.
    """
    if read(run).state == "running":
        raise CheckpointError(f"{run} is running; cancel it first.")
    discard(folder(run))


def became(run: str) -> bool:
    """Whether the run is there, whole; what may be left of its job is of no use."""
    return (config.models_dir() / run / "config.json").is_file()


def clear(run: str) -> None:
    """Delete what is left of the job of a run that is there."""
    if folder(run).is_dir():
        discard(folder(run))


def kill(run: str) -> None:
    """End a job's process at once, for one that does not answer to :func:`cancel`."""
    job = read(run)
    if job.pid and job.state == "running":
        os.kill(job.pid, signal.SIGKILL)


@contextmanager
def working(run: str) -> Iterator[None]:
    """Hold a job's lock and keep its state true while the body runs.

    Raises:
        CheckpointError: when another process works on it.
    """
    job = read(run)
    taken = CheckpointError(f"Another process works on {run}.")
    with locks.alone(folder(run) / turns.WORKING, taken):
        _update(job, "running", "Preparing.", os.getpid())
        yield


def finish(run: str, state: State, message: str) -> None:
    """Write how a job ended."""
    _update(read(run), state, message)


def log(run: str, event: dict[str, Any]) -> None:
    """Append a line to a job's log."""
    with (folder(run) / "log.jsonl").open("a") as stream:
        stream.write(json.dumps({"time": _now(), **event}, default=str) + "\n")


def read_log(run: str) -> pd.DataFrame:
    """Log of a job or of a finished run, one row a line; a line cut by a crash is left out."""
    at_work = folder(run) / "log.jsonl"
    file = at_work if at_work.exists() else config.models_dir() / run / "log.jsonl"
    lines = []
    if file.exists():
        for line in file.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
    return pd.DataFrame(lines)


def jobs() -> list[Job]:
    """All jobs, newest first; one that becomes a run while we look is no longer among them."""
    found = []
    for file in config.models_dir().glob("jobs/*/job.json"):
        run = file.parent.name
        if run.startswith(".") or became(run):  # being deleted, or killed before it could be
            continue
        try:
            found.append(read(run))
        except CheckpointError:
            if file.exists():
                raise
    return sorted(found, key=lambda j: (j.created, j.run), reverse=True)


def read(run: str) -> Job:
    """One job, with its state as it is now.

    Raises:
        CheckpointError: when there is no such job.
    """
    file = folder(run) / "job.json"
    if not file.exists():
        raise CheckpointError(f"There is no job {run!r}; it may have finished, see the runs.")
    stored = checkpoint.read_json(file)
    state: State = stored["state"]
    waited = time.time() - file.stat().st_mtime
    dead = state == "running" or (state == "queued" and waited > SECONDS_TO_START)
    alive = [turns.WORKING] if state == "running" else [turns.WORKING, turns.WAITING]
    if dead and not any(locks.locked(folder(run) / name) for name in alive):
        state = "stopped"
    died = "The process ended unexpectedly; resume to go on."
    return Job(
        run,
        RunSettings(**stored["settings"]),
        state,
        stored["created"],
        stored["pid"],
        died if state == "stopped" else stored["message"],
        stored["threads"],
        stored.get("code", ""),
        stored.get("reader", ""),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _update(job: Job, state: State, message: str, pid: int = 0) -> None:
    _write(replace(job, state=state, message=message, pid=pid))


def _write(job: Job) -> None:
    told = {f.name: getattr(job, f.name) for f in fields(job) if f.name != "run"}
    told["settings"] = job.settings.model_dump()
    checkpoint.write_json(folder(job.run) / "job.json", told)
