"""Locks on files: held by one process, and free again however that process ends."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 2.0  # seconds; one that only looks holds a lock for an instant


@contextmanager
def held(file: Path, patience: float = 0.0) -> Iterator[bool]:
    """Whether this process holds the lock while the body runs, or another one has it.

    Args:
        file: made when missing.
        patience: seconds to try for.
    """
    with file.open("a") as lock:
        until = time.monotonic() + patience
        while not (own := take(lock.fileno())) and time.monotonic() < until:
            time.sleep(0.05)
        yield own


@contextmanager
def alone(file: Path, otherwise: Exception) -> Iterator[None]:
    """Hold the lock while the body runs.

    Raises:
        Exception: ``otherwise``, when another process has it.
    """
    with held(file, PATIENCE) as own:
        if not own:
            raise otherwise
        yield


def take(handle: int) -> bool:
    """Lock an open file until it is closed; False when another process has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def locked(file: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        with file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True
