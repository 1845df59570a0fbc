"""Whose turn it is: trainings wait in line, and one works at a time.

Run as a program, ``python -m finrec.training.turns JOBS RUN`` waits for a job's turn in a process
that needs next to no memory, and then becomes the process that does the job. It holds a lock on
``waiting`` in the job's folder while it waits, and one on ``turn`` in the folder of all jobs until
the job has ended, however it ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from finrec.locks import locked, take

WAITING, TURN, WORKING = "waiting", "turn", "lock"
LOOK_SECONDS = 0.5


def enter(folder: Path) -> None:
    """Put a job at the end of the line; its process is started by the caller."""
    (folder / WAITING).write_text(repr(time.time()))


def line(jobs: Path) -> list[str]:
    """Names of the jobs that wait, who came first in front."""
    found = []
    for file in jobs.glob(f"*/{WAITING}"):
        if locked(file):
            try:
                found.append((float(file.read_text()), file.parent.name))
            except (OSError, ValueError):  # it has just gone, or is being written
                continue
    return [name for _, name in sorted(found)]


def wait(jobs: Path, run: str) -> int | None:
    """Wait for a job's turn.

    Returns:
        The turn's lock, an open file that is to be kept open while the job is done; None when the
        job is no longer wanted.
    """
    folder = jobs / run
    with (folder / WAITING).open("a") as own:
        while not take(own.fileno()):  # another process waits for the same job
            if not _wanted(folder):
                return None
            time.sleep(LOOK_SECONDS)
        turn = os.open(jobs / TURN, os.O_RDWR | os.O_CREAT, 0o600)
        while _wanted(folder):
            first = line(jobs)[:1] == [run]
            if first and not any(locked(f) for f in jobs.glob(f"*/{WORKING}")) and take(turn):
                return turn
            time.sleep(LOOK_SECONDS)
        os.close(turn)
        return None


def _wanted(folder: Path) -> bool:
    try:
        state = json.loads((folder / "job.json").read_text())["state"]
    except (OSError, ValueError, KeyError):
        return False
    return state == "queued" and not (folder / "cancel").exists()


def main(jobs: Path, run: str) -> None:
    """Wait, then become the process that does the job."""
    turn = wait(jobs, run)
    if turn is not None:
        os.set_inheritable(turn, True)
        os.execv(sys.executable, [sys.executable, "-m", "finrec", "work", run])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
