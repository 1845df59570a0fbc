"""Attribute nodes of the graph: who has which attribute, and what its holders took.

An attribute's value (segment "student", province "08", the lowest quarter of ages) is a node.
Edges: customer - has - value, and value - product with the weight of its holders' acquisitions,
the older the less. So a customer without any event has neighbours too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from finrec.features.profile import Profile
from finrec.scorer import SECONDS_PER_DAY, Cohort

QUARTERS = (0.25, 0.5, 0.75)
OF_NUMBER = len(QUARTERS) + 2  # quarters, and unknown
FEWEST = 10  # customers of a value, else it has no products: a group that small could be a person
HALF_LIFE_DAYS = 365.0


@dataclass(frozen=True)
class AttributeNodes:
    """M nodes of A attributes, and their edges to N products.

    Args:
        starts: first node of each attribute, categories before numbers; int64 [A].
        cuts: quartiles of each number as the profile scales it, float32 [P, 3].
        indptr, indices, values: edges, compressed rows by node, normalised as
            D^-1/2 A D^-1/2; int64 and float32.
    """

    starts: np.ndarray
    cuts: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def matrix(self, n_products: int) -> sparse.csr_matrix:
        """The edges as a SciPy matrix [M, N]."""
        return sparse.csr_matrix(
            (self.values, self.indices, self.indptr), shape=(len(self), n_products)
        )


def of_customers(numbers: Tensor, categories: Tensor, starts: Tensor, cuts: Tensor) -> Tensor:
    """Nodes that customers have, one an attribute.

    Args:
        numbers: float32 [B, 2 P], value and whether it is unknown, of :class:`Profile`.
        categories: int64 [B, Q].
        starts: int64 [A], A = Q + P.
        cuts: float32 [P, 3].

    Returns:
        int64 [B, A].
    """
    values, unknown = numbers[:, 0::2], numbers[:, 1::2] > 0
    quarter = (values[..., None] > cuts).sum(-1)  # [B, P]
    quarter = torch.where(unknown, OF_NUMBER - 1, quarter)
    return torch.cat([categories, quarter], 1) + starts


def build(histories: Cohort, profile: Profile, n_products: int) -> AttributeNodes | None:
    """Nodes and edges of the training part; None where customers have no attributes.

    Args:
        histories: of the training part, one a customer.
        profile: fitted on the same.
        n_products: N.
    """
    if profile.empty:
        return None
    numbers, categories = profile.encode(histories.profile)
    values, unknown = numbers[:, 0::2], numbers[:, 1::2] > 0
    cuts = np.array(
        [np.quantile(v[~u], QUARTERS) if (~u).any() else np.zeros(len(QUARTERS))
         for v, u in zip(values.T, unknown.T, strict=True)],
        dtype=np.float32,
    ).reshape(-1, len(QUARTERS))  # fmt: skip
    sizes = [*profile.sizes, *[OF_NUMBER] * len(cuts)]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    tensors = (torch.from_numpy(a) for a in (numbers, categories, starts, cuts))
    nodes = of_customers(*tensors).numpy()  # [B, A]
    count = int(sum(sizes))
    age = (histories.asof[histories.rows()] - histories.times) / SECONDS_PER_DAY
    weight = 0.5 ** (np.maximum(age, 0) / HALF_LIFE_DAYS)
    raw = sparse.csr_matrix((count, n_products), dtype=np.float64)
    for column in nodes.T:  # one at a time: all of them at once would be events x attributes
        ends = (column[histories.rows()], histories.products)
        raw = raw + sparse.coo_matrix((weight, ends), shape=raw.shape).tocsr()
    holders = np.bincount(nodes.ravel(), minlength=count)
    raw = sparse.diags((holders >= FEWEST).astype(float)) @ raw
    scaled = sparse.diags(_root(raw.sum(axis=1))) @ raw @ sparse.diags(_root(raw.sum(axis=0)))
    scaled = scaled.tocsr()
    scaled.eliminate_zeros()
    scaled.sort_indices()
    return AttributeNodes(
        starts,
        cuts,
        scaled.indptr.astype(np.int64),
        scaled.indices.astype(np.int64),
        scaled.data.astype(np.float32),
    )


def _root(degree: np.ndarray) -> np.ndarray:
    flat = np.asarray(degree).ravel()
    return np.where(flat > 0, 1 / np.sqrt(np.where(flat > 0, flat, 1)), 0)
