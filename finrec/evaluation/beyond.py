"""What lists are like besides being right: coverage, concentration, novelty, diversity.

Shapes: C customers' lists, k places, N products.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from finrec.schema import DESCRIPTION, NAME, PRODUCT

MOST_VALUES = 50  # a column with more different values says which product, not what kind


def figures(lists: np.ndarray, popularity: np.ndarray, products: pd.DataFrame) -> dict[str, float]:
    """Figures of all lists together.

    - ``coverage``: share of the N products that stand in at least one list.
    - ``gini``: Gini coefficient of how often products are listed, 0 all alike, 1 one product only
      (Castells et al., 2015).
    - ``novelty``: mean over listed products of -log2 of the product's share of training events
      (self-information, Zhou et al., 2010); a product without events counts as half an event.
    - ``diversity``: mean over the pairs of a list of the share of attributes that differ (Ziegler
      et al., 2005); NaN where products have no attribute with few values.

    Args:
        lists: int64 [C, k], -1 where there is none.
        popularity: training events of each product, [N].
        products: the catalogue's table.
    """
    n = len(popularity)
    shown = np.bincount(lists[lists >= 0], minlength=n)
    ordered = np.sort(shown)
    places = np.arange(1, n + 1)
    total = max(int(shown.sum()), 1)
    share = np.maximum(popularity, 0.5) / max(float(popularity.sum()), 1.0)
    return {
        "coverage": float((shown > 0).mean()),
        "gini": float((2 * places - n - 1) @ ordered / (n * total)),
        "novelty": float(-(shown / total) @ np.log2(share)),
        "diversity": _diversity(lists, products),
    }


def _diversity(lists: np.ndarray, products: pd.DataFrame) -> float:
    codes = [
        pd.factorize(products[column])[0]
        for column in products.columns
        if column not in (PRODUCT, NAME, DESCRIPTION)
        and 1 < products[column].nunique() <= MOST_VALUES
    ]
    if not codes or lists.shape[1] < 2:
        return float("nan")
    table = np.stack(codes, 1)  # [N, A]
    total, pairs = 0.0, 0
    for left in range(lists.shape[1]):
        for right in range(left + 1, lists.shape[1]):
            both = (lists[:, left] >= 0) & (lists[:, right] >= 0)
            differ = table[lists[both, left]] != table[lists[both, right]]
            total += float(differ.mean(1).sum())
            pairs += int(both.sum())
    return total / pairs if pairs else float("nan")
