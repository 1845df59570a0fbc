"""NeuMF: a product of embeddings and a multilayer perceptron, added up to one logit.

He et al. (2017), "Neural Collaborative Filtering", learned with binary cross-entropy and uniform
negatives as there.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.baselines.itemcf import histories
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

PAIRS = 500_000  # customer-product pairs scored at once


class _Network(nn.Module):
    """Both towers have embeddings of their own, of width D each: [GMF | MLP]."""

    def __init__(self, customers: int, products: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.customers = nn.Embedding(customers, 2 * width)
        self.products = nn.Embedding(products, 2 * width)
        # The first layer on [customer, product], as a sum of two maps: shared by all pairs.
        self.of_customer = nn.Linear(width, width)
        self.of_product = nn.Linear(width, width, bias=False)
        self.deep = nn.Sequential(
            nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width // 2), nn.ReLU()
        )
        self.out = nn.Linear(width + width // 2, 1)
        nn.init.normal_(self.customers.weight, std=0.05)
        nn.init.normal_(self.products.weight, std=0.05)
        nn.init.ones_(self.out.weight)

    def forward(self, customers: Tensor, products: Tensor) -> Tensor:
        """Logits of vectors [..., 2 D] that broadcast against each other, [...]."""
        w = self.width
        product = customers[..., :w] * products[..., :w]
        deep = self.deep(self.of_customer(customers[..., w:]) + self.of_product(products[..., w:]))
        weight, bias = self.out.weight[0], self.out.bias
        logits: Tensor = product @ weight[:w] + deep @ weight[w:] + bias
        return logits


class NeuMF:
    """Neural matrix factorisation.

    A customer who was not learned from gets the mean vector of customers with the same products;
    without a history, popularity decides.

    Args:
        epochs: passes over the pairs.
        negatives: products drawn for each pair.
        dropout: in the perceptron.
        rate: of Adam.
        width: D, of each tower's embeddings.
        decay: of all weights.
        seed: of weights, batches and negatives.
    """

    def __init__(
        self,
        epochs: int = 20,
        negatives: int = 4,
        dropout: float = 0.2,
        rate: float = 2e-3,
        width: int = 32,
        decay: float = 1e-2,
        seed: int = 0,
    ) -> None:
        self.epochs, self.negatives, self.dropout = epochs, negatives, dropout
        self.rate, self.width, self.decay, self.seed = rate, width, decay, seed
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> NeuMF:
        """Tell the training pairs from products drawn at random."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n = len(split.catalogue)
        taken = histories(known, n)
        pairs = torch.from_numpy(np.stack(taken.nonzero())).long()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = _Network(len(known), n, self.width, self.dropout)
            self._learn(pairs, n)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self.rows = {customer: row for row, customer in enumerate(known.ids)}
        self.own = self.network.customers.weight.detach().numpy()
        size = np.maximum(np.asarray(taken.sum(0)).ravel(), 1)
        self.takers = np.asarray(taken.T @ self.own) / size[:, None]
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popularity = counts / max(counts.sum(), 1)
        return self

    def _learn(self, pairs: Tensor, n: int) -> None:
        network = self.network.train()
        optimizer = torch.optim.AdamW(network.parameters(), self.rate, weight_decay=self.decay)
        size = min(4096, max(64, pairs.shape[1] // 100))
        for _ in range(self.epochs):
            for chosen in torch.randperm(pairs.shape[1]).split(size):
                customer, product = pairs[:, chosen]
                other = torch.randint(n, (self.negatives, len(chosen)))
                own = network.customers(customer)
                yes = network(own, network.products(product))
                no = network(own, network.products(other))
                loss = F.softplus(-yes).sum() + F.softplus(no).sum()
                optimizer.zero_grad()
                (loss / (yes.numel() + no.numel())).backward()
                optimizer.step()

    @torch.inference_mode()
    def score(self, customers: Cohort) -> np.ndarray:
        """Logits, float32 [B, N]."""
        network, n = self.network.eval(), len(self.popularity)
        row = np.array([self.rows.get(c, -1) for c in customers.ids], dtype=np.int64)
        own = self.own[row]  # of those not learned from: replaced below
        past = histories(customers, n)
        new = (row < 0) & (customers.lengths > 0)
        own[new] = (past[new] @ self.takers) / np.asarray(past[new].sum(1))
        products = network.products.weight
        out = np.empty((len(customers), n), dtype=np.float32)
        step = max(1, PAIRS // n)
        for start in range(0, len(customers), step):
            part = torch.from_numpy(own[start : start + step]).float()
            out[start : start + step] = network(part[:, None], products).numpy()
        out[(row < 0) & (customers.lengths == 0)] = self.popularity
        return out
