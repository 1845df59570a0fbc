"""A trained network as a scorer: many customers at once, of like length, without padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finrec.features import sequences
from finrec.networks.groups import filled
from finrec.networks.recommender import FusedRecommender
from finrec.scorer import Cohort
from finrec.topk import AT_ONCE
from finrec.training.product_vectors import product_vectors

if TYPE_CHECKING:
    from finrec.training.assemble import Inputs

FEW = 32  # customers, up to a multiple of which they are filled: each number needs a kernel


@dataclass(frozen=True)
class FusedScorer:
    """A trained network as a Scorer.

    Args:
        network: the weights.
        given: its inputs.
        length: most recent events read.
    """

    network: FusedRecommender
    given: Inputs
    length: int

    def _batches(
        self, customers: Cohort, size: int
    ) -> Iterator[tuple[np.ndarray, sequences.Batch]]:
        """Rows of customers of like length, with their tensors on the network's device."""
        encoded = sequences.encode(customers, self.given.customers)
        for rows in sequences.tight(np.minimum(customers.lengths, self.length), size):
            batch = sequences.batch(encoded, rows, self.length)
            yield rows, batch.to(self.network.bias.device)

    @torch.inference_mode()
    def chance(
        self, customers: Cohort, window: float, intensity: float = 1.0, batch: int = 512
    ) -> np.ndarray:
        """Chance that each takes anything within so many days from now, float64 [B].

        NaN for customers without events.

        Args:
            customers: B customers.
            window: days.
            intensity: calibration of the hazards.
            batch: customers at once.
        """
        self.network.eval()
        out = np.empty(len(customers))
        products = product_vectors(self.network)
        for rows, tensors in self._batches(customers, batch):
            out[rows] = self.network.chance(tensors, products, window, intensity).cpu().numpy()
        return out

    def score(self, customers: Cohort, batch: int = 512) -> np.ndarray:
        """Scores, float32 [B, N]; see :class:`finrec.scorer.Scorer`."""
        out = np.empty((len(customers), len(self.given.catalogue)), dtype=np.float32)
        whole = torch.from_numpy(out)
        for rows, scores in self.some(customers, batch):
            whole[torch.from_numpy(rows)] = scores.cpu()
        return out

    @torch.no_grad()
    def some(self, customers: Cohort, batch: int = 512) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Scores of some customers after the others, each time few enough for a CPU's cache.

        Args:
            customers: B customers.
            batch: most customers at once.

        Yields:
            Rows of the cohort, int64 [b], and their scores, float32 [b, N], on the network's
            device; the caller may change them.
        """
        net = self.network.eval()
        products = product_vectors(net)
        side, prior = net.product_side(products), net.prior()
        most = max(1, AT_ONCE // max(len(products), 1))
        for slab in sequences.slabs(self._batches(customers, batch)):
            vectors = net.customers_of([tensors for _, tensors in slab], products)
            rows = np.concatenate([of for of, _ in slab])
            for start in range(0, len(rows), most):
                end = min(start + most, len(rows))
                part = filled(vectors[start:end], FEW)
                scores = net.match(part, products, prior, side)[: end - start]
                for place, some in _between(slab, start, end):
                    net.add_to(scores, place.to(scores.device), some, products)
                yield rows[start:end], scores


def _between(
    slab: list[tuple[np.ndarray, sequences.Batch]], start: int, end: int
) -> Iterator[tuple[Tensor, sequences.Batch]]:
    """Those customers of a slab's batches from ``start`` up to ``end``, and their place there."""
    first = 0
    for rows, tensors in slab:
        low, high = max(start - first, 0), min(end - first, len(rows))
        if low < high:
            yield torch.arange(low, high) + (first - start), tensors.part(low, high)
        first += len(rows)
