"""A trained network as a scorer: many customers at once, of like length, without padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from finrec.features import sequences
from finrec.networks.recommender import FusedRecommender
from finrec.scorer import Cohort
from finrec.training.product_vectors import product_vectors

if TYPE_CHECKING:
    from finrec.training.assemble import Inputs


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

    @torch.inference_mode()
    def score(self, customers: Cohort, batch: int = 512) -> np.ndarray:
        """Scores, float32 [B, N]; see :class:`finrec.scorer.Scorer`."""
        net = self.network.eval()
        products = product_vectors(net)
        vectors = products.new_empty(len(customers), products.shape[1])
        batches = [
            (torch.from_numpy(rows).to(products.device), tensors)
            for rows, tensors in self._batches(customers, batch)
        ]
        for slab in sequences.slabs(batches):
            rows = torch.cat([rows for rows, _ in slab])
            vectors[rows] = net.customers_of([tensors for _, tensors in slab], products)
        out = np.empty((len(customers), len(products)), dtype=np.float32)
        # On a CPU the products are written where they are wanted, once.
        scores = torch.from_numpy(out) if products.device.type == "cpu" else None
        scores = net.match(vectors, products, net.prior(), scores)
        for rows, tensors in batches:
            net.add_to(scores, rows, tensors, products)
        return scores.cpu().numpy()
