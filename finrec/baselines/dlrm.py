"""DLRM: dense features, embeddings and their pairwise dot products.

Naumov et al. (2019), "Deep Learning Recommendation Model for Personalization and Recommendation
Systems". Dense features go through a bottom perceptron, each category has an embedding, the
history is an embedding bag; a top perceptron reads the bottom's output and all pairwise products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.features import profile
from finrec.schema import CUSTOMER
from finrec.scorer import KINDS, SECONDS_PER_DAY, Cohort, cohort
from finrec.split import Fold, Split

BAG = 20  # most recent events in the bag
PAIRS = 200_000  # customer-product pairs scored at once
NOT_TAKEN = [KINDS.index("dropped"), KINDS.index("held")]  # nothing to foretell


@dataclass(frozen=True)
class _State:
    """Customers at a moment: dense [S, F], latest product [S], bag [S, BAG], categories [S, Q]."""

    dense: Tensor
    latest: Tensor
    bag: Tensor
    categories: Tensor

    def take(self, rows: Tensor | slice) -> _State:
        return _State(self.dense[rows], self.latest[rows], self.bag[rows], self.categories[rows])


class _Network(nn.Module):
    def __init__(self, dense: int, customer: tuple[int, ...], product: tuple[int, ...],
                 numbers: int, n: int, width: int, dropout: float) -> None:  # fmt: skip
        super().__init__()
        self.bottom = nn.Sequential(
            nn.Linear(dense, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.products = nn.Embedding(n, width)
        self.latest = nn.Embedding(n + 1, width, padding_idx=n)
        self.bag = nn.EmbeddingBag(n + 1, width, mode="mean", padding_idx=n)
        self.of_customer = nn.ModuleList(nn.Embedding(size, width) for size in customer)
        self.of_product = nn.ModuleList(nn.Embedding(size, width) for size in product)
        self.numbers = nn.Linear(numbers, width) if numbers else None
        for module in self.modules():
            if isinstance(module, nn.Embedding | nn.EmbeddingBag):
                nn.init.normal_(module.weight, std=0.1)
                if module.padding_idx is not None:
                    nn.init.zeros_(module.weight[module.padding_idx])
        left, right = 3 + len(customer), 1 + len(product) + bool(numbers)
        top = 2 * width
        # The top's first layer, as a sum over what belongs to customer, product and pair.
        self.top_customer = nn.Linear(width + left * (left - 1) // 2, top)
        self.top_product = (
            nn.Linear(right * (right - 1) // 2, top, bias=False) if right > 1 else None
        )
        self.top_pair = nn.Linear(left * right, top, bias=False)
        self.top = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Linear(top, 1))

    def customer(self, state: _State) -> tuple[Tensor, Tensor]:
        """Vectors [S, L, D] and their share of the top's first layer [S, H]."""
        bottom = self.bottom(state.dense)
        vectors = [bottom, self.latest(state.latest), self.bag(state.bag)]
        vectors += [e(state.categories[:, i]) for i, e in enumerate(self.of_customer)]
        stacked = torch.stack(vectors, 1)
        return stacked, self.top_customer(torch.cat([bottom, _pairwise(stacked)], 1))

    def product(self, index: Tensor, numbers: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors [P, R, D] of products and their share [P, H]; attributes of the whole catalogue.

        Args:
            index: int64 [P].
            numbers: float32 [N, A].
            codes: int64 [N, C].
        """
        vectors = [self.products(index)]
        vectors += [e(codes[index, i]) for i, e in enumerate(self.of_product)]
        if self.numbers is not None:
            vectors.append(self.numbers(numbers[index]))
        stacked = torch.stack(vectors, 1)
        if self.top_product is None:  # a product is its id alone
            return stacked, stacked.new_zeros(len(index), 1)
        return stacked, self.top_product(_pairwise(stacked))

    def logits(self, pairs: Tensor, customer: Tensor, product: Tensor) -> Tensor:
        """From dot products [..., L R] and the two shares, which broadcast to [..., H]."""
        out: Tensor = self.top(self.top_pair(pairs) + customer + product).squeeze(-1)
        return out


def _pairwise(vectors: Tensor) -> Tensor:
    """Dot products of all pairs, [S, K (K - 1) / 2]."""
    size = vectors.shape[1]
    row, column = torch.triu_indices(size, size, 1)
    return (vectors @ vectors.mT)[:, row, column]


class DLRM:
    """DLRM on each training event as known just before it, against uniform negatives.

    A customer is attributes, recency and what was taken before, not an id: everybody is served.

    Args:
        epochs: passes over the events.
        negatives: products drawn for each event.
        dropout: in the top perceptron.
        rate: of AdamW.
        width: D.
        seed: of weights, batches and negatives.
    """

    def __init__(
        self,
        epochs: int = 10,
        negatives: int = 8,
        dropout: float = 0.1,
        rate: float = 2e-3,
        width: int = 32,
        seed: int = 0,
    ) -> None:
        self.epochs, self.negatives, self.dropout = epochs, negatives, dropout
        self.rate, self.width, self.seed = rate, width, seed
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> DLRM:
        """Tell events from products drawn at random."""
        part, table = fold.train, split.catalogue.table
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        self.profile = profile.fit(split.customers[split.customers[CUSTOMER].isin(known.ids)])
        described = profile.fit(table)
        numbers, codes = described.encode(table)
        self.numbers, self.codes = torch.from_numpy(numbers), torch.from_numpy(codes)
        self.n = len(table)
        events = np.flatnonzero(~np.isin(known.kinds, NOT_TAKEN))
        rows = known.rows()[events]
        state = self._state(known, rows, events, known.times[events])
        target = torch.from_numpy(known.products[events])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = _Network(state.dense.shape[1], self.profile.sizes, described.sizes,
                                    numbers.shape[1], self.n, self.width, self.dropout)  # fmt: skip
            self._learn(state, target)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        return self

    def _learn(self, state: _State, target: Tensor) -> None:
        network = self.network.train()
        optimizer = torch.optim.AdamW(network.parameters(), self.rate, weight_decay=1e-2)
        size = min(2048, max(64, len(target) // 100))
        for _ in range(self.epochs):
            for chosen in torch.randperm(len(target)).split(size):
                other = torch.randint(self.n, (len(chosen), self.negatives))
                index = torch.cat([target[chosen, None], other], 1)  # [S, 1 + negatives]
                vectors, own = network.customer(state.take(chosen))
                goods, share = network.product(index.ravel(), self.numbers, self.codes)
                goods = goods.view(*index.shape, *goods.shape[1:])
                pairs = torch.einsum("sld,snrd->snlr", vectors, goods).flatten(2)
                logits = network.logits(pairs, own[:, None], share.view(*index.shape, -1))
                loss = (F.softplus(-logits[:, 0]).sum() + F.softplus(logits[:, 1:]).sum()) / (
                    logits.numel()
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def _state(
        self, customers: Cohort, rows: np.ndarray, until: np.ndarray, asof: np.ndarray
    ) -> _State:
        """Customers ``rows`` as known before event ``until`` of the cohort, at ``asof``."""
        first = customers.offsets[rows]
        back = until[:, None] - 1 - np.arange(BAG)  # [S, BAG], latest first
        inside = back >= first[:, None]
        stored = np.append(customers.products, self.n)  # so that an empty cohort can be read
        bag = np.where(inside, stored[np.where(inside, back, -1)], self.n)
        warm = inside[:, 0]
        times = np.append(customers.times, 0)
        since = np.where(warm, asof - times[np.where(warm, until - 1, -1)], 0) / SECONDS_PER_DAY
        month = (asof // SECONDS_PER_DAY % 365.25) * (2 * np.pi / 365.25)
        numbers, codes = self.profile.encode(customers.profile)
        dense = np.column_stack(
            [warm, np.log1p(np.maximum(since, 0)), np.log1p(until - first), np.sin(month),
             np.cos(month), numbers[rows]]
        )  # fmt: skip
        return _State(
            torch.from_numpy(dense.astype(np.float32)),
            torch.from_numpy(bag[:, 0]),
            torch.from_numpy(bag),
            torch.from_numpy(codes[rows]),
        )

    @torch.inference_mode()
    def score(self, customers: Cohort) -> np.ndarray:
        """Logits, float32 [B, N]."""
        network = self.network.eval()
        everybody = np.arange(len(customers))
        state = self._state(customers, everybody, customers.offsets[1:], customers.asof)
        goods, share = network.product(torch.arange(self.n), self.numbers, self.codes)
        flat = goods.flatten(0, 1).T  # [D, N R]
        out = np.empty((len(customers), self.n), dtype=np.float32)
        step = max(1, PAIRS // self.n)
        for start in range(0, len(customers), step):
            part = slice(start, start + step)
            vectors, own = network.customer(state.take(part))
            dots = (vectors @ flat).unflatten(2, goods.shape[:2])  # [S, L, N, R]
            pairs = dots.permute(0, 2, 1, 3).flatten(2)
            out[part] = network.logits(pairs, own[:, None], share).numpy()
        return out
