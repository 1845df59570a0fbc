"""How long a training will take, told before it starts.

The speed is that of the most similar earlier run on this machine, else one measured on two cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finrec.config import PARTS, RunSettings
from finrec.training.runs import Run

# Of one pass of the standard preset on two server cores; smaller shapes take proportionally less.
SECONDS_PER_EVENT = 2.5e-4
TEXT_SECONDS_PER_PRODUCT = 5e-3  # each text is encoded once and then cached
START_SECONDS = 8.0
LEAST_SHARE = 0.4  # a training that stops early seldom does so before this share of its passes
MARGIN = 1.4


@dataclass(frozen=True)
class Estimate:
    """Seconds from start to a tested model.

    Args:
        low: if validation stops it early.
        high: if it uses all its passes or all its minutes.
        basis: what the speed is taken from, a sentence.
    """

    low: float
    high: float
    basis: str


def estimate(settings: RunSettings, events: int, products: int, runs: Sequence[Run]) -> Estimate:
    """How long a training takes.

    Args:
        settings: of the training to come.
        events: of its snapshot, as often as an epoch goes over them.
        products: of its snapshot.
        runs: earlier runs on this machine, newest first.
    """
    speed, basis = _seconds_per_event(settings, runs)
    course = settings.train
    one_pass = events * speed
    learning = [course.epochs * LEAST_SHARE * one_pass, course.epochs * one_pass]
    limited = [min(seconds, 60 * course.minutes + one_pass) for seconds in learning]
    twice = 2 if settings.protocol == "R2" else 1  # chosen on validation, then fitted again
    text = products * TEXT_SECONDS_PER_PRODUCT if PARTS[settings.parts][0] else 0.0
    low, high = limited
    return Estimate(
        START_SECONDS + low * twice, START_SECONDS + text + high * twice * MARGIN, basis
    )


def _seconds_per_event(settings: RunSettings, runs: Sequence[Run]) -> tuple[float, str]:
    for same_parts in (True, False):
        for run in runs:
            told, shape = run.provenance, run.settings.model
            learned = told.get("targets", 0) * told.get("epochs", 0)
            if (
                shape == settings.model
                and learned
                and run.settings.device == settings.device
                and (run.settings.parts == settings.parts or not same_parts)
            ):
                return told["seconds_train"] / learned, f"Judged by how fast {run.id} learned."
    scale = (settings.model.width / 128) * (settings.model.layers / 2)
    return (
        SECONDS_PER_EVENT * scale,
        "No similar model was trained here before, so this is a rough guess.",
    )
