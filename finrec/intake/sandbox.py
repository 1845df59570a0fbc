"""Run the worker in a process of its own, watch it, and end it when it runs away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finrec.intake.limits import Limits
from finrec.schema import DataError

ANSWER, PROGRESS = "answer.json", "progress.json"  # the worker's files
POLL = 0.05  # seconds
Progress = Callable[[dict[str, Any]], None]


def run(
    request: dict[str, Any], folder: Path, limits: Limits, progress: Progress = lambda told: None
) -> dict[str, Any]:
    """The worker's answer.

    Args:
        request: task, files and what else the worker needs.
        folder: empty; the worker writes there and nowhere else.
        limits: of the work.
        progress: told the latest of file, stage, done, of.

    Raises:
        DataError: the worker's own sentence, or that it took too much memory or time.
    """
    file = folder / "request.json"
    file.write_text(json.dumps({**request, "folder": str(folder), "limits": limits.to_json()}))
    environment = {
        **os.environ,
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "TMPDIR": str(folder),
    }
    with (folder / "stderr.txt").open("wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "finrec.intake.worker", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
            cwd=folder,
        )
        try:
            _watch(child, folder, limits, progress)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    try:
        answer: dict[str, Any] = json.loads((folder / ANSWER).read_text())
    except (OSError, ValueError) as error:
        if child.returncode == -signal.SIGXCPU:  # its own bound came before the watch's
            raise _too_slow(limits) from error
        last = (folder / "stderr.txt").read_bytes()[-2000:].decode("utf-8", "replace").split("\n")
        reason = next((line for line in reversed(last) if line.strip()), f"code {child.returncode}")
        raise DataError(
            f"The files could not be read: the process that parses them ended early ({reason}). "
            "Split them or export them again."
        ) from error
    if "error" in answer:
        raise DataError(answer["error"])
    return dict(answer["ok"])


def _watch(
    child: subprocess.Popen[bytes], folder: Path, limits: Limits, progress: Progress
) -> None:
    began, told = time.monotonic(), ""
    while child.poll() is None:
        time.sleep(POLL)
        if time.monotonic() - began > limits.seconds:
            raise _too_slow(limits)
        if resident_mib(child.pid) > limits.memory_mib:
            raise DataError(
                f"The files need more than {limits.memory_mib} MiB of memory to be read; split "
                "them."
            )
        try:
            latest = (folder / PROGRESS).read_text()
        except OSError:
            continue
        if latest != told:
            told = latest
            progress(json.loads(latest))


def _too_slow(limits: Limits) -> DataError:
    return DataError(f"The files took more than {limits.seconds} seconds to read; split them.")


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB; 0 where the system doesn't say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
