"""Scoring everybody, in words."""

from __future__ import annotations

from finrec.figures import batches


def test_time_left_is_at_the_speed_seen() -> None:
    assert batches.left(3000, 10_000, (1000, 20.0)) == 70.0
    assert batches.left(1000, 10_000, (1000, 20.0)) is None
    assert batches.left(10_000, 10_000, (0, 20.0)) == 0.0


def test_progress_in_words() -> None:
    assert batches.progress(2048, 10_000, None) == "2,048 of 10,000 customers"
    assert batches.progress(2048, 10_000, 70.0) == (
        "2,048 of 10,000 customers, about 1 min 10 s left"
    )
