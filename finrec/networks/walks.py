"""Paths from a customer's products over other customers to other products, as scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
        self.register_buffer("strength", torch.zeros(()))
        self.register_buffer("sharpness", torch.ones(()))
        self.register_buffer("decay", torch.ones(()))

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
