"""The neighbourhood of a customer and an offer in the customer-product graph.

Other customers appear only as groups of at least ``SMALLEST_GROUP``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from finrec.networks.recommender import Evidence
from finrec.schema import NAME, PRODUCT
from finrec.scorer import Cohort
from finrec.training.assemble import Inputs

SMALLEST_GROUP = 10
MOST_PRODUCTS = 8  # of the customer's, the ones nearest to the offer
MOST_NEAR = 6  # further neighbours of the offer
NODE = ["id", "label", "kind", "hop"]
EDGE = ["source", "target", "kind", "weight", "customers", "source_name"]


def neighbourhood(
    given: Inputs,
    events: pd.DataFrame,
    offer: int,
    evidence: Evidence,
    training: Cohort,
    smallest: int = SMALLEST_GROUP,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes and edges from the customer over products to the offer.

    Edges: ``acquired`` (customer to own products; weight: the coefficient of the customer's node,
    Eq. (12)), ``shared`` (own product to the offer; weight: the graph's normalised adjacency;
    customers: how many training customers have both, 0 when fewer than ``smallest``),
    ``near`` (the offer's strongest other neighbours).
    """
    table = given.catalogue.table
    ids, names = (table[c].to_numpy(dtype=object) for c in (PRODUCT, NAME))
    nodes = [["customer", "This customer", "customer", 0], [ids[offer], names[offer], "offer", 2]]
    if given.graph is None:
        return pd.DataFrame(nodes, columns=NODE), pd.DataFrame(columns=EDGE)
    row = given.graph.matrix()[offer].toarray().ravel()
    own: dict[int, float] = {}
    if evidence.neighbours is not None:
        shares = evidence.neighbours[0].cpu().numpy()[1 : 1 + len(events)]
        for product, share in zip(events["index"], shares, strict=True):
            own[int(product)] = own.get(int(product), 0.0) + float(share)
    own.pop(offer, None)
    nearest = sorted(own, key=lambda p: (row[p], own[p]), reverse=True)[:MOST_PRODUCTS]
    together = customers_with(training, offer, [*nearest])
    edges = []
    for product in nearest:
        nodes.append([ids[product], names[product], "own", 1])
        edges.append(["customer", ids[product], "acquired", own[product], 0, "This customer"])
        if row[product] > 0:
            count = together[product] if together[product] >= smallest else 0
            edges.append(
                [ids[product], ids[offer], "shared", float(row[product]), count, names[product]]
            )
    others = [p for p in np.argsort(-row)[: MOST_NEAR + len(own) + 1] if row[p] > 0]
    for product in [p for p in others if p not in own and p != offer][:MOST_NEAR]:
        nodes.append([ids[product], names[product], "near", 3])
        edges.append([ids[product], ids[offer], "near", float(row[product]), 0, names[product]])
    return pd.DataFrame(nodes, columns=NODE), pd.DataFrame(edges, columns=EDGE)


def customers_with(training: Cohort, offer: int, products: list[int]) -> dict[int, int]:
    """How many customers have the offer and each of these products in their history."""
    rows = training.rows()
    holders = np.zeros(len(training), dtype=bool)
    holders[rows[training.products == offer]] = True
    theirs = holders[rows]  # few, so that each product costs little
    rows, taken = rows[theirs], training.products[theirs]
    return {p: len(np.unique(rows[taken == p])) for p in products}
