"""Matching by a learned network, beside the dot product."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from finrec.networks.linear import Linear

MOST_PRODUCTS = 1_000  # each pair goes through the network, so a large catalogue is out of reach
AT_ONCE = 16_000_000  # hidden values in memory


class MatchingNetwork(nn.Module):
    """A score of each pair: ``v . gelu(A c + B p)``, added to the dot product of c and p.

    Source: neural matching as in He et al. (2017), with the first layer split by side so that it
    is computed once a customer and once a product. ``v`` begins at 0: at first there is the dot
    product alone.

    Shapes: customers [S, D], products [N, D] -> [S, N].

    Args:
        width: D.
        hidden: width of the layer between.
    """

    def __init__(self, width: int, hidden: int = 32) -> None:
        super().__init__()
        self.of_customer = Linear(width, hidden)
        self.of_product = Linear(width, hidden, bias=False)
        self.out = nn.Parameter(torch.zeros(hidden))

    def forward(self, customers: Tensor, products: Tensor) -> Tensor:
        """What is added to the dot product."""
        left, right = self.of_customer(customers), self.of_product(products)
        rows = max(1, AT_ONCE // (len(right) * right.shape[1]))
        parts = [
            checkpoint(self._pairs, part, right, use_reentrant=False)
            if torch.is_grad_enabled()
            else self._pairs(part, right)
            for part in left.split(rows)
        ]
        return torch.cat(parts)

    def _pairs(self, left: Tensor, right: Tensor) -> Tensor:
        return F.gelu(left[:, None] + right[None]) @ self.out
