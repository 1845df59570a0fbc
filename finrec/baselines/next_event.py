"""What networks over ids share: each event is foretold from those before, with a full softmax.

Logits are cosines times a constant, as in CORE (Hou et al., 2022): on Amazon Beauty that learned
faster than plain dot products did.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.features import sequences
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

LENGTH = 50  # most recent events read
SHARPNESS = 16.0  # of the softmax over cosines; one over the temperature


class NextEventNetwork(nn.Module):
    """Product vectors, shared by input and output, and a start token.

    Args:
        n: N, products.
        width: D.
        dropout: on the inputs.
    """

    def __init__(self, n: int, width: int, dropout: float) -> None:
        super().__init__()
        self.products = nn.Embedding(n + 1, width)  # the last is the start token
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.products.weight, std=0.02)

    def tokens(self, products: Tensor) -> Tensor:
        """Start token and events [B, T] as vectors, float [B, T + 1, D]."""
        start = products.new_full((len(products), 1), self.products.num_embeddings - 1)
        width = self.products.weight.shape[1]
        vectors: Tensor = self.products(torch.cat([start, products], 1)) * width**0.5
        return vectors

    def forward(self, products: Tensor, lengths: Tensor) -> Tensor:
        """States [B, T + 1, D]; the one at place t has read the t first products.

        Args:
            products: int64 [B, T], padded behind.
            lengths: int64 [B], real events.
        """
        raise NotImplementedError

    def logits(self, states: Tensor) -> Tensor:
        """Scores of all products, [S, N]."""
        directions = F.normalize(self.products.weight[:-1], dim=-1)
        return (SHARPNESS * F.normalize(states, dim=-1)) @ directions.T


class NextEvent:
    """Learns a :class:`NextEventNetwork`; customers without a past get what the start foretells.

    Args:
        epochs: passes over the customers.
        dropout: of the network.
        rate: peak learning rate, warmed up, then falling along a cosine.
        width: D.
        layers: of the network.
        batch: customers in a batch.
        seed: of weights, batches and dropout.
        smoothing: share of each target that is spread over all products (Szegedy et al., 2016).
    """

    network: NextEventNetwork

    def __init__(
        self,
        epochs: int,
        dropout: float,
        rate: float,
        width: int,
        layers: int,
        batch: int,
        seed: int,
        smoothing: float = 0.0,
    ) -> None:
        self.smoothing = smoothing
        self.epochs, self.dropout, self.rate = epochs, dropout, rate
        self.width, self.layers, self.batch, self.seed = width, layers, batch, seed
        self.parameters = 0

    def build(self, n: int) -> NextEventNetwork:
        """The network for N products."""
        raise NotImplementedError

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Self:
        """Foretell every event of the training histories from those before.

        But for events by which something was given up, which are only read.
        """
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = self.build(len(split.catalogue))
            self._learn(known)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        return self

    def _learn(self, known: Cohort) -> None:
        rng = np.random.default_rng(self.seed)
        network = self.network.train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.rate, betas=(0.9, 0.98))
        lengths, taken = np.minimum(known.lengths, LENGTH), ~known.given_up
        steps = self.epochs * -(-len(known) // self.batch)
        warm = max(1, steps // 20)

        def course(step: int) -> float:
            return min(1.0, (step + 1) / warm) * (0.05 + 0.475 * (1 + np.cos(np.pi * step / steps)))

        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, course)
        for _ in range(self.epochs):
            for rows in sequences.bucketed(lengths, self.batch, rng):
                real, source, counts = sequences.latest(known, rows, LENGTH)
                told = sequences.padded(real, taken[source])
                if not told.any():
                    continue
                products = sequences.padded(real, known.products[source])
                states = network(products, torch.from_numpy(counts))[:, :-1][told]
                logits = network.logits(states)
                loss = F.cross_entropy(logits, products[told], label_smoothing=self.smoothing)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                rates.step()

    @torch.inference_mode()
    def score(self, customers: Cohort) -> np.ndarray:
        """Logits, float32 [B, N]."""
        network = self.network.eval()
        n = network.products.num_embeddings - 1
        out = np.empty((len(customers), n), dtype=np.float32)
        for rows in sequences.bucketed(np.minimum(customers.lengths, LENGTH), 512):
            products, counts = padded(customers, rows)
            states = network(products, counts)[torch.arange(len(rows)), counts]
            out[rows] = network.logits(states).numpy()
        return out


def padded(customers: Cohort, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Products of the latest events, int64 [B, T], padded behind, and how many are real [B]."""
    real, source, counts = sequences.latest(customers, rows, LENGTH)
    return sequences.padded(real, customers.products[source]), torch.from_numpy(counts)
