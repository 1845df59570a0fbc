"""Ranking metrics from the ranks of what was acquired; one value a case, averaged by the caller.

A rank counts from 1 among the products that could be offered. Ties are broken against us: a
product ranks behind every other product with the same score, so that a constant score earns
nothing. A product that could not be offered has rank infinity.

Shapes: C cases, N products, R relevant products of all cases, stored end to end
(``offsets[c]:offsets[c + 1]``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def ranks(
    scores: np.ndarray, allowed: np.ndarray, rows: np.ndarray, relevant: np.ndarray
) -> np.ndarray:
    """Rank of each relevant product, float64 [R]; infinite where it was not allowed.

    Args:
        scores: float [C, N].
        allowed: bool [C, N].
        rows: int64 [R], the case of each relevant product.
        relevant: int64 [R], its product.

    Raises:
        ValueError: when a score is not finite.
    """
    if not np.isfinite(scores).all():
        raise ValueError("A method gave scores that are not finite; they can't be ranked.")
    own = scores[rows, relevant]
    out = np.empty(len(rows))
    for start in range(0, len(rows), 128):  # [128, N] comparisons at a time
        part = slice(start, start + 128)
        better = scores[rows[part]] >= own[part, None]
        out[part] = (better & allowed[rows[part]]).sum(1)
    return np.where(allowed[rows, relevant], out, np.inf)


def names(ks: Sequence[int]) -> list[str]:
    """The metrics that :func:`per_case` gives for these list lengths."""
    return [str(c) for c in per_case(np.ones(1), np.array([0, 1]), ks)]


def per_case(rank: np.ndarray, offsets: np.ndarray, ks: Sequence[int]) -> pd.DataFrame:
    """Metrics of each case, one row a case.

    With n relevant products, of which h within the first k:

    - ``hr@k``: 1 if h > 0, else 0.
    - ``precision@k``: h / k. ``recall@k``: h / n. ``f1@k``: 2h / (k + n).
    - ``mrr@k``: 1 / rank of the first relevant product, 0 if that is beyond k; ``mrr``: no cut.
    - ``ndcg@k``: sum of 1 / log2(1 + rank) over relevant products within k, divided by the same
      sum for a list with min(k, n) relevant products in front.
    - ``map@k``: sum over relevant products within k of (relevant so far / rank), divided by
      min(k, n), as Kaggle defines it.

    Args:
        rank: float64 [R], from :func:`ranks`.
        offsets: int64 [C + 1].
        ks: list lengths.
    """
    cases = len(offsets) - 1
    row = np.repeat(np.arange(cases), np.diff(offsets))
    n = np.maximum(np.diff(offsets), 1)
    order = np.lexsort((rank, row))
    ordered = rank[order]
    so_far = np.arange(len(rank)) - offsets[row] + 1  # of this case, this one included
    with np.errstate(divide="ignore"):
        gain, share, reciprocal = 1 / np.log2(1 + ordered), so_far / ordered, 1 / ordered
    discounts = 1 / np.log2(np.arange(2, max(ks) + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    first = np.zeros(cases)
    np.maximum.at(first, row, reciprocal)
    columns: dict[str, np.ndarray] = {}
    for k in ks:
        inside = ordered <= k
        hits = np.bincount(row, inside, cases)
        columns[f"hr@{k}"] = (hits > 0).astype(np.float64)
        columns[f"precision@{k}"] = hits / k
        columns[f"recall@{k}"] = hits / n
        columns[f"f1@{k}"] = 2 * hits / (k + n)
        columns[f"mrr@{k}"] = np.where(hits > 0, first, 0.0)
        columns[f"ndcg@{k}"] = np.bincount(row, gain * inside, cases) / ideal[np.minimum(k, n)]
        columns[f"map@{k}"] = np.bincount(row, share * inside, cases) / np.minimum(k, n)
    columns["mrr"] = first
    return pd.DataFrame(columns)
