"""Choose on validation how much the paths of other customers count beside the network."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from finrec.features import sequences
from finrec.split import Cases
from finrec.training.fused_scorer import FusedScorer

STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
SHARPNESSES = (10.0, 20.0, 50.0, 100.0, 200.0)
DECAYS = (0.6, 0.8, 0.9)
MOST_CASES = 4000  # drawn with a fixed seed; enough to tell the settings apart


@torch.inference_mode()
def choose(scorer: FusedScorer, cases: Cases, masked: bool, k: int) -> dict[str, float]:
    """Set strength, sharpness and decay of the path tower to the best NDCG@k on these cases.

    Args:
        scorer: a learned network; its tower is changed in place.
        cases: validation cases.
        masked: leave out the products of the history.
        k: list length.

    Returns:
        What was chosen, with ``ndcg``; empty when the network has no path tower.
    """
    tower = scorer.network.paths
    if tower is None:
        return {}
    rows = np.sort(np.random.default_rng(0).permutation(len(cases))[:MOST_CASES])
    grid = [(0.0, 1.0, 1.0), *itertools.product(STRENGTHS[1:], SHARPNESSES, DECAYS)]
    totals = np.zeros(len(grid))
    tower.strength.fill_(0.0)
    for start in range(0, len(rows), 256):
        part = cases.take(rows[start : start + 256])
        totals += _gains(scorer, part, masked, k, grid)
    best = int(np.argmax(totals))
    strength, sharpness, decay = grid[best]
    for name, value in (("strength", strength), ("sharpness", sharpness), ("decay", decay)):
        getattr(tower, name).fill_(value)
    return {
        "strength": strength,
        "sharpness": sharpness,
        "decay": decay,
        "ndcg": float(totals[best] / len(rows)),
        "ndcg_without": float(totals[0] / len(rows)),
    }


def copy(source: FusedScorer, target: FusedScorer) -> None:
    """Give a network the choice that was made with another of the same settings."""
    if source.network.paths is not None and target.network.paths is not None:
        for name in ("strength", "sharpness", "decay"):
            getattr(target.network.paths, name).copy_(getattr(source.network.paths, name))


def _gains(
    scorer: FusedScorer, part: Cases, masked: bool, k: int, grid: list[tuple[float, float, float]]
) -> np.ndarray:
    """Summed NDCG@k of these cases under each setting."""
    tower = scorer.network.paths
    assert tower is not None
    base = torch.from_numpy(scorer.score(part.customers))  # [C, N]
    n = base.shape[1]
    closed = torch.zeros(base.shape, dtype=torch.bool)
    if part.allowed is not None:
        closed = torch.from_numpy(~part.allowed)
    elif masked:
        closed = torch.from_numpy(part.customers.seen(n))
    base = base.masked_fill(closed, float("-inf"))
    row = torch.from_numpy(np.repeat(np.arange(len(part)), np.diff(part.offsets)))
    target = torch.from_numpy(part.relevant)
    counts = np.minimum(np.diff(part.offsets), k)
    ideal = np.concatenate([[1.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])[counts]
    share = torch.from_numpy(1 / ideal)[row]
    device = scorer.network.bias.device
    encoded = sequences.encode(part.customers, scorer.given.customers)
    batch = sequences.batch(encoded, np.arange(len(part)), scorer.length).to(device)
    walks = {}
    for decay in {d for _, _, d in grid}:
        tower.decay.fill_(decay)
        walks[decay] = tower.walks(batch.products, batch.lengths).cpu()
    out = np.zeros(len(grid))
    for i, (strength, sharpness, decay) in enumerate(grid):
        scores = base
        if strength:
            scores = base + strength * torch.log1p(sharpness * walks[decay])
        own = scores[row, target]
        rank = (scores[row] >= own[:, None]).sum(1).double()
        gain = torch.where((rank <= k) & own.isfinite(), 1 / torch.log2(1 + rank), 0.0)
        out[i] = float((gain * share).sum())
    return out
