"""A temperature that makes the softmax over products an honest probability."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar


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
    logits = np.where(open_, scores, -np.inf).astype(np.float64)
    logits -= logits.max(1, keepdims=True)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        norm = np.log(np.exp(scaled).sum(1))
        return float((norm[rows] - scaled[rows, products]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def probabilities(scores: np.ndarray, allowed: np.ndarray, temperature: float) -> np.ndarray:
    """Chance that each allowed product is the next one acquired, float32 [B, N]; rows sum to 1."""
    logits = np.where(allowed, scores / temperature, -np.inf).astype(np.float64)
    top = logits.max(1, keepdims=True, initial=-np.inf)
    share = np.exp(logits - np.where(np.isfinite(top), top, 0))
    total = share.sum(1, keepdims=True)
    return (share / np.where(total > 0, total, 1)).astype(np.float32)
