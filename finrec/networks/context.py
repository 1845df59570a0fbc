"""What stands around a customer: further nodes of the graph, and the state of the economy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.features import nodes
from finrec.networks.linear import Linear
from finrec.networks.relations import Spread, sparse_matrix


class AttributeGraph(nn.Module):
    """Vectors of attribute nodes from what their holders took; Eq. (10) on the edges of nodes.

    ``node = embedding + strength * gelu((D^-1/2 A D^-1/2 products) W)``. A new customer has the
    nodes of its attributes at once.

    Shapes: products [N, D] -> [M, D]; a batch's own [B, A, D].

    Args:
        starts: first node of each attribute, int64 [A].
        cuts: quartiles of the numbers, float32 [P, 3].
        edges: of node and product, int64 [2, E], sorted.
        values: weights of the edges, float32 [E].
        shape: M and N.
        width: D.
    """

    def __init__(
        self,
        starts: Tensor,
        cuts: Tensor,
        edges: Tensor,
        values: Tensor,
        shape: tuple[int, int],
        width: int,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("starts", starts, persistent=False)
        self.register_buffer("cuts", cuts, persistent=False)
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("values", values, persistent=False)
        self._both: tuple[Tensor, Tensor] | None = None
        self.embedding = nn.Parameter(torch.randn(shape[0], width) * 0.02)
        self.strength = nn.Parameter(torch.ones(()))
        self.project = Linear(width, width, bias=False)
        nn.init.eye_(self.project.weight)

    def _apply(self, fn, recurse: bool = True):
        self._both = None  # made anew on the device that the module moves to
        return super()._apply(fn, recurse)

    def matrices(self) -> tuple[Tensor, Tensor]:
        """The edges as sparse CSR [M, N], and transposed [N, M]."""
        if self._both is None:
            m, n = self.shape
            order = self.edges[1].argsort(stable=True)
            self._both = (
                _csr(self.edges[0], self.edges[1], self.values, m, n),
                _csr(self.edges[1][order], self.edges[0][order], self.values[order], n, m),
            )
        return self._both

    def forward(self, products: Tensor) -> Tensor:
        """Vectors of all nodes."""
        spread = Spread.apply(*self.matrices(), products)  # [M, D]
        return self.embedding + self.strength * F.gelu(self.project(spread))

    def of(self, batch, products: Tensor) -> Tensor:
        """Vectors of the nodes that a batch's customers have."""
        own = nodes.of_customers(batch.numbers, batch.categories, self.starts, self.cuts)
        return F.embedding(own, self(products))


def _csr(rows: Tensor, columns: Tensor, values: Tensor, n_rows: int, n_columns: int) -> Tensor:
    counts = torch.bincount(rows, minlength=n_rows)
    indptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return sparse_matrix(indptr, columns, values, n_columns)


class LinkedCustomers(nn.Module):
    """A node for the customers that a customer is linked to; Eq. (10) over what they took.

    ``node = embedding + strength * gelu(mean of their products' vectors, W)``. At every moment
    only what they took on days before it counts, the later and the firmer the link, the more;
    where there is nothing yet, there is no node.

    Shapes: a batch and products [N, D] -> vectors [B, T + 1, D], and where there is one [B, T + 1].

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(width) * 0.02)
        self.strength = nn.Parameter(torch.ones(()))
        self.project = Linear(width, width, bias=False)
        nn.init.eye_(self.project.weight)

    def forward(self, batch, products: Tensor) -> tuple[Tensor, Tensor]:
        """The node at every moment; the one at token t is as it was before event t."""
        days = asked(batch.days, batch.asof_day, batch.lengths)  # [B, T + 1]
        age = (days[:, :, None] - batch.near_days[:, None]).float()  # [B, T + 1, F]
        weight = batch.near_weights[:, None] * 0.5 ** (age / nodes.HALF_LIFE_DAYS).clamp(min=0)
        weight = torch.where(age > 0, weight, 0.0)
        total = weight.sum(-1)
        mean = (weight / total[..., None].clamp(min=1e-9)) @ F.embedding(batch.near, products)
        return self.embedding + self.strength * F.gelu(self.project(mean)), total > 0


def asked(events: Tensor, now: Tensor, lengths: Tensor) -> Tensor:
    """Values [B, T] of events, with the value [B] of now after each customer's last, [B, T + 1]."""
    return torch.cat([events, now[:, None]], 1).scatter(1, lengths[:, None], now[:, None])


class MarketRegime(nn.Module):
    """The economy's state on the day before a moment, as a vector.

    Never from the future: a row counts from the day after it became known.

    Shapes: days [...] -> [..., D]; zeros before the first row.

    Args:
        days: int64 [R], ascending.
        values: float32 [R, X].
        width: D.
    """

    def __init__(self, days: Tensor, values: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("days", days, persistent=False)
        self.register_buffer("values", values, persistent=False)
        self.project = Linear(values.shape[1], width, bias=False)
        nn.init.normal_(self.project.weight, std=0.02)

    def forward(self, days: Tensor) -> Tensor:
        """Vectors of moments."""
        row = torch.searchsorted(self.days, days.contiguous()) - 1  # the last one before the day
        known = (row >= 0)[..., None]
        return self.project(F.embedding(row.clamp(min=0), self.values)) * known
