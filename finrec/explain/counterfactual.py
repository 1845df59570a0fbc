"""The smallest set of events without which a product would not have been offered."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finrec.explain import variants
from finrec.scorer import Cohort
from finrec.training.assemble import FusedScorer

MOST_TRIED = 600  # sets of one size tried exhaustively; beyond, a greedy search


@dataclass(frozen=True)
class Counterfactual:
    """What would have to be different for the product to leave the list.

    Args:
        places: events to leave out, counted from 0 within those read; empty when none suffices.
        rank: place of the product among what may be offered without them, re-scored.
        verified: the re-scored rank is beyond k.
        minimal: no smaller set suffices (every smaller one was tried).
        tried: variants scored.
    """

    places: tuple[int, ...]
    rank: int
    verified: bool
    minimal: bool
    tried: int


@torch.inference_mode()
def fewest_removals(
    scorer: FusedScorer,
    customer: Cohort,
    product: int,
    allowed: np.ndarray,
    k: int,
    products: Tensor | None = None,
) -> Counterfactual:
    """Search sets of one event, of two, ... until one drops the product out of the top k.

    A size is searched exhaustively while it has at most ``MOST_TRIED`` sets; after that events
    are left out greedily, each time the one that costs the product the most places, and the set
    found is thinned. What may be offered stays as it is: a product left out of the history does
    not come onto the list itself.

    Source: counterfactual explanations, Wachter et al. (2017), over real events only.

    Args:
        scorer: a trained network.
        customer: one customer.
        product: catalogue index of the offer.
        allowed: bool [N], what may be offered.
        k: length of the list.
        products: product vectors, where they are at hand.
    """
    table = scorer.network.eval().products() if products is None else products
    count = min(len(customer.products), scorer.length)
    open_ = allowed.copy()
    open_[product] = True
    tried = 0

    def ranks(removed: list[tuple[int, ...]]) -> np.ndarray:
        nonlocal tried
        tried += len(removed)
        scores = np.where(open_, variants.scores(scorer, customer, removed, table), -np.inf)
        return (scores >= scores[:, product, None]).sum(1)

    exhausted = 0
    for size in range(1, count + 1):
        if math.comb(count, size) > MOST_TRIED:
            break
        sets = list(itertools.combinations(range(count), size))
        found = ranks(sets)
        exhausted = size
        if (found > k).any():
            best = int(np.argmax(found))
            return Counterfactual(sets[best], int(found[best]), True, True, tried)
    if exhausted == count:
        return Counterfactual((), int(ranks([()])[0]), False, True, tried)
    chosen: tuple[int, ...] = ()
    rank = 0
    while rank <= k and len(chosen) < count:
        options = [(*chosen, place) for place in range(count) if place not in chosen]
        found = ranks(options)
        best = int(np.argmax(found))
        chosen, rank = options[best], int(found[best])
    if rank <= k:
        return Counterfactual((), int(ranks([()])[0]), False, False, tried)
    for place in sorted(chosen):  # thin: keep only what is needed
        fewer = tuple(p for p in chosen if p != place)
        if fewer and (without := int(ranks([fewer])[0])) > k:
            chosen, rank = fewer, without
    minimal = len(chosen) == exhausted + 1
    return Counterfactual(tuple(sorted(chosen)), rank, True, minimal, tried)
