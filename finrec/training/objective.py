"""The loss of a batch of customers: each of their events foretold from what came before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from finrec.config import RunSettings
from finrec.features import sequences
from finrec.networks.recommender import FusedRecommender
from finrec.networks.timing import waits
from finrec.scorer import TAKEN, Cohort
from finrec.training import balance
from finrec.training.assemble import Inputs, hidden_edges
from finrec.training.losses import sampled_softmax, softmax_of_scores, softmax_over_catalogue

MOST_SETTLED = 50_000  # customers


class Objective:
    """The loss as the settings ask for it.

    Args:
        net: being learned.
        given: its inputs.
        histories: one a customer.
        settings: of the run.
    """

    def __init__(
        self, net: FusedRecommender, given: Inputs, histories: Cohort, settings: RunSettings
    ) -> None:
        self.net, self.given, self.histories, self.settings = net, given, histories, settings
        self.device = net.bias.device
        self.encoded = sequences.encode(histories, given.customers)
        # Where nearly all of a history is of one moment, its events are asked one after the other:
        # asked for together, before the first, none would be learned from another.
        baskets = settings.train.baskets and settings.protocol == "R2"
        self.baskets = baskets and sequences.ordered(self.encoded)
        self.lengths = np.minimum(histories.lengths, settings.model.length)
        n_products = len(given.catalogue)
        self.weights = balance.event_weights(histories, n_products, settings.train)
        kept = balance.kept(histories, n_products, settings.train)
        self.kept = None if kept is None else torch.from_numpy(kept).to(self.device)
        self.sold = net.known.nonzero()[:, 0]
        self.place = net.known.cumsum(0) - 1  # of a known product among the known

    def __call__(self, rows: np.ndarray) -> Tensor:
        """Loss of the customers at these rows, a scalar with gradient."""
        train = self.settings.train
        batch = sequences.batch(self.encoded, rows, self.settings.model.length, self.baskets)
        batch = batch.to(self.device)
        hidden = None
        if train.hide_own_edges:
            hidden = hidden_edges(self.given, self.histories, rows, self.device)
        products = self.net.products(hidden)
        real = batch.real()  # [B, T]
        states, memory = self.net.moments(batch, products)
        second = self._timing(batch, memory)
        if self.baskets:
            asked = batch.asked[..., None].expand(-1, -1, states.shape[-1])
            states = states.gather(1, asked)[real]  # [S, D]
        else:
            place = real.flatten().nonzero()[:, 0]
            states = states[:, :-1].flatten(0, 1).index_select(0, place)
        targets = batch.products[real]
        weights = self._weights(rows, targets)
        added = self.net.own_past(batch, products)
        common = None if self.net.trend is None else self.net.trend.before_each(batch)
        table: Tensor = products
        bias: Tensor = self.net.bias
        if not self.net.all_known:  # what was never sold is nobody's negative
            table, bias = table.index_select(0, self.sold), bias[self.sold]
            targets = self.place[targets]
            if added is not None:
                added = (added[0], self.place[added[1]], added[2])
            if common is not None:
                common = replace(common, values=common.values[:, self.net.known])
        how = (weights, train.smoothing, train.focal, added, common)
        if self.net.matching is not None:
            scores = self.net.match(states, table, bias)
            return softmax_of_scores(scores, targets, *how) + second
        states, table = self.net.sides(states, table)
        if train.negatives:
            return sampled_softmax(states, table, bias, targets, train.negatives, *how) + second
        return softmax_over_catalogue(states, table, bias, targets, *how) + second

    @torch.no_grad()
    def settle(self) -> None:
        """Solve the second task for the states as they are now learned; nothing else changes."""
        head = self.net.timing
        if head is None or not self.settings.train.timing:
            return
        self.net.eval()
        products = self.net.products()
        found: list[tuple[Tensor, ...]] = []
        rows = np.flatnonzero(self.lengths > 0)
        if len(rows) > MOST_SETTLED:
            drawn = np.random.default_rng(self.settings.train.seed).permutation(len(rows))
            rows = rows[np.sort(drawn[:MOST_SETTLED])]
        for part in sequences.bucketed(self.lengths[rows], 512):
            batch = sequences.batch(self.encoded, rows[part], self.settings.model.length)
            batch = batch.to(self.device)
            memory = self.net.memory(batch, products)
            last, *wait = waits(batch, torch.tensor(TAKEN, device=self.device))
            found.append((memory[:, 1:][last], *wait))
        if found:
            head.settle(*map(torch.cat, zip(*found, strict=True)))

    def _timing(self, batch: sequences.Batch, memory: Tensor) -> Tensor | float:
        """Weighted loss of the second task; 0 where there is none."""
        head = self.net.timing
        if head is None or not self.settings.train.timing:
            return 0.0
        last, days, ended = waits(batch, torch.tensor(TAKEN, device=self.device))
        found: Tensor = head.loss(head(memory[:, 1:][last]), days, ended)
        return self.settings.train.timing * found

    def _weights(self, rows: np.ndarray, targets: Tensor) -> Tensor | None:
        """Weight of each target, float [S]; None when all count the same."""
        weights = None
        if self.weights is not None:
            ends = self.histories.offsets[rows + 1]
            counts = self.lengths[rows]
            parts = [self.weights[e - n : e] for e, n in zip(ends, counts, strict=True)]
            weights = torch.from_numpy(np.concatenate(parts)).to(self.device)
        if self.kept is not None:
            stays = torch.rand(len(targets), device=self.device) < self.kept[targets]
            weights = stays.float() if weights is None else weights * stays
        return weights
