"""What many take of late: shares of products in the time before a moment, as a part of the score.

A bias a product is how often it was taken in all the years learned from; what is taken this month
may be something else. The windows that count, and whether first or later purchases do, are learned
by how much of a past the customer has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

PAST_EDGES = (1, 2, 4)  # events before the moment: none, 1, 2 or 3, more
GAIN = 10.0  # steps of the weights against those of other parameters, which are far smaller


@dataclass(frozen=True)
class Common:
    """Additions to whole rows of scores, many rows the same.

    Args:
        of_row: int64 [S], which addition a row gets.
        values: float [U, N].
    """

    of_row: Tensor
    values: Tensor


class TrendTower(nn.Module):
    """``sum_f w[g, f] log(N s_f(t))`` over shares s_f of every product before the moment t.

    The shares are of windows of time, of customers' first and of their later events; g is how much
    of a past the customer has. All weights begin at 0: a month may be news or noise.

    Shapes: moments [S] and events before them [S] -> additions for S rows of N scores.

    Args:
        days: from which each row of shares holds, int64 [M], ascending.
        shares: float32 [M, F, N].
    """

    days: Tensor
    shares: Tensor
    edges: Tensor

    def __init__(self, days: Tensor, shares: Tensor) -> None:
        super().__init__()
        self.register_buffer("days", days, persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        self.register_buffer("edges", torch.tensor(PAST_EDGES), persistent=False)
        self.scaled = nn.Parameter(torch.zeros(len(PAST_EDGES) + 1, shares.shape[1]))

    @property
    def weights(self) -> Tensor:
        """By past and share, [G, F]."""
        return self.scaled * GAIN

    def forward(self, days: Tensor, before: Tensor) -> Common:
        """Additions to the scores of every product.

        Args:
            days: of the moments, int64 [S].
            before: events of the customer before it, int64 [S].
        """
        row = (torch.searchsorted(self.days, days.contiguous(), right=True) - 1).clamp(min=0)
        past = torch.bucketize(before.contiguous(), self.edges, right=True)
        distinct, place = row.unique(return_inverse=True)
        weights = self.weights
        values = torch.matmul(weights, self.shares[distinct]).flatten(0, 1)  # [U, N]
        return Common(place * len(weights) + past, values)

    def now(self, batch) -> Tensor:
        """What is added to every score of a batch's customers now, [B, N]."""
        found = self(batch.asof_day, batch.lengths)
        return found.values[found.of_row]

    def before_each(self, batch) -> Common:
        """What was added before each of their real events, one row an event, for the loss."""
        real = batch.real()
        return self(batch.days[real], batch.asked[real])
