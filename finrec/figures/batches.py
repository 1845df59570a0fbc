"""Scoring everybody, in words: how far it is and how long it will take."""

from __future__ import annotations

from finrec.figures import formats

FILES = {
    ".parquet": "Parquet, for programs",
    ".csv": "CSV, safe to open in a spreadsheet",
}
STATES = {
    "waiting": "waiting to start",
    "running": "running",
    "done": "done",
    "cancelled": "cancelled",
    "failed": "failed",
    "stopped": "interrupted",
}


def left(done: int, total: int, seen: tuple[int, float]) -> float | None:
    """Seconds that are left at the speed seen so far; None while nothing is known of it.

    Args:
        done: customers done.
        total: customers in all.
        seen: customers done when watching began, and the seconds since.
    """
    before, seconds = seen
    if done <= before or seconds <= 0:
        return None
    return (total - done) * seconds / (done - before)


def progress(done: int, total: int, seconds: float | None) -> str:
    """``2,048 of 10,000 customers, about 40 s left``."""
    words = f"{formats.number(done)} of {formats.counted(total, 'customer')}"
    return words if seconds is None else f"{words}, about {formats.duration(seconds)} left"
