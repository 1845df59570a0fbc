"""A temperature that makes the softmax over products an honest probability."""

from __future__ import annotations

import numpy as np
import torch
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
    out = np.empty(scores.shape, dtype=np.float32)
    none = torch.tensor(-torch.inf)
    for start in range(0, len(scores), ROWS):
        some = slice(start, start + ROWS)
        open_ = torch.from_numpy(np.ascontiguousarray(allowed[some]))
        given = torch.from_numpy(np.ascontiguousarray(scores[some], dtype=np.float32))
        share = torch.where(open_, given.div(temperature), none).softmax(1)
        # The softmax of a row without an allowed product is not a number.
        torch.from_numpy(out)[some] = share.nan_to_num_(0)
    return out
