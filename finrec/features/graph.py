"""The customer-product graph of the training events, as sparse matrices.

Nodes are customers and products. Two relations between products are derived from the paths
through a customer: *followed* (acquired by the same customer within a few events, nearer counts
more) and *shared* (acquired by the same customer at all). Both are symmetric, and both can be
taken apart by customer, which training uses to hide a customer's own edges from itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from finrec.scorer import Cohort

Relation = Literal["followed", "shared"]
WINDOW = 3  # events apart that still count as "followed"
MOST_EVENTS = 100  # of one customer that "shared" joins with each other, the latest


@dataclass(frozen=True)
class Graph:
    """Product-to-product adjacency over customers, normalised as D^-1/2 A D^-1/2.

    Args:
        indptr, indices, values: compressed rows, int64 and float32; N rows.
        inverse_root_degree: float32 [N], D^-1/2 (0 for a product without edges).
        relation: which paths were counted.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    inverse_root_degree: np.ndarray
    relation: Relation

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def matrix(self) -> sparse.csr_matrix:
        """The adjacency as a SciPy matrix [N, N]."""
        return sparse.csr_matrix((self.values, self.indices, self.indptr), shape=(len(self),) * 2)


def pairs(
    offsets: np.ndarray, products: np.ndarray, relation: Relation
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges that histories add: two product indices and a weight each, in both directions.

    Args:
        offsets: int64 [B + 1].
        products: int64 [E], the events' products.
        relation: ``followed`` weighs 1 / distance up to ``WINDOW``; ``shared`` weighs 1 / (n - 1)
            for a customer with n events, so that long histories don't drown short ones.
    """
    lengths = np.diff(offsets)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    reach = WINDOW if relation == "followed" else min(int(lengths.max(initial=0)), MOST_EVENTS)
    left, right, weight = [], [], []
    for step in range(1, reach + 1):
        same = rows[step:] == rows[:-step]
        if not same.any():
            break
        a, b = products[:-step][same], products[step:][same]
        share = 1.0 / step if relation == "followed" else 1.0 / (lengths[rows[step:][same]] - 1)
        value = np.broadcast_to(np.asarray(share, dtype=np.float32), a.shape)
        differ = a != b
        a, b, value = a[differ], b[differ], value[differ]
        left += [a, b]
        right += [b, a]
        weight += [value, value]
    if not left:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0, dtype=np.float32)
    return np.concatenate(left), np.concatenate(right), np.concatenate(weight)


def build(histories: Cohort, n_products: int, relation: Relation = "followed") -> Graph:
    """The graph of these histories (the training part's) over N products."""
    left, right, weight = pairs(histories.offsets, histories.products, relation)
    raw = sparse.coo_matrix((weight, (left, right)), shape=(n_products, n_products)).tocsr()
    raw.sum_duplicates()
    degree = np.asarray(raw.sum(axis=1)).ravel()
    root = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0)
    normal = (sparse.diags(root) @ raw @ sparse.diags(root)).tocsr()
    normal.sort_indices()
    return Graph(
        normal.indptr.astype(np.int64),
        normal.indices.astype(np.int64),
        normal.data.astype(np.float32),
        root.astype(np.float32),
        relation,
    )
