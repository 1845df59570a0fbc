"""LightGCN: embeddings of customers and products, spread over their graph and averaged."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

from finrec.baselines.itemcf import histories
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

BATCH = 2048


class LightGCN:
    """He et al. (2020), learned by BPR with one negative a pair.

    A customer who was not learned from gets the mean of the products' vectors in the history, as
    one step of the same spreading would; without a history, popularity decides.

    Args:
        epochs: passes over the pairs.
        layers: K, steps over the graph.
        rate: of Adam.
        width: D.
        penalty: of the first layer's embeddings.
        seed: of embeddings, batches and negatives.
    """

    def __init__(
        self,
        epochs: int = 20,
        layers: int = 2,
        rate: float = 5e-3,
        width: int = 64,
        penalty: float = 1e-4,
        seed: int = 0,
    ) -> None:
        self.epochs, self.layers, self.rate = epochs, layers, rate
        self.width, self.penalty, self.seed = width, penalty, seed
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> LightGCN:
        """Learn embeddings on the training pairs."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n = len(split.catalogue)
        taken = histories(known, n)
        self.rows = {customer: row for row, customer in enumerate(known.ids)}
        generator = torch.Generator().manual_seed(self.seed)
        size = len(known) + n
        weights = torch.empty(size, self.width).normal_(std=0.1, generator=generator)
        weights.requires_grad_()
        graph = _graph(taken)
        pairs = torch.from_numpy(np.stack(taken.nonzero())).long()
        optimizer = torch.optim.Adam([weights], lr=self.rate)
        for _ in range(self.epochs):
            order = torch.randperm(pairs.shape[1], generator=generator)
            for chosen in order.split(BATCH):
                customer, product = pairs[:, chosen]
                other = torch.randint(n, product.shape, generator=generator)
                vectors = self._spread(graph, weights)
                own, good = vectors[customer], vectors[len(known) + product]
                bad = vectors[len(known) + other]
                first = weights[torch.cat([customer, len(known) + product, len(known) + other])]
                loss = -F.logsigmoid((own * (good - bad)).sum(1)).mean()
                loss = loss + self.penalty * first.square().sum() / len(chosen)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            vectors = self._spread(graph, weights)
        self.customers = vectors[: len(known)].numpy()
        self.products = vectors[len(known) :].numpy()
        self.parameters = weights.numel()
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popularity = counts / max(counts.sum(), 1)
        return self

    def _spread(self, graph: Tensor, weights: Tensor) -> Tensor:
        layer, total = weights, weights
        for _ in range(self.layers):
            layer = _Spread.apply(graph, layer)  # type: ignore[no-untyped-call]
            total = total + layer
        return total / (self.layers + 1)

    def score(self, customers: Cohort) -> np.ndarray:
        """Dot products, float32 [B, N]."""
        row = np.array([self.rows.get(c, -1) for c in customers.ids], dtype=np.int64)
        own = np.where(row[:, None] >= 0, self.customers[row], 0.0)
        new = (row < 0) & (customers.lengths > 0)
        if new.any():
            past = histories(customers.take(np.flatnonzero(new)), len(self.products))
            own[new] = past @ self.products / np.maximum(past.sum(1).A1[:, None], 1)
        scores = own @ self.products.T + 1e-6 * self.popularity
        return np.asarray(scores, dtype=np.float32)


class _Spread(torch.autograd.Function):
    """A fixed symmetric sparse matrix times x, with the gradient of x only."""

    @staticmethod
    def forward(ctx, matrix, x):  # type: ignore[no-untyped-def]
        ctx.matrix = matrix
        return matrix @ x

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return None, ctx.matrix @ grad.contiguous()


def _graph(taken: sparse.csr_matrix) -> Tensor:
    """The normalised adjacency of customers and products, sparse CSR."""
    full = sparse.bmat([[None, taken], [taken.T, None]]).tocsr()
    root = 1 / np.sqrt(np.maximum(full.sum(1).A1, 1))
    scaled = (sparse.diags(root) @ full @ sparse.diags(root)).tocsr().astype(np.float32)
    import warnings

    with warnings.catch_warnings():  # torch calls the layout a beta
        warnings.filterwarnings("ignore", message="Sparse")
        return torch.sparse_csr_tensor(
            torch.from_numpy(scaled.indptr).long(),
            torch.from_numpy(scaled.indices).long(),
            torch.from_numpy(scaled.data),
            scaled.shape,
        )
