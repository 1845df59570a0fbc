"""The same customer with events, attributes, links or paths left out, many variants at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from finrec.features import sequences
from finrec.features.sequences import Batch, Encoded
from finrec.networks.relations import Around, CustomerNode
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer
from finrec.training.product_vectors import product_vectors

BATCH = 256  # variants scored at once
_closeness: WeakKeyDictionary[nn.Module, tuple[Tensor, sparse.csr_matrix]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Change:
    """What a variant leaves out of a customer.

    Args:
        events: places within the events read, from 0.
        attributes: columns of the profile, made unknown.
        paths: products whose paths over other customers to the offer are not counted.
        links: products that the customer's node in the graph is not linked to; the events stay
            where they are in the sequence.
    """

    events: tuple[int, ...] = ()
    attributes: tuple[str, ...] = ()
    paths: tuple[int, ...] = ()
    links: tuple[int, ...] = ()


def vectors(scorer: FusedScorer) -> Tensor:
    """Product vectors [N, D]; kept until a weight changes, because they cost most of a score."""
    return product_vectors(scorer.network)


def closeness(scorer: FusedScorer) -> sparse.csr_matrix:
    """How near products are in the graph, [N, N]: row i is what product i takes of neighbours.

    The coefficients of Eq. (12) where the graph network has attention, kept until a weight
    changes; else its normalised adjacency.
    """
    graph = scorer.network.graph
    assert graph is not None and scorer.given.graph is not None
    table = vectors(scorer)  # so that a change of weights is noticed
    held = _closeness.get(graph)
    if held is not None and held[0] is table:
        return held[1]
    found = graph.coefficients(scorer.network.own_vectors())
    if found is None:
        matrix = scorer.given.graph.matrix()
    else:
        (neighbour, product), share = (part.cpu().numpy() for part in found)
        matrix = sparse.csr_matrix((share, (product, neighbour)), (len(table), len(table)))
    _closeness[graph] = (table, matrix)
    return matrix


def without(
    customer: Cohort,
    removed: Iterable[Iterable[int]],
    length: int,
    unknown: Sequence[tuple[str, ...]] = (),
) -> Cohort:
    """One customer a variant: the last ``length`` events, less those at the given places.

    Places count from 0 within the window. Events before the window stay out: the explanation is
    about what the network has read, which is of the last of them only when it was.

    Args:
        customer: one customer.
        removed: places left out in each variant.
        length: most events read.
        unknown: columns of the profile made unknown in each variant; none given: none.
    """
    total = len(customer.products)
    window = np.arange(max(total - length, 0), total)
    kept = [np.delete(window, sorted(set(places))) for places in removed]
    order = np.concatenate(kept) if kept else window[:0]
    lengths = np.array([len(k) for k in kept], dtype=np.int64)
    count = len(kept)
    earlier = customer.times[-length - 1 : -length] if total > length else customer.earlier
    asked = list(unknown) or [()] * count
    row = {names: row for row, names in enumerate(dict.fromkeys(asked))}
    profile = customer.profile.iloc[np.zeros(len(row), dtype=int)].reset_index(drop=True)
    for column in {name for names in row for name in names}:
        hidden = np.array([column in names for names in row], dtype=bool)
        profile[column] = profile[column].astype(object).mask(hidden, None)
    profile = profile.iloc[[row[names] for names in asked]].reset_index(drop=True)
    return Cohort(
        np.repeat(customer.ids, count),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        customer.products[order],
        customer.kinds[order],
        customer.times[order],
        customer.amounts[order],
        np.repeat(customer.asof, count),
        profile,
        None if customer.linked is None else customer.linked.take(np.zeros(count, dtype=np.int64)),
        None if earlier is None else np.repeat(earlier, count),
    )


def encoded(scorer: FusedScorer, many: Cohort) -> Encoded:
    """Customers made up from one as arrays: attributes differ in what is unknown, if at all.

    Each profile is worked out once, because a table of few rows costs as much as one of many.
    """
    known = many.profile.notna().to_numpy()
    _, first, place = np.unique(known, axis=0, return_index=True, return_inverse=True)
    numbers, codes = scorer.given.customers.encode(many.profile.iloc[first])
    place = place.ravel()
    return sequences.encode(many, scorer.given.customers, (numbers[place], codes[place]))


@torch.inference_mode()
def score(
    scorer: FusedScorer,
    many: Cohort,
    products: Tensor | None = None,
    unlinked: Sequence[tuple[int, ...]] = (),
) -> np.ndarray:
    """Scores of customers made up from one, float32 [B, N], with the product vectors at hand.

    Args:
        scorer: a trained network.
        many: the customers.
        products: product vectors, where they are at hand.
        unlinked: products that each customer's node is not linked to; none given: none.
    """
    table = vectors(scorer) if products is None else products
    network = scorer.network.eval()
    given = encoded(scorer, many)
    out = [np.zeros((0, len(scorer.given.catalogue)), dtype=np.float32)]
    for start in range(0, len(many), BATCH):
        rows = np.arange(start, min(start + BATCH, len(many)))
        batch = sequences.batch(given, rows, scorer.length).to(table.device)
        hidden = [unlinked[int(row)] for row in rows] if len(unlinked) else []
        if network.node is None or not any(hidden):
            out.append(network(batch, table).cpu().numpy())
            continue
        with _without_links(network.node, batch, hidden):
            out.append(network(batch, table).cpu().numpy())
    return np.concatenate(out)


@contextmanager
def _without_links(
    node: CustomerNode, batch: Batch, hidden: Sequence[tuple[int, ...]]
) -> Iterator[None]:
    """While it lasts, customers' nodes do not see these products: Eq. (12) without the edges."""
    here = batch.products
    gone = torch.zeros(len(here), here.shape[1] + 1, dtype=torch.bool, device=here.device)
    for row, products in enumerate(hidden):
        if products:
            gone[row, 1:] = torch.isin(here[row], torch.tensor(products, device=here.device))
    whole = node.last

    def last(own: Tensor, events: Tensor, real: Tensor, around: Around | None = None) -> Tensor:
        return whole(own, events, real & ~gone, around)

    node.last = last  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del node.last


