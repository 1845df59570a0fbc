"""Graph networks over the customer-product graph: product vectors, and a customer's own node.

Equations of the paper's section "GNN": (9) general form, (10) GCN, (11) GAT, (12) its
coefficients.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.networks.linear import Linear

GraphKind = Literal["gcn", "gat", "gatv2", "lightgcn"]


@dataclass(frozen=True)
class Hidden:
    """Edges of a batch's own customers, hidden from the graph while they are learned from.

    Otherwise every product to be predicted would be a graph neighbour of the history because of
    this very customer, which is never so for a customer's real next product.

    Args:
        left, right: product indices, int64.
        values: normalised weights to take away, float32.
    """

    left: Tensor
    right: Tensor
    values: Tensor


class Spread(torch.autograd.Function):
    """``A @ x`` for a fixed sparse A, given with its transpose, which the gradient needs."""

    @staticmethod
    def forward(ctx, matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
        """``matrix @ x``."""
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx, grad: Tensor):
        """Of x alone."""
        return None, None, ctx.transposed @ grad.contiguous()


class ProductGraph(nn.Module):
    """K layers over the paths product - customer - product. Eq. (9) to (12).

    Customers without own features pass on what their products send, so two hops of the bipartite
    graph are one hop here. ``lightgcn`` adds the neighbours' mean with one learned weight a layer;
    ``gcn`` is Eq. (10) with its weight matrix and activation; ``gat`` and ``gatv2`` weigh
    neighbours by Eq. (12) and Brody et al. (2022) through PyTorch Geometric.

    Differs from the paper: the result is the input plus every layer's output, each with a learned
    weight (with attention each layer adds to its own input), because without it products with few
    neighbours lose their own vector; and only with attention is a node among its own neighbours.

    Shapes: x [N, D] -> [N, D].
    """

    def __init__(
        self,
        kind: GraphKind,
        layers: int,
        width: int,
        indptr: Tensor,
        indices: Tensor,
        values: Tensor,
        neighbours: int = 0,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.neighbours = neighbours
        self.register_buffer("indptr", indptr, persistent=False)
        self.register_buffer("indices", indices, persistent=False)
        self.register_buffer("values", values, persistent=False)
        self._matrix: Tensor | None = None
        self.strength = nn.Parameter(torch.ones(layers))
        if kind == "gcn":
            self.convolutions = nn.ModuleList(
                Linear(width, width, bias=False) for _ in range(layers)
            )
            for layer in self.convolutions:
                nn.init.eye_(layer.weight)
        elif kind in ("gat", "gatv2"):
            # Imported where needed: the library takes seconds to load.
            from torch_geometric.nn import GATConv, GATv2Conv

            layer_type = GATConv if kind == "gat" else GATv2Conv
            self.convolutions = nn.ModuleList(
                layer_type(width, width, heads=1, add_self_loops=True) for _ in range(layers)
            )
        else:
            self.convolutions = nn.ModuleList()

    def _apply(self, fn, recurse: bool = True):
        self._matrix = None  # made anew on the device that the module moves to
        return super()._apply(fn, recurse)

    def matrix(self) -> Tensor:
        """The normalised adjacency, sparse CSR [N, N]."""
        if self._matrix is None:
            self._matrix = sparse_matrix(self.indptr, self.indices, self.values)
        return self._matrix

    def edges(self) -> Tensor:
        """Edges from neighbour to product, int64 [2, E]."""
        counts = self.indptr[1:] - self.indptr[:-1]
        rows = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        return torch.stack([self.indices, rows])

    def forward(self, x: Tensor, hidden: Hidden | None = None) -> Tensor:
        """Product vectors with their neighbourhood.

        Args:
            x: float [N, D].
            hidden: edges to leave out in this pass (not for the attention kinds, whose
                coefficients would all change; they drop edges at random instead).
        """
        if self.kind in ("gat", "gatv2"):
            return self._attend(x)
        layer_input = x
        for i, strength in enumerate(self.strength):
            spread = Spread.apply(self.matrix(), self.matrix(), layer_input)  # symmetric; [N, D]
            if hidden is not None:
                message = F.embedding(hidden.right, layer_input) * hidden.values[:, None]
                spread.index_add_(0, hidden.left, message, alpha=-1)
            if self.kind == "gcn":
                spread = F.gelu(self.convolutions[i](spread))
            layer_input = spread
            x = x + strength * spread
        return x

    @torch.no_grad()
    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """Eq. (12): how much each product's node takes of each neighbour, mean over the layers.

        Args:
            x: what :meth:`forward` is given, float [N, D].

        Returns:
            Neighbour and product of each edge, int64 [2, E], every product itself among its
            neighbours; and the coefficients, float [E], which add up to 1 for each product. None
            for kinds without attention, whose weights are those of :meth:`matrix`.
        """
        if self.kind not in ("gat", "gatv2"):
            return None
        edges, shares = self.edges(), []
        for convolution, strength in zip(self.convolutions, self.strength, strict=True):
            out, (found, share) = convolution(x, edges, return_attention_weights=True)
            shares.append(share[:, 0])
            x = x + strength * F.elu(out)
        return found, torch.stack(shares).mean(0)

    def _attend(self, x: Tensor) -> Tensor:
        edges = self.edges()
        if self.training and self.neighbours:
            edges = edges[:, drawn(self.indptr, self.values, self.neighbours)]
        elif self.training:
            edges = edges[:, torch.rand(edges.shape[1], device=edges.device) > 0.3]
        for convolution, strength in zip(self.convolutions, self.strength, strict=True):
            x = x + strength * F.elu(convolution(x, edges))
        return x


def drawn(indptr: Tensor, weights: Tensor, most: int) -> Tensor:
    """A sample of at most so many edges of each row, the heavier the likelier.

    Without replacement, by exponential keys (Efraimidis and Spirakis, 2006); Hamilton et al.
    (2017) sample neighbours like this so that a step's cost does not grow with the graph.

    Args:
        indptr: compressed rows, int64 [N + 1].
        weights: of the edges, float [E], positive.
        most: edges kept of each row.

    Returns:
        Places of the edges kept, ascending, int64.
    """
    counts = indptr[1:] - indptr[:-1]
    rows = torch.repeat_interleave(torch.arange(len(counts), device=indptr.device), counts)
    keys = torch.empty_like(weights).exponential_() / weights
    order = torch.argsort(keys)
    order = order[torch.argsort(rows[order], stable=True)]  # by row, smallest key first
    place = torch.arange(len(order), device=order.device) - indptr[:-1][rows[order]]
    return order[place < most].sort().values


def sparse_matrix(
    indptr: Tensor, indices: Tensor, values: Tensor, columns: int | None = None
) -> Tensor:
    """A sparse CSR tensor of compressed rows, square unless ``columns`` says otherwise."""
    n = len(indptr) - 1
    with warnings.catch_warnings():  # torch calls the layout a beta; a test checks it
        warnings.filterwarnings("ignore", message="Sparse")
        shape = (n, n if columns is None else columns)
        return torch.sparse_csr_tensor(indptr, indices, values, shape, check_invariants=False)


@dataclass(frozen=True)
class Around:
    """What a customer's node is linked to besides its own products.

    Args:
        attributes: nodes of attributes, float [B, A, D]; A may be 0.
        linked: node of linked customers at every moment, float [B, T + 1, D]; None without.
        there: where there is such a node, bool [B, T + 1].
        now: moment after the last event, int64 [B].
    """

    attributes: Tensor
    linked: Tensor | None = None
    there: Tensor | None = None
    now: Tensor | None = None


class CustomerNode(nn.Module):
    """A customer's node: attention over itself, what is around it and its products. Eq. (12).

    Inductive and causal: the node at moment t has the products of events before t as neighbours,
    so that nobody's future is seen and a new customer needs no training.

    Shapes: own [B, D], products [B, T, D] -> [B, T + 1, D].
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = Linear(width, width, bias=False)
        self.of_customer = nn.Parameter(torch.zeros(width))
        self.of_product = nn.Parameter(torch.zeros(width))

    def _weighed(self, nodes: Tensor, own: Tensor) -> Tensor:
        """Exponents of Eq. (12), between -20 and 20 so that no prefix sum loses its early terms.

        Args:
            nodes: projected neighbours, [B, X, D].
            own: the projected customer, [B, 1, D].
        """
        return self._exponents(nodes @ self.of_product + own @ self.of_customer)

    @staticmethod
    def _exponents(logits: Tensor) -> Tensor:
        return 20 * torch.tanh(F.leaky_relu(logits, 0.2) / 20)

    @staticmethod
    def _raw(own: Tensor, products: Tensor, around: Around | None) -> Tensor:
        """The customer, its attributes, its products, [B, 1 + A + T, D], not projected."""
        first = own[:, None]
        always = first if around is None else torch.cat([first, around.attributes], 1)
        return torch.cat([always, products], 1)

    def forward(self, own: Tensor, products: Tensor, around: Around | None = None) -> Tensor:
        """Sums over prefixes, so all moments cost one pass."""
        nodes = self.project(self._raw(own, products, around))
        share = self._weighed(nodes, nodes[:, :1]).exp()[..., None]  # [B, 1 + A + T, 1]
        first = nodes.shape[1] - products.shape[1] - 1  # attributes are known from the beginning
        taken, total = (share * nodes).cumsum(1)[:, first:], share.cumsum(1)[:, first:]
        if around is not None and around.linked is not None:
            linked = self.project(around.linked)  # [B, T + 1, D]
            more = self._weighed(linked, nodes[:, :1]).exp() * around.there
            taken, total = taken + more[..., None] * linked, total + more[..., None]
        return F.elu(taken / total)

    def _shares(
        self, own: Tensor, products: Tensor, real: Tensor, around: Around | None
    ) -> tuple[Tensor, Tensor]:
        """Neighbours, not projected, and their coefficients after the last real event.

        Returns:
            [B, 1 + A + T, D] and [B, 1 + A + T]; where customers are linked, one more at the end.
        """
        nodes = self._raw(own, products, around)
        always = nodes.shape[1] - products.shape[1]
        seen = torch.cat([real[:, :1].expand(-1, always), real[:, 1:]], 1)
        if around is not None and around.linked is not None:
            row, now = torch.arange(len(real), device=real.device), around.now
            nodes = torch.cat([nodes, around.linked[row, now][:, None]], 1)
            seen = torch.cat([seen, around.there[row, now][:, None]], 1)
        # a . (W n) = (W^T a) . n: one vector is projected in place of every node.
        of_node, of_own = (
            self.of_product @ self.project.weight,
            self.of_customer @ self.project.weight,
        )
        weighed = self._exponents(nodes @ of_node + own[:, None] @ of_own)
        return nodes, weighed.masked_fill(~seen, float("-inf")).softmax(1)

    def last(
        self, own: Tensor, products: Tensor, real: Tensor, around: Around | None = None
    ) -> Tensor:
        """The node after the last real event alone, [B, 1, D]; ``real`` is bool [B, T + 1]."""
        nodes, share = self._shares(own, products, real, around)
        return F.elu(self.project(share[:, None] @ nodes))

    def coefficients(
        self, own: Tensor, products: Tensor, real: Tensor, around: Around | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Eq. (12) after the last real event.

        Returns:
            [B, T + 1]: the customer itself, then each event; [B, A]: each attribute node; [B, L]:
            the node of linked customers, L being 0 or 1. Together they add up to 1.
        """
        share = self._shares(own, products, real, around)[1]
        count = 0 if around is None else around.attributes.shape[1]
        end = 1 + count + products.shape[1]
        own_and_events = torch.cat([share[:, :1], share[:, count + 1 : end]], 1)
        return own_and_events, share[:, 1 : count + 1], share[:, end:]
