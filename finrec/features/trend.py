"""What is taken of late: counts of products by day, from training events alone.

Shares of every product within windows of time before a day, as they were known on that day: only
events of days before it count, so that nothing of the same or a later moment is ever read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finrec.scorer import SECONDS_PER_DAY, TAKEN, Cohort

# How many days back each begins and ends: all that is known, a year, a quarter, a month, each a
# little longer, so that what is told once a month has the month before within it; and the two
# months that followed this day a year ago, for what has its season.
WINDOWS = ((None, 0), (366, 0), (93, 0), (32, 0), (365, 304))
LEANS_ON = (None, 0, 1, 2, 0)  # whose shares a window with few events borrows
N_FEATURES = 2 * len(WINDOWS)  # of customers' first events, and of their later ones
MOST_CELLS = 16_000_000  # of the table of shares, 64 MB


@dataclass(frozen=True)
class Trend:
    """How often what was taken when.

    Args:
        days: since 1970-01-01, int64 [K].
        products: catalogue index, int64 [K].
        later: 0 where the customer had no events before that moment, else 1; int64 [K].
        counts: events of that day, product and kind of customer, float32 [K].
        until: day from which everything is known, the one that predictions are asked from.
    """

    days: np.ndarray
    products: np.ndarray
    later: np.ndarray
    counts: np.ndarray
    until: int


def count(histories: Cohort, until: int) -> Trend:
    """Counts of everything taken in these histories.

    Args:
        histories: of the training part, one a customer.
        until: day that predictions are asked from.
    """
    some = histories.lengths > 0
    first = np.repeat(histories.times[histories.offsets[:-1][some]], histories.lengths[some])
    taken = np.isin(histories.kinds, TAKEN)
    keys = np.stack(
        [
            histories.times // SECONDS_PER_DAY,
            histories.products,
            (histories.times > first).astype(np.int64),
        ]
    )[:, taken]
    found, counts = np.unique(keys, axis=1, return_counts=True)
    return Trend(found[0], found[1], found[2], counts.astype(np.float32), until)


def moments(trend: Trend, n_products: int) -> np.ndarray:
    """Days for which shares are kept, ascending int64 [M].

    A moment reads the last one that is not after it. Every day on which something was taken, and
    the day of predictions; of a large catalogue, days several apart, so that the table stays within
    ``MOST_CELLS``.
    """
    days = np.unique(trend.days)
    most = max(2, MOST_CELLS // (N_FEATURES * n_products))
    apart = 1
    while len(kept := np.unique(days // apart * apart)) >= most:
        apart *= 2
    return np.append(kept[kept < trend.until], trend.until).astype(np.int64)


def shares(trend: Trend, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log shares of products on every day that is kept.

    ``log(N s)`` for a share s, so that 0 is the share of a product among N equals. Where a window
    holds few events its shares lean on those of a longer one, as if it held one more event a
    product; the longest on equal shares, half an event a product.

    Args:
        trend: counts.
        known: bool [N], products with training events; others get the mean of these.

    Returns:
        Days int64 [M], and float32 [M, F, N]: for first and for later events, each window.
    """
    n = len(known)
    kept = moments(trend, n)
    out = np.empty((len(kept), 2, len(WINDOWS), n), dtype=np.float32)
    for later in (0, 1):
        mine = trend.later == later
        told = (trend.days[mine], trend.products[mine], trend.counts[mine], n)
        total = _before(kept, *told)
        found: list[np.ndarray] = []
        for (begins, ends), longer in zip(WINDOWS, LEANS_ON, strict=True):
            within = _before(kept - ends, *told) if ends else total
            if begins is not None:
                within = within - _before(kept - begins, *told)
            base = np.full_like(total, 1 / n) if longer is None else found[longer]
            borrowed = n / 2 if longer is None else n
            found.append((within + borrowed * base) / (within.sum(1, keepdims=True) + borrowed))
        out[:, later] = np.log(n * np.stack(found, 1))
    flat = out.reshape(len(kept), N_FEATURES, n)
    if known.any() and not known.all():
        flat[..., ~known] = flat[..., known].mean(-1, keepdims=True)
    return kept, flat


def _before(
    limits: np.ndarray, days: np.ndarray, products: np.ndarray, counts: np.ndarray, n: int
) -> np.ndarray:
    """Counts [M, N] of events on days before each of the ascending limits."""
    added = np.zeros((len(limits) + 1, n))
    np.add.at(added, (np.searchsorted(limits, days, side="right"), products), counts)
    return added.cumsum(0)[:-1]
