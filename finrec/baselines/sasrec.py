"""SASRec: a causal Transformer over product ids alone, with a full softmax.

Stand-in for Zhang et al. (2019), a survey of deep learning in recommenders: Kang and McAuley
(2018), with the full softmax that later work found stronger (Klenitskiy and Vasilev, 2023).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

LENGTH = 50
BATCH = 256


class _Network(nn.Module):
    def __init__(self, n: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.products = nn.Embedding(n + 1, width)  # the last is the start token
        self.places = nn.Embedding(LENGTH + 1, width)
        layer = nn.TransformerEncoderLayer(
            width, 2, 4 * width, dropout, F.gelu, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width),
                                            enable_nested_tensor=False)  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(n))
        nn.init.normal_(self.products.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(self, products: Tensor) -> Tensor:
        """States [B, T + 1, D]; the one at place t has read the t first products [B, T]."""
        start = products.new_full((len(products), 1), len(self.bias))
        x = self.products(torch.cat([start, products], 1)) * self.places.weight.shape[1] ** 0.5
        x = self.dropout(x + self.places.weight[: x.shape[1]])
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device)
        out: Tensor = self.layers(x, mask=mask, is_causal=True)
        return out

    def logits(self, states: Tensor) -> Tensor:
        """Scores of all products, [S, N]."""
        return states @ self.products.weight[:-1].T + self.bias


class SASRec:
    """SASRec with a start token, so that customers without a past are served too.

    Args:
        epochs: passes over the customers.
        dropout: on inputs and in the layers.
        rate: peak learning rate, falling along a cosine.
        width: D.
        layers: of the Transformer.
        seed: of weights, batches and dropout.
    """

    def __init__(
        self,
        epochs: int = 10,
        dropout: float = 0.3,
        rate: float = 1e-3,
        width: int = 128,
        layers: int = 2,
        seed: int = 0,
    ) -> None:
        self.epochs, self.dropout, self.rate = epochs, dropout, rate
        self.width, self.layers, self.seed = width, layers, seed
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> SASRec:
        """Foretell every event of the training histories from those before."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n = len(split.catalogue)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = _Network(n, self.width, self.layers, self.dropout)
            self._learn(known, np.random.default_rng(self.seed))
        self.parameters = sum(p.numel() for p in self.network.parameters())
        return self

    def _learn(self, known: Cohort, rng: np.random.Generator) -> None:
        network = self.network.train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.rate, betas=(0.9, 0.98))
        lengths = np.minimum(known.lengths, LENGTH)
        steps = self.epochs * -(-len(known) // BATCH)
        warm = max(1, steps // 20)

        def course(step: int) -> float:
            return min(1.0, (step + 1) / warm) * (0.05 + 0.475 * (1 + np.cos(np.pi * step / steps)))

        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, course)
        for _ in range(self.epochs):
            order = np.argsort(lengths + rng.uniform(0, 2, len(lengths)), kind="stable")
            batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
            for index in rng.permutation(len(batches)):
                products, real = _padded(known, batches[index])
                states = network(products)[:, :-1][real]
                loss = F.cross_entropy(network.logits(states), products[real])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                rates.step()

    @torch.inference_mode()
    def score(self, customers: Cohort) -> np.ndarray:
        """Logits, float32 [B, N]."""
        network = self.network.eval()
        out = np.empty((len(customers), len(network.bias)), dtype=np.float32)
        order = np.argsort(np.minimum(customers.lengths, LENGTH), kind="stable")
        for start in range(0, len(order), 512):
            rows = order[start : start + 512]
            products, real = _padded(customers, rows)
            states = network(products)[torch.arange(len(rows)), real.sum(1)]
            out[rows] = network.logits(states).numpy()
        return out


def _padded(customers: Cohort, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Products of the latest events [B, T], padded behind, and where they are real."""
    counts = np.minimum(customers.lengths[rows], LENGTH)
    width = int(counts.max(initial=0))
    real = np.arange(width) < counts[:, None]
    source = (customers.offsets[rows + 1] - counts)[:, None] + np.arange(width)
    products = np.zeros(real.shape, dtype=np.int64)
    products[real] = customers.products[source[real]]
    return torch.from_numpy(products), torch.from_numpy(real)
