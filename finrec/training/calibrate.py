"""A temperature that makes the softmax over products an honest probability."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

ROWS = 256  # worked out at once


def temperature(
    scores: np.ndarray, allowed: np.ndarray, rows: np.ndarray, products: np.ndarray
) -> float:
    """Temperature with the least log-loss of the products acquired, on validation cases.

    Source: temperature scaling, Guo et al. (2017).

    Args:
        scores: float [C, N].
        allowed: bool [C, N], what could be offered; a product acquired counts as allowed.
        rows: int64 [R], the case of each acquisition.
        products: int64 [R], its product.
    """
    open_ = allowed.copy()
    open_[rows, products] = True
    logits = scores.astype(np.float64)
    logits[~open_] = -np.inf
    logits -= logits.max(1, keepdims=True)
    taken = logits[rows, products]

    def loss(log_temperature: float) -> float:
        scale = np.exp(log_temperature)
        sums = [
            np.exp(logits[start : start + ROWS] / scale).sum(1)
            for start in range(0, len(logits), ROWS)
        ]
        return float((np.log(np.concatenate(sums))[rows] - taken / scale).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def probabilities(scores: np.ndarray, allowed: np.ndarray, temperature: float) -> np.ndarray:
    """Chance that each allowed product is the next one acquired, float32 [B, N]; rows sum to 1."""
    logits = np.where(allowed, scores / temperature, -np.inf).astype(np.float64)
    top = logits.max(1, keepdims=True, initial=-np.inf)
    share = np.exp(logits - np.where(np.isfinite(top), top, 0))
    total = share.sum(1, keepdims=True)
    return (share / np.where(total > 0, total, 1)).astype(np.float32)
