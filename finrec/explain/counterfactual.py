"""The smallest set of events, attributes, links or paths without which a product is not offered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from finrec.explain import variants
from finrec.explain.variants import Change
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer

Over = Literal["events", "attributes", "paths", "links"]
Set = tuple[int, ...]
EFFORT = 12_000  # events read in all by the search that is exhaustive, and once more by the other
OVERHEAD = 10  # what scoring the catalogue costs, in events read
CHUNK = 128  # variants whose scores are held at once
BEAM, CLOSEST = 3, 10  # sets kept of a size, and parts tried with each


@dataclass(frozen=True)
class Counterfactual:
    """What would have to be different for the product to leave the list.

    Args:
        places: events to leave out, counted from 0 within those read; empty when none suffices.
        rank: place of the product among what may be offered without them, re-scored.
        verified: the re-scored rank is beyond k.
        minimal: no smaller set suffices (every smaller one was tried). Where nothing was found:
            nothing suffices (every set was tried).
        tried: variants scored.
        attributes: columns of the profile that would have to be unknown.
        paths: products whose paths to the offer would have to be missing.
        links: products that the customer's node would have to be not linked to.
        needed: with any one part put back, the product would stay.
    """

    places: tuple[int, ...]
    rank: int
    verified: bool
    minimal: bool
    tried: int
    attributes: tuple[str, ...] = ()
    paths: tuple[int, ...] = ()
    links: tuple[int, ...] = ()
    needed: bool = False


def parts(
    scorer: FusedScorer, customer: Cohort, product: int, over: Sequence[Over] = ("events",)
) -> list[Change]:
    """The single things that can be left out: events, known attributes, links, paths that count."""
    total = len(customer.products)
    count = min(total, scorer.length)
    found = [Change(events=(place,)) for place in range(count)] if "events" in over else []
    if "attributes" in over:
        profile = scorer.given.customers
        named = [c.name for c in profile.numbers] + [c.name for c in profile.categories]
        known = customer.profile.notna().iloc[0]
        found += [Change(attributes=(n,)) for n in named if n in known.index and known[n]]
    own = customer.products[total - count :]
    if "links" in over and scorer.network.node is not None:
        found += [Change(links=(int(p),)) for p in np.unique(own)]
    if "paths" in over and scorer.network.paths is not None and scorer.network.paths.strength > 0:
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

    Sizes are searched exhaustively while that reads at most ``EFFORT`` events; what is found so is
    minimal. After that parts are left out in the order of what each costs the product alone, the
    first set that drops it is thinned to what is needed, and a beam search looks for a smaller one
    within the same effort again. What may be offered stays as it is: a product left out of the
    history does not come onto the list itself.

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
    others = allowed.copy()
    others[product] = False
    search = _Search(
        scorer, customer, product, others, k, table, parts(scorer, customer, product, over)
    )
    count = len(search.units)
    alone = np.zeros(0)
    exhausted = 0
    for size in range(1, count + 1):
        if size > 1 and search.cost(math.comb(count, size)) > EFFORT - search.read:
            break
        sets = list(itertools.combinations(range(count), size))
        margins, ranks = search.ask(sets)
        alone = margins if size == 1 else alone
        exhausted = size
        if (ranks > k).any():
            best = int(np.argmax(ranks))
            return search.answer(sets[best], int(ranks[best]), True, True)
    if exhausted == count:
        return search.answer((), int(search.ask([()])[1][0]), True, False)
    order = [int(unit) for unit in np.argsort(alone, kind="stable")]
    chosen, rank = search.first(order)
    if rank <= k:
        return search.answer((), int(search.ask([()])[1][0]), False, False)
    chosen, rank, needed = search.thin(chosen, rank)
    smaller = search.beam(order[:CLOSEST], exhausted, len(chosen) - 1)
    if smaller is not None:  # no smaller set of the beam drops it, so that each part is needed
        (chosen, rank), needed = smaller, len(smaller[0]) == exhausted + 1
        if not needed:
            chosen, rank, needed = search.thin(chosen, rank)
    return search.answer(tuple(sorted(chosen)), rank, len(chosen) == exhausted + 1, needed)


class _Search:
    """Asks the network for sets of parts left out, and counts what that costs."""

    def __init__(
        self,
        scorer: FusedScorer,
        customer: Cohort,
        product: int,
        others: np.ndarray,
        k: int,
        table: Tensor,
        units: list[Change],
    ) -> None:
        self.scorer, self.customer, self.product = scorer, customer, product
        self.others, self.k, self.table, self.units = others, k, table, units
        self.tried = self.read = 0

    def cost(self, sets: int) -> int:
        """Events read to score so many sets."""
        return sets * (min(len(self.customer.products), self.scorer.length) + OVERHEAD)

    def ask(self, sets: Sequence[Set]) -> tuple[np.ndarray, np.ndarray]:
        """Margin over the last of the list and rank without each set, [sets] each."""
        self.tried += len(sets)
        self.read += self.cost(len(sets))
        margins, ranks = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
        reach = min(self.k, int(self.others.sum()))
        for start in range(0, len(sets), CHUNK):
            changes = [_joined([self.units[u] for u in s]) for s in sets[start : start + CHUNK]]
            scored = variants.changed(self.scorer, self.customer, changes, self.product, self.table)
            own, rest = scored[:, self.product], scored[:, self.others]
            ranks.append((rest >= own[:, None]).sum(1) + 1)
            last = np.partition(rest, -reach, axis=1)[:, -reach] if reach else np.zeros(len(own))
            margins.append(own - last)
        return np.concatenate(margins), np.concatenate(ranks)

    def first(self, order: list[int]) -> tuple[Set, int]:
        """The first of the growing sets of this order that drops the product; its rank."""
        rank = 0
        for start in range(0, len(order), 16):
            sets = [tuple(order[: n + 1]) for n in range(start, min(start + 16, len(order)))]
            _, ranks = self.ask(sets)
            if (ranks > self.k).any():
                at = int(np.argmax(ranks > self.k))
                return sets[at], int(ranks[at])
            rank = int(ranks[-1])
        return (), rank

    def thin(self, chosen: Set, rank: int) -> tuple[Set, int, bool]:
        """Put parts back while the product stays dropped; whether each that is left is needed."""
        while len(chosen) > 1:
            if self.read + self.cost(len(chosen)) > 2 * EFFORT:
                return chosen, rank, False
            sets = [tuple(u for u in chosen if u != unit) for unit in chosen]
            margins, ranks = self.ask(sets)
            if not (ranks > self.k).any():
                return chosen, rank, True
            best = int(np.argmin(np.where(ranks > self.k, margins, np.inf)))
            chosen, rank = sets[best], int(ranks[best])
        return chosen, rank, True

    def beam(self, near: list[int], known: int, most: int) -> tuple[Set, int] | None:
        """A set of at most ``most`` parts, sizes up to ``known`` being exhausted; None: none."""
        kept: list[Set] = [()]
        for size in range(1, most + 1):
            sets = list(dict.fromkeys(
                tuple(sorted((*one, unit))) for one in kept for unit in near if unit not in one
            ))  # fmt: skip
            if not sets or self.read + self.cost(len(sets)) > 2 * EFFORT:
                return None
            margins, ranks = self.ask(sets)
            if size > known and (ranks > self.k).any():
                best = int(np.argmax(ranks))
                return sets[best], int(ranks[best])
            kept = [sets[i] for i in np.argsort(margins, kind="stable")[:BEAM]]
        return None

    def answer(self, chosen: Set, rank: int, minimal: bool, needed: bool) -> Counterfactual:
        """The counterfactual of a set; an empty one drops nothing."""
        change = _joined([self.units[u] for u in chosen])
        return Counterfactual(
            change.events, rank, bool(chosen), minimal, self.tried, change.attributes,
            change.paths, change.links, needed,
        )  # fmt: skip


def _joined(changes: Iterable[Change]) -> Change:
    several = list(changes)
    return Change(
        tuple(sorted(p for c in several for p in c.events)),
        tuple(a for c in several for a in c.attributes),
        tuple(p for c in several for p in c.paths),
        tuple(p for c in several for p in c.links),
    )
