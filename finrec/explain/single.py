"""The score of one product alone: the same as the network's, cheaper, and smooth in what is there.

Shapes: B variants of a customer, T events, A attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from finrec.explain import variants
from finrec.features import sequences
from finrec.features.sequences import Batch, Encoded
from finrec.networks.repeats import own_past
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer

BATCH = 512


@dataclass(frozen=True)
class OneOffer:
    """How well one product fits, without the rest of the catalogue.

    Args:
        scorer: a trained network.
        offer: catalogue index.
        table: product vectors [N, D].
    """

    scorer: FusedScorer
    offer: int
    table: Tensor

    @cached_property
    def path_row(self) -> Tensor | None:
        """Weight of the paths from each product to the offer, float32 [N]; None without a graph."""
        given = self.scorer.given.paths
        if given is None or self.scorer.network.paths is None:
            return None
        row = np.zeros(len(self.table), dtype=np.float32)
        cells = slice(int(given.indptr[self.offer]), int(given.indptr[self.offer + 1]))
        row[given.indices[cells]] = given.values[cells]
        return torch.from_numpy(row).to(self.table.device)

    def smooth(
        self, batch: Batch, present: Tensor | None = None, start: Tensor | None = None
    ) -> Tensor:
        """Scores [B], with each event there to a degree.

        Args:
            batch: B customers.
            present: float [B, T], 1: the event's product is known, 0: it is not; events keep
                their kind and time.
            start: profile vectors [B, D] in place of the customers' own.
        """
        network = self.scorer.network
        if start is None:
            start = network.profile(batch.numbers, batch.categories)  # [B, D]
        events = F.embedding(batch.products, self.table)  # [B, T, D]
        if present is not None:
            events = events * present[..., None]
        sequence = network.behaviour(start, events, batch)
        towers = network.towers(start, events, sequence, network.around(batch, self.table))
        states = network.fusion(sequence, towers)
        rows = torch.arange(len(batch.lengths), device=self.table.device)
        one = slice(self.offer, self.offer + 1)
        prior = network.prior()[one]
        out = network.match(states[rows, batch.lengths], self.table[one], prior)[:, 0]
        if network.repeats is not None:
            edges = network.repeats.edges
            assert isinstance(edges, Tensor)
            past = own_past(batch, edges, asked=False)
            of_offer = past.products == self.offer
            added = network.repeats(self.table, past)
            if present is not None and present.shape[1]:
                here = (batch.products == self.offer) & batch.real()
                last = here.shape[1] - 1 - here.flip(1).float().argmax(1)
                added = added * present[rows, last][past.rows]
            out = out.index_add(0, past.rows[of_offer], added[of_offer])
        if network.trend is not None:
            late = network.trend(batch.asof_day, batch.lengths)
            out = out + late.values[late.of_row, self.offer]
        if network.paths is not None and self.path_row is not None:
            age = (
                batch.lengths[:, None]
                - 1
                - torch.arange(batch.products.shape[1], device=self.table.device)
            )
            decay = torch.where(age >= 0, network.paths.decay ** age.clamp(min=0), 0.0)
            walks = self.path_row[batch.products] * decay
            walks = (walks if present is None else walks * present).sum(1)
            out = out + network.paths.strength * torch.log1p(network.paths.sharpness * walks)
        return out

    def of(self, many: Cohort) -> np.ndarray:
        """Scores of customers, float32 [B]; equal to the network's own column."""
        return self._of(sequences.encode(many, self.scorer.given.customers))

    def without(self, customer: Cohort, removed: list[tuple[int, ...]]) -> np.ndarray:
        """Scores [variants] of one customer, less the events at these places in each variant."""
        many = variants.without(customer, removed, self.scorer.length)
        return self._of(variants.encoded(self.scorer, many))

    @torch.no_grad()
    def _of(self, encoded: Encoded) -> np.ndarray:
        lengths = np.minimum(encoded.customers.lengths, self.scorer.length)
        out = np.empty(len(lengths), dtype=np.float32)
        for rows in sequences.bucketed(lengths, BATCH):
            batch = sequences.batch(encoded, rows, self.scorer.length).to(self.table.device)
            out[rows] = self.smooth(batch).cpu().numpy()
        return out


def one_offer(scorer: FusedScorer, offer: int, table: Tensor | None = None) -> OneOffer:
    """The scorer of one product; product vectors are taken where they are at hand."""
    return OneOffer(scorer, offer, variants.vectors(scorer) if table is None else table)
