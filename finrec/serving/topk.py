"""The k best allowed products of each customer."""

from __future__ import annotations

import numpy as np


def topk(scores: np.ndarray, allowed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices int64 [B, k] and scores float32 [B, k]; -1 and -inf where fewer are allowed.

    Equal scores are ordered by catalogue index.

    Args:
        scores: float32 [B, N], finite.
        allowed: bool [B, N].
        k: at most N.

    Raises:
        ValueError: when a score is not finite or k is out of range.
    """
    if not np.isfinite(scores).all():
        raise ValueError("Scores must be finite.")
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"k must be between 1 and {scores.shape[1]}, not {k}.")
    masked = np.where(allowed, scores, -np.inf)
    index = np.sort(np.argpartition(-masked, k - 1, axis=1)[:, :k], axis=1)
    best = np.take_along_axis(masked, index, axis=1)
    index = np.take_along_axis(index, np.argsort(-best, axis=1, kind="stable"), axis=1)
    # Where a tie straddles place k, a stable sort of the whole row decides by index.
    tied = (masked >= best.min(1, keepdims=True)).sum(1) > k
    index[tied] = np.argsort(-masked[tied], axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(masked, index, axis=1).astype(np.float32)
    return np.where(np.isfinite(best), index, -1), best
