"""Paths "you, a product, customers like you, the offer", counted and never naming anybody.

Other customers appear only as groups of at least ``smallest``; a smaller group is hidden.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from finrec.explain import variants
from finrec.explain.neighbours import SMALLEST_GROUP
from finrec.features.company import Company
from finrec.schema import NAME, PRODUCT
from finrec.training.fused_scorer import FusedScorer

MOST = 8  # paths, those that count most
COLUMNS = ["id", PRODUCT, NAME, "weight", "share", "effect", "customers"]


def paths(
    scorer: FusedScorer,
    events: pd.DataFrame,
    offer: int,
    company: Company,
    smallest: int = SMALLEST_GROUP,
) -> pd.DataFrame:
    """Paths from the customer's products to an offer, those that count most first.

    Args:
        scorer: a trained network.
        events: the events read, as in an explanation; ``index`` is the catalogue index.
        offer: catalogue index.
        company: of the histories that the network learned from.
        smallest: a group of other customers smaller than this is hidden.

    Returns:
        One row a product whose paths count or whose group is large enough: id (of the edge,
        ``product>offer``), product_id, name, weight (of the walks), share of all walks to the
        offer, effect (how much the score falls when these paths are not counted, exact),
        customers (who have both; 0 when the group is hidden).
        Empty without a graph.
    """
    if scorer.given.graph is None or events.empty:
        return pd.DataFrame(columns=COLUMNS)
    own = events["index"].to_numpy(dtype=np.int64)
    weights = variants.path_weights(scorer, own, offer)
    found = pd.DataFrame({"product": own, "weight": weights}).groupby("product")["weight"].sum()
    found = found[found.index != offer]
    together = company.together(offer, found.index)
    shown = [together[int(p)] if together[int(p)] >= smallest else 0 for p in found.index]
    order = np.lexsort((-np.array(shown), -found.to_numpy()))
    found = found.iloc[[i for i in order if found.iloc[i] > 0 or shown[i]][:MOST]]
    if found.empty:
        return pd.DataFrame(columns=COLUMNS)
    table = scorer.given.catalogue.table
    ids, names = (table[c].to_numpy(dtype=object) for c in (PRODUCT, NAME))
    whole = variants.path_score(scorer, own, offer)
    rows = [
        {
            "id": f"edge/{ids[p]}>{ids[offer]}",
            PRODUCT: ids[p],
            NAME: names[p],
            "weight": weight,
            "share": weight / weights.sum() if weights.sum() else 0.0,
            "effect": whole - variants.path_score(scorer, own, offer, (p,)),
            "customers": together[p] if together[p] >= smallest else 0,
        }
        for p, weight in zip(map(int, found.index), found, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
