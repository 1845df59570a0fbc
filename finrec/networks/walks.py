"""Paths from a customer's products over other customers to other products, as scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from finrec.networks.relations import sparse_matrix


class PathTower(nn.Module):
    """Paths from a customer's products over other customers to a product, as a score of its own.

    ``strength * log(1 + sharpness * sum_t decay^age_t * paths[i_t, j])`` over events t of product
    i_t, age 0 for the latest. Product vectors of width D blur rare pairs; this keeps them, and
    each path can be shown. The three numbers are chosen on validation after the network has been
    learned (strength 0 switches the tower off).

    Source: item-based neighbourhood models (Sarwar et al., 2001) seen as walks of length two on
    the bipartite graph, Eq. (9) without learned weights.

    Shapes: products [B, T] -> scores [B, N].

    Args:
        indptr, indices, values: compressed rows by target product, as
            :class:`finrec.features.graph.Paths` has them.
    """

    strength: Tensor
    sharpness: Tensor
    decay: Tensor

    def __init__(self, indptr: Tensor, indices: Tensor, values: Tensor) -> None:
        super().__init__()
        n = len(indptr) - 1
        targets = torch.repeat_interleave(torch.arange(n), indptr.diff())
        order = torch.argsort(indices, stable=True)
        counts = torch.bincount(indices, minlength=n)
        # By source, because a customer's few products are where walks begin.
        self.register_buffer("starts", counts.cumsum(0) - counts, persistent=False)
        self.register_buffer("counts", counts, persistent=False)
        self.register_buffer("targets", targets[order], persistent=False)
        self.register_buffer("weights", values[order], persistent=False)
        self._matrix: Tensor | None = None
        self.register_buffer("strength", torch.zeros(()))
        self.register_buffer("sharpness", torch.ones(()))
        self.register_buffer("decay", torch.ones(()))

    def _apply(self, fn, recurse: bool = True):
        self._matrix = None  # made anew on the device that the module moves to
        return super()._apply(fn, recurse)

    def matrix(self) -> Tensor:
        """Paths from (row) to (column), sparse CSR [N, N]."""
        if self._matrix is None:
            indptr = torch.cat([self.starts, self.starts[-1:] + self.counts[-1:]])
            self._matrix = sparse_matrix(indptr, self.targets, self.weights)
        return self._matrix

    def add_to(self, scores: Tensor, rows: Tensor, products: Tensor, lengths: Tensor) -> None:
        """Add what :meth:`forward` gives to scores in place, only where paths lead.

        Args:
            scores: float [S, N].
            rows: the row of scores that each customer has, int64 [B].
            products: of the events, int64 [B, T].
            lengths: real events, int64 [B].
        """
        if not self.strength or not len(self.weights):
            return
        age = lengths[:, None] - 1 - torch.arange(products.shape[1], device=products.device)
        past = age >= 0
        indptr = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        weights = (self.decay ** age[past]).to(self.weights.dtype)
        events = sparse_matrix(indptr, products[past], weights, len(self.counts))  # [B, N]
        total = events @ self.matrix()
        ends = total.crow_indices()
        first = torch.repeat_interleave(rows * len(self.counts), ends.diff())
        added = total.values().mul_(self.sharpness).log1p_().mul_(self.strength)
        scores.view(-1).index_add_(0, first + total.col_indices(), added)

    def walks(self, products: Tensor, lengths: Tensor) -> Tensor:
        """Summed path weights before strength and sharpness, [B, N]."""
        age = lengths[:, None] - 1 - torch.arange(products.shape[1], device=products.device)
        customer, place = (age >= 0).nonzero(as_tuple=True)
        source, weight = products[customer, place], self.decay ** age[customer, place]
        many = self.counts[source]  # paths that begin at each event's product
        event = torch.repeat_interleave(torch.arange(len(many), device=many.device), many)
        first = self.starts[source] - (many.cumsum(0) - many)
        path = torch.arange(len(event), device=many.device) + first[event]
        n = len(self.counts)
        out = self.weights.new_zeros(len(products) * n)
        cell = customer[event] * n + self.targets[path]
        out.index_add_(0, cell, self.weights[path] * weight[event].to(out.dtype))
        return out.view(len(products), n)

    def forward(self, products: Tensor, lengths: Tensor) -> Tensor:
        """Scores of every product; zeros while the tower is off."""
        return self.walks(products, lengths).mul_(self.sharpness).log1p_().mul_(self.strength)
