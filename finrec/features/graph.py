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
REACH = 20  # events apart that a path still joins
NEARER = 0.85  # weight of a path falls by this with each event between its ends
BACKWARD = 0.5  # weight of a path against the order of time
FROM, TO = 0.3, 0.5  # exponents of the degrees that paths are divided by
WINDOW = 3  # events apart that still count as "followed"
MOST_EVENTS = 100  # events apart that "shared" joins at most


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


@dataclass(frozen=True)
class Paths:
    """Weights of the paths product - customer - product, in both directions of time.

    Row j lists the products that paths to product j come from: ``weight = sum over customers of
    0.85^(d - 1)`` for a pair d events apart (half of it backward in time), divided by
    ``out_degree^0.3 * in_degree^0.5``. Unlike product vectors this keeps every pair apart.

    Args:
        indptr, indices, values: compressed rows by target product, int64 and float32; N rows.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray

    def matrix(self) -> sparse.csr_matrix:
        """Paths to (row) from (column), a SciPy matrix [N, N]."""
        n = len(self.indptr) - 1
        return sparse.csr_matrix((self.values, self.indices, self.indptr), shape=(n, n))


def paths(histories: Cohort, n_products: int) -> Paths:
    """The paths of these histories (the training part's) between N products."""
    rows, products = histories.rows(), histories.products
    source, target, weight = [], [], []
    for step in range(1, min(REACH, max(int(histories.lengths.max(initial=0)) - 1, 0)) + 1):
        same = rows[step:] == rows[:-step]
        before, after = products[:-step][same], products[step:][same]
        differ = before != after
        before, after = before[differ], after[differ]
        forward = np.full(len(before), NEARER ** (step - 1), dtype=np.float32)
        source += [before, after]
        target += [after, before]
        weight += [forward, BACKWARD * forward]
    if not source:
        empty = np.zeros(0, dtype=np.int64)
        return Paths(np.zeros(n_products + 1, np.int64), empty, empty.astype(np.float32))
    ends = (np.concatenate(target), np.concatenate(source))
    raw = sparse.coo_matrix((np.concatenate(weight), ends), shape=(n_products,) * 2).tocsr()
    out_degree = np.maximum(np.asarray(raw.sum(axis=0)).ravel(), 1e-9)
    in_degree = np.maximum(np.asarray(raw.sum(axis=1)).ravel(), 1e-9)
    scaled = (sparse.diags(in_degree**-TO) @ raw @ sparse.diags(out_degree**-FROM)).tocsr()
    scaled.sort_indices()
    return Paths(
        scaled.indptr.astype(np.int64),
        scaled.indices.astype(np.int64),
        scaled.data.astype(np.float32),
    )


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
