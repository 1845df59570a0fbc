"""The smallest set of events, attributes or paths without which a product would not be offered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from finrec.explain import variants
from finrec.explain.variants import Change
from finrec.scorer import Cohort
from finrec.training.assemble import FusedScorer

Over = Literal["events", "attributes", "paths"]
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
        attributes: columns of the profile that would have to be unknown.
        paths: products whose paths to the offer would have to be missing.
    """

    places: tuple[int, ...]
    rank: int
    verified: bool
    minimal: bool
    tried: int
    attributes: tuple[str, ...] = ()
    paths: tuple[int, ...] = ()


def parts(
    scorer: FusedScorer, customer: Cohort, product: int, over: Sequence[Over] = ("events",)
) -> list[Change]:
    """The single things that can be left out: events read, known attributes, paths that count."""
    total = len(customer.products)
    count = min(total, scorer.length)
    found = [Change(events=(place,)) for place in range(count)] if "events" in over else []
    if "attributes" in over:
        profile = scorer.given.customers
        named = [c.name for c in profile.numbers] + [c.name for c in profile.categories]
        known = customer.profile.notna().iloc[0]
        found += [Change(attributes=(n,)) for n in named if n in known.index and known[n]]
    if "paths" in over and scorer.network.paths is not None and scorer.network.paths.strength > 0:
        own = customer.products[total - count :]
        reach = variants.path_weights(scorer, own, product) > 0
        found += [Change(paths=(int(p),)) for p in np.unique(own[reach])]
    return found


def fewest_removals(
    scorer: FusedScorer,
    customer: Cohort,
    product: int,
    allowed: np.ndarray,
    k: int,
    products: Tensor | None = None,
    over: Sequence[Over] = ("events",),
) -> Counterfactual:
    """Search sets of one part, of two, ... until one drops the product out of the top k.

    A size is searched exhaustively while it has at most ``MOST_TRIED`` sets; after that parts
    are left out greedily, each time the one that costs the product the most places, and the set
    found is thinned. What may be offered stays as it is: a product left out of the history does
    not come onto the list itself.

    Source: counterfactual explanations, Wachter et al. (2017), over what is really known only.

    Args:
        scorer: a trained network.
        customer: one customer.
        product: catalogue index of the offer.
        allowed: bool [N], what may be offered.
        k: length of the list.
        products: product vectors, where they are at hand.
        over: what may be left out.
    """
    table = variants.vectors(scorer) if products is None else products
    units = parts(scorer, customer, product, over)
    count = len(units)
    open_ = allowed.copy()
    open_[product] = True
    tried = 0

    def ranks(removed: list[tuple[int, ...]]) -> np.ndarray:
        nonlocal tried
        tried += len(removed)
        changes = [_joined([units[u] for u in chosen]) for chosen in removed]
        scored = variants.changed(scorer, customer, changes, product, table)
        return (scored[:, open_] >= scored[:, product, None]).sum(1)

    def found(chosen: tuple[int, ...], rank: int, verified: bool, minimal: bool) -> Counterfactual:
        change = _joined([units[u] for u in chosen])
        return Counterfactual(
            change.events, rank, verified, minimal, tried, change.attributes, change.paths
        )

    exhausted = 0
    for size in range(1, count + 1):
        if math.comb(count, size) > MOST_TRIED:
            break
        sets = list(itertools.combinations(range(count), size))
        ranked = ranks(sets)
        exhausted = size
        if (ranked > k).any():
            best = int(np.argmax(ranked))
            return found(sets[best], int(ranked[best]), True, True)
    if exhausted == count:
        return found((), int(ranks([()])[0]), False, True)
    chosen: tuple[int, ...] = ()
    rank = 0
    while rank <= k and len(chosen) < count:
        options = [(*chosen, unit) for unit in range(count) if unit not in chosen]
        ranked = ranks(options)
        best = int(np.argmax(ranked))
        chosen, rank = options[best], int(ranked[best])
    if rank <= k:
        return found((), int(ranks([()])[0]), False, False)
    for unit in sorted(chosen):  # thin: keep only what is needed
        fewer = tuple(u for u in chosen if u != unit)
        if fewer and (less := int(ranks([fewer])[0])) > k:
            chosen, rank = fewer, less
    return found(tuple(sorted(chosen)), rank, True, len(chosen) == exhausted + 1)


def _joined(changes: Sequence[Change]) -> Change:
    return Change(
        tuple(sorted(p for c in changes for p in c.events)),
        tuple(a for c in changes for a in c.attributes),
        tuple(p for c in changes for p in c.paths),
    )
