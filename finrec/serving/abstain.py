"""No offer today: when the best offer is not good enough, and how good "enough" was measured.

The threshold is set on validation cases alone, scored by a network that has not learned from them.
A run that learns from its validation part before the test keeps what it measured before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta

REASONS = ("", "nothing may be offered", "nothing is likely enough", "no measure")
MOST_TESTED = 50  # thresholds
FEWEST = 30  # validation cases above a threshold that say anything about it


@dataclass(frozen=True)
class Abstention:
    """A threshold on the best offer's probability.

    Args:
        threshold: below it nothing is offered; None: no threshold met the target.
        target: share of best offers that shall be right.
        precision: share that was, on validation cases above the threshold.
        low: its lower confidence bound.
        coverage: share of validation cases above the threshold.
        cases: how many there were in all.
    """

    threshold: float | None
    target: float
    precision: float
    low: float
    coverage: float
    cases: int

    def decide(self, probability: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """Index into REASONS for each customer, int8 [B]; 0: offer.

        Args:
            probability: float [B, N].
            allowed: bool [B, N].
        """
        best = np.where(allowed, probability, -1.0).max(1)
        if self.threshold is None:
            return np.where(allowed.any(1), 3, 1).astype(np.int8)
        return np.where(~allowed.any(1), 1, np.where(best < self.threshold, 2, 0)).astype(np.int8)

    def sentence(self, reason: int, best: float) -> str:
        """Why there is no offer today; empty where there is one."""
        if reason == 1:
            return "No offer today: nothing may be offered to this customer under the policy."
        if reason == 2:
            assert self.threshold is not None
            return (
                f"No offer today: the best offer's probability is {best:.1%}, and below "
                f"{self.threshold:.1%} fewer than {self.target:.0%} of best offers were right."
            )
        if reason == 3 and not self.cases:
            return (
                "No offer today: this model kept no measure of its validation cases to set the "
                "threshold by; train it again, or set right = 0 under [value] in the policy."
            )
        if reason == 3:
            return (
                f"No offer today: on validation cases no probability was high enough for "
                f"{self.target:.0%} of best offers to be right."
            )
        return ""


def curve(confidence: np.ndarray, right: np.ndarray, delta: float = 0.1) -> pd.DataFrame:
    """For each threshold: coverage, precision and its one-sided lower bound (Clopper-Pearson).

    Args:
        confidence: the best offer's probability of each case, float [C].
        right: whether it was acquired, bool [C].
        delta: chance that the truth lies below the bound.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, hits = confidence[order], np.cumsum(right[order])
    number = np.arange(1, len(ordered) + 1)
    last = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, bool)
    hits, number, threshold = hits[last], number[last], ordered[last]
    low = np.where(hits > 0, beta.ppf(delta, np.maximum(hits, 1), number - hits + 1), 0.0)
    return pd.DataFrame(
        {
            "threshold": threshold,
            "cases": number,
            "coverage": number / max(len(confidence), 1),
            "precision": hits / number,
            "low": low,
        }
    )


@dataclass(frozen=True)
class Measured:
    """What is known of best offers on validation cases: all that a threshold is chosen from.

    Args:
        threshold: at most ``MOST_TESTED`` thresholds, the strictest first.
        above: cases at or above each.
        right: of them, those whose best offer was right.
        cases: in all.
    """

    threshold: tuple[float, ...]
    above: tuple[int, ...]
    right: tuple[int, ...]
    cases: int

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Measured:
        """From what a run keeps, see ``vars``."""
        threshold, above, right = (tuple(kept[n]) for n in ("threshold", "above", "right"))
        return cls(threshold, above, right, int(kept["cases"]))


def points(confidence: np.ndarray, right: np.ndarray) -> Measured:
    """At most fifty thresholds, the first one letting ``FEWEST`` cases through.

    Args:
        confidence: the best offer's probability of each case, float [C].
        right: whether it was acquired, bool [C].
    """
    every = curve(confidence, right)
    every = every[every["cases"] >= FEWEST]
    at = np.unique(np.linspace(0, max(len(every) - 1, 0), MOST_TESTED).astype(int))
    some = every.iloc[at] if len(every) else every
    hits = (some["precision"] * some["cases"]).round().astype(int)
    return Measured(
        tuple(map(float, some["threshold"])), tuple(map(int, some["cases"])),
        tuple(map(int, hits)), len(confidence),
    )  # fmt: skip


def fit(confidence: np.ndarray, right: np.ndarray, target: float, delta: float = 0.1) -> Abstention:
    """The threshold of :func:`choose`, from the cases themselves."""
    return choose(points(confidence, right), target, delta)


def choose(found: Measured, target: float, delta: float = 0.1) -> Abstention:
    """The lowest threshold at which the target is met with confidence 1 - delta.

    Thresholds are tested from the strictest down and testing stops at the first failure, so that
    the chance of a threshold that misses the target is at most delta (fixed sequence testing,
    Angelopoulos et al., Learn then Test, 2021).
    """
    chosen = None
    for threshold, above, right in zip(found.threshold, found.above, found.right, strict=True):
        low = float(beta.ppf(delta, right, above - right + 1)) if right else 0.0
        if low < target:
            break
        chosen = Abstention(threshold, target, right / above, low, above / found.cases, found.cases)
    if chosen is None:
        return Abstention(None, target, float("nan"), float("nan"), 0.0, found.cases)
    return chosen


def unmeasured(target: float) -> Abstention:
    """Of a run that kept no measure: nothing is offered, and the sentence says why."""
    return Abstention(None, target, float("nan"), float("nan"), 0.0, 0)
