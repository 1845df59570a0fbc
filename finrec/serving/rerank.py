"""Lists that weigh more than fit: what offers bring, variety, and a showing for every product.

Two steps, both on the M best candidates of each customer only, so that 20,000 customers and 10,000
products take seconds:

1. Greedy, place by place, for all customers at once: gain less what the product has in common with
   those already listed (maximal marginal relevance, Carbonell and Goldstein, 1998), or the product
   that adds most to a determinantal point process (greedy MAP, Chen et al., 2018).
2. Products shown to fewer than ``fewest`` customers are put where that costs least: all exchanges
   of a list's last place are sorted by the expected gain they give up, and taken in that order
   until ``loss`` is used up (cost-aware greedy for a coverage constraint). Then the place before.

Shapes: B customers, M candidates, k places, N products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from finrec.topk import topk

CHUNK = 2048
M = 100
RIDGE = 0.01  # part of each product that it has in common with none, so that no determinant is 0
VarietyBy = Literal["mmr", "dpp"]


@dataclass(frozen=True)
class Weights:
    """What a list shall weigh.

    Args:
        value: 0 to 1, how much expected value counts against fit (0: fit only).
        variety: 0 to 1, how much being alike costs: with "mmr" as a part of the customer's best
            gain, with "dpp" the weight of the log-determinant against gain.
        variety_by: "mmr" looks at the listed product that is most alike, "dpp" at all of them.
        fewest: showings that each product shall have; 0: as it comes, 1: coverage, more: exposure.
        loss: most expected gain that step 2 may give up, as a part of all.
    """

    value: float = 0.0
    variety: float = 0.0
    fewest: int = 0
    loss: float = 0.0
    variety_by: VarietyBy = "mmr"


@dataclass(frozen=True)
class Candidates:
    """The products that may come onto each list.

    Args:
        index: int64 [B, M], best first, -1 where there is none.
        fit: probability of each, float32 [B, M].
        value: expected value of each, float32 [B, M].
    """

    index: np.ndarray
    fit: np.ndarray
    value: np.ndarray


def candidates(
    probability: np.ndarray, allowed: np.ndarray, value: np.ndarray | None = None, m: int = M
) -> Candidates:
    """The m most probable allowed products of each customer.

    Args:
        probability: float [B, N].
        allowed: bool [B, N].
        value: float [B, N]; None: the probability.
        m: at most N are taken.
    """
    index, fit = topk(probability, allowed, min(m, probability.shape[1]))
    none = index < 0
    worth = fit if value is None else np.take_along_axis(value, index, 1).astype(np.float32)
    return Candidates(
        index,
        np.where(none, 0, fit).astype(np.float32),
        np.where(none, 0, worth).astype(np.float32),
    )


def joined(parts: Iterable[Candidates]) -> Candidates:
    """Candidates of several batches of customers."""
    every = list(parts)
    return Candidates(
        np.concatenate([p.index for p in every]),
        np.concatenate([p.fit for p in every]),
        np.concatenate([p.value for p in every]),
    )


def alike(table: pd.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """Products as unit vectors whose product is the share of attributes they have in common.

    Args:
        table: the catalogue's.
        columns: attributes; those with more than 50 values are left out.

    Returns:
        float32 [N, A].
    """
    parts = [
        pd.get_dummies(table[c].astype("str")).to_numpy(np.float32)
        for c in columns
        if c in table and 1 < table[c].nunique() <= 50
    ]
    if not parts:
        return np.zeros((len(table), 1), np.float32)
    return np.concatenate(parts, 1) / np.float32(np.sqrt(len(parts)))


def rerank(
    given: Candidates, k: int, n: int, weights: Weights, features: np.ndarray | None = None
) -> np.ndarray:
    """Lists of k products, int64 [B, k], best first; -1 where fewer may be offered.

    Args:
        given: candidates.
        k: places.
        n: products of the catalogue.
        weights: what to weigh.
        features: unit vectors, float [N, A], for variety.
    """
    gain = _gain(given, weights)
    k = min(k, given.index.shape[1])
    step = _determinantal if weights.variety_by == "dpp" else _greedy
    chosen = np.concatenate(
        [
            step(given.index[s], gain[s], k, weights.variety, features)
            for s in (slice(i, i + CHUNK) for i in range(0, len(gain), CHUNK))
        ]
        or [np.zeros((0, k), np.int64)]
    )
    if weights.fewest > 0 and weights.loss > 0:
        chosen = _spread(given.index, gain, chosen, n, weights)
    listed = np.take_along_axis(given.index, np.maximum(chosen, 0), 1)
    return np.where(chosen < 0, -1, listed)


def _gain(given: Candidates, weights: Weights) -> np.ndarray:
    """What listing each candidate is worth, float32 [B, M]; fit and value on the same scale."""
    if weights.value <= 0:
        return given.fit
    total = float(given.value.sum())
    scale = float(given.fit.sum()) / total if total > 0 else 0.0
    mixed = (1 - weights.value) * given.fit + weights.value * scale * given.value
    return np.asarray(mixed, dtype=np.float32)


def _greedy(
    index: np.ndarray, gain: np.ndarray, k: int, variety: float, features: np.ndarray | None
) -> np.ndarray:
    """Places in the candidates of the products listed, int64 [B, k]."""
    left = np.where(index < 0, -np.inf, gain).astype(np.float64)
    if variety <= 0 or features is None:
        order = np.argsort(-left, axis=1, kind="stable")[:, :k]
        return np.where(np.isfinite(np.take_along_axis(left, order, 1)), order, -1)
    rows = np.arange(len(index))
    vectors = features[np.maximum(index, 0)]  # [B, M, A]
    cost = variety * np.where(index < 0, 0, gain).max(1, initial=0.0)[:, None]
    nearest = np.zeros(index.shape)
    out = np.full((len(index), k), -1)
    for place in range(k):
        best = (left - cost * nearest).argmax(1)
        fine = np.isfinite(left[rows, best])
        out[fine, place] = best[fine]
        left[rows, best] = -np.inf
        common = np.einsum("bma,ba->bm", vectors, vectors[rows, best])
        nearest = np.maximum(nearest, common)
    return out


def _determinantal(
    index: np.ndarray, gain: np.ndarray, k: int, variety: float, features: np.ndarray | None
) -> np.ndarray:
    """As :func:`_greedy`, by greedy MAP inference of a determinantal point process.

    Each step takes the product that raises ``(1 - v) sum(r) + v log det(S)`` of the list most: r is
    gain as a part of the customer's best, S what products have in common. The Cholesky factor grows
    by one column a step. Source: Chen, Zhang and Zhou (2018), Eq. (8) and Algorithm 1.
    """
    if variety <= 0 or features is None:
        return _greedy(index, gain, k, 0.0, None)
    rows = np.arange(len(index))
    some = index >= 0
    vectors = features[np.maximum(index, 0)].astype(np.float32)  # [B, M, A]
    best = np.where(some, gain, 0).max(1, initial=0.0)[:, None]
    fit = np.where(some, gain, 0) / np.where(best > 0, best, 1)  # [B, M]
    left = (1 - RIDGE) * (vectors**2).sum(2) + RIDGE  # squared pivots, [B, M]
    factor = np.zeros((*index.shape, k), np.float32)  # [B, M, k]
    free = some.copy()
    out = np.full((len(index), k), -1)
    for place in range(k):
        added = (1 - variety) * fit + variety * np.log(np.maximum(left, 1e-9))
        chosen = np.where(free, added, -np.inf).argmax(1)
        fine = free[rows, chosen]
        out[fine, place] = chosen[fine]
        free[rows, chosen] = False
        common = (1 - RIDGE) * np.einsum("bma,ba->bm", vectors, vectors[rows, chosen])
        known = np.einsum("bmk,bk->bm", factor, factor[rows, chosen])
        column = (common - known) / np.sqrt(np.maximum(left[rows, chosen], 1e-9))[:, None]
        factor[:, :, place] = column
        left = left - column**2
    return out


def _spread(
    index: np.ndarray, gain: np.ndarray, chosen: np.ndarray, n: int, weights: Weights
) -> np.ndarray:
    """Exchange last places for products that too few see, the cheapest exchanges first."""
    chosen = chosen.copy()
    k = chosen.shape[1]
    discount = 1 / np.log2(np.arange(2, k + 2))
    rows = np.arange(len(chosen))
    picked = np.take_along_axis(gain, np.maximum(chosen, 0), 1) * (chosen >= 0)
    left = weights.loss * float((picked * discount).sum())
    shown = np.bincount(
        np.take_along_axis(index, np.maximum(chosen, 0), 1)[chosen >= 0], minlength=n
    )
    free = np.ones(index.shape, dtype=bool)
    for place in range(k):
        has = chosen[:, place] >= 0
        free[rows[has], chosen[has, place]] = False
    for place in range(k - 1, 0, -1):  # the first place stays the best offer
        wanted = free & (index >= 0) & (shown[np.maximum(index, 0)] < weights.fewest)
        wanted &= (chosen[:, place] >= 0)[:, None]
        b, j = np.nonzero(wanted)
        if not len(b) or left <= 0:
            break
        present = np.take_along_axis(gain, np.maximum(chosen[:, [place]], 0), 1)[:, 0]
        price = (present[b] - gain[b, j]) * discount[place]
        order = np.argsort(price, kind="stable")
        exchanged = np.zeros(len(chosen), dtype=bool)
        for pair in order.tolist():
            row, candidate = int(b[pair]), int(j[pair])
            product, old = index[row, candidate], index[row, chosen[row, place]]
            if exchanged[row] or shown[product] >= weights.fewest or shown[old] <= weights.fewest:
                continue
            if price[pair] > left:
                return chosen
            left -= max(float(price[pair]), 0.0)
            shown[product] += 1
            shown[old] -= 1
            free[row, candidate] = False
            free[row, chosen[row, place]] = True
            chosen[row, place] = candidate
            exchanged[row] = True
    return chosen


def pareto(
    given: Candidates,
    k: int,
    n: int,
    weights: Iterable[Weights],
    measure: Callable[[np.ndarray], dict[str, float]],
    features: np.ndarray | None = None,
) -> pd.DataFrame:
    """What each setting gives, measured, and whether another one beats it.

    ``front`` is True where no other setting is at least as good in every measure and better in one.
    Measures are such that more is better.

    Args:
        given: candidates of validation cases.
        k: places.
        n: products of the catalogue.
        weights: settings to try.
        measure: of lists int64 [B, k].
        features: unit vectors for variety.
    """
    rows = []
    for setting in weights:
        found = measure(rerank(given, k, n, setting, features))
        rows.append({**vars(setting), **found})
    frame = pd.DataFrame(rows)
    names = [c for c in frame.columns if c not in vars(Weights())]
    points = frame[names].fillna(0).to_numpy()
    better = (points[:, None, :] >= points[None, :, :]).all(2)
    strictly = (points[:, None, :] > points[None, :, :]).any(2)
    beaten = np.asarray((better & strictly).any(0))
    return frame.assign(front=np.logical_not(beaten))


def grid(base: Weights | None = None) -> list[Weights]:
    """Settings from fit alone to much value, variety or coverage, one thing at a time."""
    start = base or Weights()
    return [
        start,
        *(replace(start, fewest=1, loss=x) for x in (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)),
        *(replace(start, fewest=5, loss=x) for x in (0.02, 0.05)),
        *(replace(start, variety=x) for x in (0.05, 0.1, 0.2, 0.4)),
        *(replace(start, variety=x, variety_by="dpp") for x in (0.02, 0.05, 0.1, 0.2)),
        *(replace(start, value=x) for x in (0.1, 0.25, 0.5, 1.0)),
    ]
