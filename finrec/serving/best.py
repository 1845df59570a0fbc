"""The best products of many customers by a trained network, without a matrix of all scores."""

from __future__ import annotations

import numpy as np
import torch

from finrec.scorer import Cohort, events_of
from finrec.topk import largest
from finrec.training.fused_scorer import FusedScorer


@torch.no_grad()
def best(
    scorer: FusedScorer, customers: Cohort, repeatable: bool, k: int, temperature: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Products int64 [B, k], scores and probabilities float32 [B, k] of the best of each customer.

    As :func:`finrec.topk.topk`, but scores are looked at while they lie in the cache. The
    probability is 0 where fewer are allowed.

    Args:
        scorer: a trained network.
        customers: B customers.
        repeatable: what is not held may be offered; False: what was never taken.
        k: 1 to N.
        temperature: of :func:`finrec.training.calibrate.probabilities`.
    """
    index = np.empty((len(customers), k), dtype=np.int64)
    top, chance = np.empty((2, len(customers), k), dtype=np.float32)
    owner, taken = customers.taken(repeatable)
    first = np.searchsorted(owner, np.arange(len(customers) + 1))
    for rows, scores in scorer.some(customers):
        ends, pairs = events_of(first, rows)
        place = np.repeat(np.arange(len(rows)), np.diff(ends))
        cell = torch.from_numpy(place * scores.shape[1] + taken[pairs])
        scores.view(-1)[cell.to(scores.device)] = -torch.inf
        found, high = largest(scores, k)
        shares = scores.div_(temperature).softmax(1)
        share = shares.gather(1, found.clamp(min=0)).where(found >= 0, 0)
        index[rows], top[rows] = found.cpu().numpy(), high.cpu().numpy()
        chance[rows] = share.cpu().numpy()
    return index, top, chance
