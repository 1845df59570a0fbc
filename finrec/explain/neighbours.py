"""The neighbourhood of a customer and an offer in the customer-product graph.

Other customers appear only as groups of at least ``SMALLEST_GROUP``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from finrec.explain import variants
from finrec.features.company import Company
from finrec.networks.evidence import Evidence
from finrec.schema import NAME, PRODUCT
from finrec.training.fused_scorer import FusedScorer

SMALLEST_GROUP = 10
MOST_PRODUCTS = 8  # of the customer's, the ones nearest to the offer
MOST_NEAR = 6  # further neighbours of the offer
NODE = ["id", "label", "kind", "hop"]
EDGE = ["source", "target", "kind", "weight", "customers", "source_name"]


def neighbourhood(
    scorer: FusedScorer,
    events: pd.DataFrame,
    offer: int,
    evidence: Evidence,
    company: Company,
    smallest: int = SMALLEST_GROUP,
    attributes: pd.Series | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes and edges from the customer over products to the offer.

    Edges: ``has`` (customer to attribute nodes, where the graph has them, ``attributes`` being the
    customer's; weight as next), ``linked`` (to the node of linked customers, of whom nothing else
    is told; weight as next), ``acquired`` (customer to own products; weight: the coefficient of
    the customer's node, Eq. (12)), ``shared`` (own product to the offer; weight: of
    :func:`finrec.explain.variants.closeness`, which is Eq. (12) again for GAT; customers: how many
    training customers have both, 0 when fewer than ``smallest``), ``near`` (the offer's strongest
    other neighbours).
    """
    given = scorer.given
    table = given.catalogue.table
    ids, names = (table[c].to_numpy(dtype=object) for c in (PRODUCT, NAME))
    nodes = [["customer", "This customer", "customer", 0], [ids[offer], names[offer], "offer", 2]]
    if given.graph is None:
        return pd.DataFrame(nodes, columns=NODE), pd.DataFrame(columns=EDGE)
    row = variants.closeness(scorer)[offer].toarray().ravel()
    own: dict[int, float] = {}
    if evidence.neighbours is not None:
        shares = evidence.neighbours[0].cpu().numpy()[1 : 1 + len(events)]
        for product, share in zip(events["index"], shares, strict=True):
            own[int(product)] = own.get(int(product), 0.0) + float(share)
    own.pop(offer, None)
    nearest = sorted(own, key=lambda p: (row[p], own[p]), reverse=True)[:MOST_PRODUCTS]
    together = company.together(offer, nearest)
    edges = []
    for product in nearest:
        nodes.append([ids[product], names[product], "own", 1])
        edges.append(["customer", ids[product], "acquired", own[product], 0, "This customer"])
        if row[product] > 0:
            count = together[product] if together[product] >= smallest else 0
            edges.append(
                [ids[product], ids[offer], "shared", float(row[product]), count, names[product]]
            )
    if evidence.of_attributes is not None and attributes is not None:
        profile = given.customers
        named = [c.name for c in profile.categories] + [c.name for c in profile.numbers]
        shares = evidence.of_attributes[0].cpu().numpy()
        for name, share in zip(named, shares, strict=False):
            if pd.notna(attributes.get(name)):
                label = f"{name.replace('_', ' ')}: {attributes[name]}"
                nodes.append([f"attribute/{name}", label, "attribute", 1])
                edges.append(
                    ["customer", f"attribute/{name}", "has", float(share), 0, "This customer"]
                )
    if evidence.of_linked is not None and float(evidence.of_linked.sum()) > 0:
        share = float(evidence.of_linked[0, 0])
        nodes.append(["linked", "Customers linked to this one", "linked", 1])
        edges.append(["customer", "linked", "linked", share, 0, "This customer"])
    others = [p for p in np.argsort(-row)[: MOST_NEAR + len(own) + 1] if row[p] > 0]
    for product in [p for p in others if p not in own and p != offer][:MOST_NEAR]:
        nodes.append([ids[product], names[product], "near", 3])
        edges.append([ids[product], ids[offer], "near", float(row[product]), 0, names[product]])
    return pd.DataFrame(nodes, columns=NODE), pd.DataFrame(edges, columns=EDGE)


def expanded(
    scorer: FusedScorer,
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    products: Sequence[str],
    company: Company,
    smallest: int = SMALLEST_GROUP,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A neighbourhood one hop further from each of these products in turn.

    Args:
        scorer: a trained network.
        nodes: of :func:`neighbourhood`, or of an earlier call.
        edges: the same.
        products: ids of products among the nodes; others are passed over.
        company: of the histories that the network learned from.
        smallest: groups of other customers smaller than this are hidden.

    Returns:
        Nodes, new ones of kind ``further`` and one hop beyond all before; edges, new ones of kind
        ``around`` (weight: as of ``shared``; customers: who have both).
    """
    given = scorer.given
    if given.graph is None:
        return nodes, edges
    table = given.catalogue.table
    ids, names = (table[c].to_numpy(dtype=object) for c in (PRODUCT, NAME))
    matrix = variants.closeness(scorer)
    here = dict(zip(nodes["id"], nodes["hop"], strict=True))
    more_nodes, more_edges = nodes.values.tolist(), edges[EDGE].values.tolist()
    drawn = {frozenset((e[0], e[1])) for e in more_edges}
    for product in products:
        if product not in here:
            continue
        index = given.catalogue.position(product)
        row = matrix[index].toarray().ravel()
        row[index] = 0
        nearest = [int(p) for p in np.argsort(-row, kind="stable")[:MOST_NEAR] if row[p] > 0]
        together = company.together(index, nearest)
        hop = max(here.values()) + 1
        for near in nearest:
            if ids[near] not in here:
                here[ids[near]] = hop
                more_nodes.append([ids[near], names[near], "further", hop])
            if frozenset((product, ids[near])) in drawn:
                continue
            drawn.add(frozenset((product, ids[near])))
            count = together[near] if together[near] >= smallest else 0
            weight = float(row[near])
            more_edges.append([product, ids[near], "around", weight, count, names[index]])
    return pd.DataFrame(more_nodes, columns=NODE), pd.DataFrame(more_edges, columns=EDGE)
