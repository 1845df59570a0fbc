"""Whether probabilities mean what they say: of pairs told 30 %, about 30 in 100 should be bought.

Every figure takes weights, so that pairs drawn as a sample count for all that they stand for.
Shapes: R pairs.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

LEAST = 1e-6  # a probability of 0 or 1 that proves wrong would cost infinitely much


def log_loss(truth: np.ndarray, chance: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean of -log of the probability given to what was true, in nats; over all pairs."""
    told = np.clip(chance.astype(np.float64), LEAST, 1 - LEAST)
    return float(np.average(-np.log(np.where(truth, told, 1 - told)), weights=weight))


def brier(truth: np.ndarray, chance: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean of (probability - truth) squared, over all pairs (Brier, 1950)."""
    return float(np.average((chance.astype(np.float64) - truth) ** 2, weights=weight))


def reliability(
    truth: np.ndarray, chance: np.ndarray, weight: np.ndarray | None = None, bins: int = 10
) -> pd.DataFrame:
    """One row a bin that holds pairs: ``low``, ``high``, ``told``, ``found``, ``weight``.

    Bins cut the weight of all pairs, ordered by probability, into equal parts, because natural
    prevalence puts nearly everything into the lowest of bins of equal width. Pairs of equal
    probability are never parted.

    Args:
        truth: bool [R].
        chance: probability told, [R].
        weight: how many pairs each stands for, [R]; None: one.
        bins: at most so many.
    """
    given = np.ones(len(truth)) if weight is None else weight.astype(np.float64)
    order = np.argsort(chance, kind="stable")
    told, true, mass = chance[order].astype(np.float64), truth[order], given[order]
    first = np.concatenate([[True], np.diff(told) > 0])  # of each distinct probability
    before = np.cumsum(mass) - mass
    place = np.minimum((before[first] / mass.sum() * bins + 1e-9).astype(int), bins - 1)
    bin_ = place[np.cumsum(first) - 1]
    there, starts = np.unique(bin_, return_index=True)  # in order, as the probabilities are
    weights = np.bincount(bin_, mass)[there]
    return pd.DataFrame(
        {
            "low": told[starts],
            "high": told[np.append(starts[1:], len(told)) - 1],
            "told": np.bincount(bin_, told * mass)[there] / weights,
            "found": np.bincount(bin_, true * mass)[there] / weights,
            "weight": weights,
        }
    )


def ece(table: pd.DataFrame) -> float:
    """Expected calibration error: |told - found| of each bin, averaged by the bins' weight.

    Naeini et al. (2015), over the bins of :func:`reliability`.
    """
    return float(np.average((table["told"] - table["found"]).abs(), weights=table["weight"]))


def platt(truth: np.ndarray, score: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Slope and offset with the least log-loss of sigmoid(slope * score + offset).

    Platt (1999), by Newton's method with a small penalty on the slope, so that scores that part
    the classes perfectly have a finite answer.
    """
    design = np.stack([score.astype(np.float64), np.ones(len(score))], 1)
    penalty = np.diag([1e-3, 1e-9])
    at = np.array([0.0, _logit(float(np.average(truth, weights=weight)))])
    best = _objective(design, truth, weight, at, penalty)
    for _ in range(100):
        chance = sigmoid(design @ at)
        slope = design.T @ (weight * (chance - truth)) + penalty @ at
        bend = (design * (weight * chance * (1 - chance))[:, None]).T @ design + penalty
        step = np.linalg.solve(bend, slope)
        for _ in range(40):  # a full step may overshoot where nearly everything is told apart
            value = _objective(design, truth, weight, at - step, penalty)
            if value <= best:
                break
            step /= 2
        at = at - step
        gain, best = best - value, value
        if abs(gain) < 1e-10 * max(abs(best), 1.0):
            break
    return float(at[0]), float(at[1])


def _objective(
    design: np.ndarray, truth: np.ndarray, weight: np.ndarray, at: np.ndarray, penalty: np.ndarray
) -> float:
    z = design @ at
    return float(weight @ (np.logaddexp(0, z) - truth * z) + 0.5 * at @ penalty @ at)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def _logit(share: float) -> float:
    inside = min(max(share, LEAST), 1 - LEAST)
    return float(np.log(inside / (1 - inside)))
