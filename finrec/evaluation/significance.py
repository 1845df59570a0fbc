"""How sure a figure is, and whether two methods differ: resampling of customers.

A customer may have several cases (one a basket), which are not independent; therefore customers
are resampled, never cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

CHUNK = 200  # resamples in memory at once, at most
CELLS = 8_000_000  # customers drawn in memory at once


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval."""

    mean: float
    low: float
    high: float


def bootstrap(
    values: np.ndarray,
    customers: np.ndarray,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a mean over cases, customers resampled with replacement.

    Source: Efron and Tibshirani (1993), chapter 13; clusters as in Field and Welsh (2007).

    Args:
        values: of each case, float [C].
        customers: code of each case's customer, int64 [C].
        level: of confidence.
        resamples: number of resamples.
        seed: of the resampling.
    """
    sums, counts = resampled(np.stack(_by_customer(values, customers), 1), resamples, seed).T
    return Interval(float(values.mean()), *bounds(sums / counts, level))


def resampled(totals: np.ndarray, resamples: int = 2000, seed: int = 0) -> np.ndarray:
    """Sums over customers drawn with replacement, float64 [resamples, F].

    Args:
        totals: of each customer, float [customers, F].
        resamples: number of resamples.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    size = len(totals)
    out = np.empty((resamples, totals.shape[1]))
    step = max(1, min(CHUNK, CELLS // size))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        drawn = rng.integers(0, size, (stop - start, size))
        for column, total in enumerate(totals.T):
            out[start:stop, column] = total[drawn].sum(1)
    return out


def bounds(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of resampled values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired(
    first: np.ndarray,
    second: np.ndarray,
    customers: np.ndarray,
    resamples: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p of a paired permutation test that both methods do equally well.

    The sign of each customer's difference is flipped at random; p is the share of flips, the
    observed one included, whose mean difference is at least as large (Fisher, 1935; Smucker et
    al., 2007, for retrieval).

    Args:
        first: a metric of each case under one method, float [C].
        second: the same cases under the other, float [C].
        customers: code of each case's customer, int64 [C].
        resamples: number of random flips.
        seed: of the flips.
    """
    if first.shape != second.shape:
        raise ValueError("Both methods must be measured on the same cases.")
    difference, _ = _by_customer(first - second, customers)
    difference = difference[difference != 0]
    if not len(difference):
        return 1.0
    observed = abs(difference.sum()) - 1e-12
    rng = np.random.default_rng(seed)
    beyond = 1
    for start in range(0, resamples, CHUNK):
        count = min(CHUNK, resamples - start)
        signs = rng.integers(0, 2, (count, len(difference)), dtype=np.int8) * 2 - 1
        beyond += int((np.abs(signs @ difference) >= observed).sum())
    return beyond / (resamples + 1)


def anew(
    first: Sequence[float],
    second: Sequence[float],
    difference: np.ndarray,
    customers: np.ndarray,
) -> float:
    """Two-sided p that both methods do equally well when trained anew and on other customers.

    :func:`paired` takes the trained models as given; here their spread over seeds counts, too.
    The mean difference is divided by the root of the sum of three variances of means: of the
    customers' differences, and of each method's seeds; Student's t with Satterthwaite's degrees of
    freedom (Welch, 1947). What seeds and customers do together counts in both, so that p is rather
    too large than too small.

    Args:
        first: the metric's mean over all cases under each seed of one method.
        second: the same of the other; one value of a method without chance.
        difference: of each case, mean over seeds of one less that of the other, float [C].
        customers: code of each case's customer, int64 [C].

    Returns:
        NaN where fewer than two customers were measured.
    """
    sums, counts = _by_customer(difference, customers)
    size = len(sums)
    if size < 2:
        return float("nan")
    middle = sums.sum() / counts.sum()
    residuals = sums - middle * counts  # a ratio's variance, linearised
    terms = [(size / (size - 1) * float((residuals**2).sum()) / float(counts.sum()) ** 2, size - 1)]
    terms += [
        (float(np.var(means, ddof=1)) / len(means), len(means) - 1)
        for means in (first, second)
        if len(means) > 1
    ]
    variance = sum(v for v, _ in terms)
    if not variance:
        return 1.0 if not middle else 0.0
    freedom = variance**2 / sum(v**2 / n for v, n in terms)
    return float(2 * student.sf(abs(middle) / np.sqrt(variance), freedom))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """P values adjusted for their number, by name. Source: Holm (1979)."""
    order = sorted(p, key=lambda name: p[name])
    adjusted: dict[str, float] = {}
    highest = 0.0
    for place, name in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - place) * p[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p}


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation over seeds; NaN deviation for a single seed."""
    found = np.asarray(values, dtype=float)
    return float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else float("nan")


def _by_customer(values: np.ndarray, customers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of cases of each customer, float [customers]."""
    _, code = np.unique(customers, return_inverse=True)
    return np.bincount(code, values), np.bincount(code).astype(float)
