"""The smallest set of products whose acquisition would bring another onto the list."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from finrec.explain import variants
from finrec.scorer import KINDS, Cohort
from finrec.training.fused_scorer import FusedScorer

MOST_SINGLE = 400  # products tried alone, those nearest to the wanted one
MOST_PAIRED = 24  # of these, the best are tried in pairs and threes
MOST_ADDED = 3


@dataclass(frozen=True)
class Addition:
    """What would have to be acquired for a product to come onto the list.

    Args:
        products: catalogue indices to acquire, one after another; empty when it is listed already
            or when none of those tried suffices.
        rank: place of the wanted product then, re-scored.
        rank_now: place as things are.
        verified: the re-scored rank is within k.
        smallest: every smaller set of all products was tried, so none is smaller.
        tried: variants scored.
    """

    products: tuple[int, ...]
    rank: int
    rank_now: int
    verified: bool
    smallest: bool
    tried: int


def acquired(customer: Cohort, added: list[tuple[int, ...]], length: int) -> Cohort:
    """One customer a variant: the events read, then these products acquired now."""
    many = variants.without(customer, [()] * len(added), length)
    own = int(many.offsets[1]) if len(added) else 0

    def column(values: np.ndarray, news: list[list[float]]) -> np.ndarray:
        parts = [np.append(values[:own], np.array(new, dtype=values.dtype)) for new in news]
        return np.concatenate(parts) if parts else values[:0]

    lengths = [own + len(a) for a in added]
    return replace(
        many,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        products=column(many.products, [list(a) for a in added]),
        kinds=column(many.kinds, [[KINDS.index("acquired")] * len(a) for a in added]),
        times=column(many.times, [[int(customer.asof[0])] * len(a) for a in added]),
        amounts=column(many.amounts, [[np.nan] * len(a) for a in added]),
    )


def fewest_additions(
    scorer: FusedScorer,
    customer: Cohort,
    product: int,
    allowed: np.ndarray,
    k: int,
    products: Tensor | None = None,
) -> Addition:
    """Search one product, two, three whose acquisition brings ``product`` into the top k.

    Tried alone are the ``MOST_SINGLE`` products nearest to the wanted one, by paths and by their
    vectors; together, the ``MOST_PAIRED`` of these that help most. What is acquired leaves the
    list itself where nothing is offered twice, as ``allowed`` tells of the history.

    Args:
        scorer: a trained network.
        customer: one customer.
        product: catalogue index of what is wanted.
        allowed: bool [N], what may be offered.
        k: length of the list.
        products: product vectors, where they are at hand.
    """
    table = variants.vectors(scorer) if products is None else products
    open_ = allowed.copy()
    open_[product] = True
    tried = 0

    def ranks(added: list[tuple[int, ...]]) -> np.ndarray:
        nonlocal tried
        tried += len(added)
        scored = variants.score(scorer, acquired(customer, added, scorer.length), table)
        above = (scored >= scored[:, product, None]) & open_
        for row, chosen in enumerate(added):
            above[row, list(chosen)] = False  # acquired then, so not offered
        return above.sum(1)

    now = int(ranks([()])[0])
    if now <= k:
        return Addition((), now, now, True, True, tried)
    near = _nearest(scorer, product, table, allowed)
    single = ranks([(p,) for p in near]) if near else np.zeros(0, dtype=int)
    everything = len(near) >= int(allowed.sum()) - int(allowed[product])
    if len(near) and single.min() <= k:
        best = int(np.argmin(single))
        return Addition((near[best],), int(single[best]), now, True, True, tried)
    helpful = [near[i] for i in np.argsort(single, kind="stable")[:MOST_PAIRED]]
    for size in range(2, MOST_ADDED + 1):
        sets = list(itertools.combinations(helpful[: MOST_PAIRED if size == 2 else 10], size))
        if not sets:
            break
        found = ranks(sets)
        if found.min() <= k:
            best = int(np.argmin(found))
            smallest = everything and size == 2
            return Addition(sets[best], int(found[best]), now, True, smallest, tried)
    return Addition((), now, now, False, False, tried)


def _nearest(scorer: FusedScorer, product: int, table: Tensor, allowed: np.ndarray) -> list[int]:
    """Products that may be acquired, those nearest to the wanted one by paths and vectors first."""
    close = (table @ table[product]).cpu().numpy()
    rank = np.argsort(np.argsort(-close)).astype(np.float64)
    if scorer.given.paths is not None:
        given = scorer.given.paths
        cells = slice(int(given.indptr[product]), int(given.indptr[product + 1]))
        weight = np.zeros(len(table))
        weight[given.indices[cells]] = given.values[cells]
        by_path = np.argsort(np.argsort(-weight)).astype(np.float64)
        rank = np.where(weight > 0, np.minimum(rank, by_path), rank)
    rank[~allowed] = np.inf
    rank[product] = np.inf
    order = np.argsort(rank, kind="stable")
    return [int(p) for p in order[:MOST_SINGLE] if np.isfinite(rank[p])]