def scores(
    scorer: FusedScorer,
    customer: Cohort,
    removed: Sequence[tuple[int, ...]],
    products: Tensor | None = None,
) -> np.ndarray:
    """Scores of every variant, float32 [variants, N].

    Args:
        scorer: a trained network.
        customer: one customer.
        removed: places left out in each variant.
        products: product vectors, where they are at hand.
    """
    return score(scorer, without(customer, removed, scorer.length), products)


def changed(
    scorer: FusedScorer,
    customer: Cohort,
    changes: Sequence[Change],
    offer: int,
    products: Tensor | None = None,
) -> np.ndarray:
    """Scores of every variant, float32 [variants, N]; paths left out are those to ``offer``.

    Variants that differ in paths only are one pass of the network.
    """
    asked = [(c.events, c.attributes, c.links) for c in changes]
    place = {key: row for row, key in enumerate(dict.fromkeys(asked))}
    distinct = without(customer, [e for e, _, _ in place], scorer.length, [a for _, a, _ in place])
    scored = score(scorer, distinct, products, [links for _, _, links in place])
    found = scored if len(place) == len(changes) else scored[[place[key] for key in asked]]
    if scorer.given.paths is not None and any(c.paths for c in changes):
        for row, change in enumerate(changes):
            if change.paths:
                at = place[asked[row]]
                own = distinct.products[distinct.offsets[at] : distinct.offsets[at + 1]]
                less = path_score(scorer, own, offer, change.paths)
                found[row, offer] += less - path_score(scorer, own, offer)
    return found


def path_weights(scorer: FusedScorer, own: np.ndarray, offer: int) -> np.ndarray:
    """What each of these events, oldest first, brings to the walks to ``offer``, float [T]."""
    tower = scorer.network.paths
    if tower is None or scorer.given.paths is None:
        return np.zeros(len(own))
    given = scorer.given.paths
    cells = slice(int(given.indptr[offer]), int(given.indptr[offer + 1]))
    weight = dict(zip(given.indices[cells].tolist(), given.values[cells].tolist(), strict=True))
    age = np.arange(len(own))[::-1]
    return np.array([weight.get(int(p), 0.0) for p in own]) * float(tower.decay) ** age


def path_score(
    scorer: FusedScorer, own: np.ndarray, offer: int, hidden: Iterable[int] = ()
) -> float:
    """What the path tower adds to the offer's score, paths from ``hidden`` products not counted."""
    tower = scorer.network.paths
    if tower is None:
        return 0.0
    weights = path_weights(scorer, own, offer)[~np.isin(own, list(hidden))]
    return float(tower.strength) * float(np.log1p(float(tower.sharpness) * weights.sum()))
