"""Methods to compare with, against libraries on the same split: does ours rank as well as theirs?

Item-based CF against ``implicit``'s cosine neighbours, LightGCN against ``torch_geometric``'s.
Needs FINREC_REAL_DATA (Amazon Beauty, 5-core) for figures that mean anything; a generated bank is
used without it. Histories are masked, R1.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from finrec.baselines.itemcf import ItemCF, histories
from finrec.baselines.lightgcn import LightGCN
from finrec.evaluation import protocols
from finrec.schema import CUSTOMER, Dataset
from finrec.scorer import Cohort, Scorer, cohort
from finrec.split import Split, leave_one_out

CASES = 5_000  # drawn with a fixed seed; the standard error of NDCG is about 0.002
EPOCHS, WIDTH, LAYERS, RATE, BATCH = 20, 64, 2, 5e-3, 2048  # of both LightGCNs


@dataclass(frozen=True)
class _Neighbours:
    """implicit's own scores of every product."""

    model: Any
    n: int

    def score(self, customers: Cohort) -> np.ndarray:
        """Float32 [B, N]; 0 for products that the library does not list."""
        past = histories(customers, self.n)
        rows = np.arange(len(customers))
        ids, scores = self.model.recommend(rows, past, N=self.n, filter_already_liked_items=False)
        out = np.zeros((len(customers), self.n), dtype=np.float32)
        inside = ids >= 0
        out[np.repeat(rows, inside.sum(1)), ids[inside]] = np.where(scores > 0, scores, 0)[inside]
        return out


@dataclass(frozen=True)
class _Vectors:
    """Dot products of learned vectors; every case's customer was learned from."""

    rows: dict[str, int]
    customers: np.ndarray
    products: np.ndarray

    def score(self, customers: Cohort) -> np.ndarray:
        """Float32 [B, N]."""
        own = self.customers[[self.rows[c] for c in customers.ids]]
        return np.asarray(own @ self.products.T, dtype=np.float32)


def _cosine(known: Cohort, n: int) -> Scorer:
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=n, num_threads=1)
    model.fit(histories(known, n).tocsr(), show_progress=False)
    return _Neighbours(model, n)


def _library_lightgcn(known: Cohort, n: int, seed: int = 0) -> Scorer:
    """torch_geometric's network and its BPR loss, in a loop of its own."""
    from torch_geometric.nn.models import LightGCN as Library

    torch.manual_seed(seed)
    customers, products = histories(known, n).nonzero()
    pairs = torch.from_numpy(np.stack([customers, products + len(known)])).long()
    edges = torch.cat([pairs, pairs.flip(0)], 1)
    network = Library(len(known) + n, WIDTH, num_layers=LAYERS)
    torch.nn.init.normal_(network.embedding.weight, std=0.1)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(pairs.shape[1]).split(BATCH):
            good = pairs[:, chosen]
            bad = torch.stack([good[0], torch.randint(n, (len(chosen),)) + len(known)])
            rank = network(edges, torch.cat([good, bad], 1))
            nodes = torch.cat([good[0], good[1], bad[1]])
            loss = network.recommendation_loss(
                *rank.chunk(2), node_id=nodes, lambda_reg=2e-4
            )  # theirs halves the penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        vectors = network.get_embedding(edges).numpy()
    rows = {customer: row for row, customer in enumerate(known.ids)}
    return _Vectors(rows, vectors[: len(known)], vectors[len(known) :])


def compare(dataset: Dataset, lightgcn: bool = True) -> dict[str, Any]:
    """NDCG@10 and HR@10 of ours and theirs, and seconds to learn."""
    cut = leave_one_out(dataset)
    n = len(cut.catalogue)
    part = cut.test.train
    known = cohort(part[CUSTOMER].unique(), part, cut.customers, cut.catalogue, cut.test.until)
    made = {
        "itemcf": lambda: ItemCF(shrinkage=0.0).fit(cut.test, cut),
        "itemcf (implicit)": lambda: _cosine(known, n),
    }
    if lightgcn:
        ours = LightGCN(EPOCHS, LAYERS, RATE, WIDTH)
        made |= {
            "lightgcn": lambda: ours.fit(cut.test, cut),
            "lightgcn (torch_geometric)": lambda: _library_lightgcn(known, n),
        }
    if importlib.util.find_spec("implicit") is None:
        del made["itemcf (implicit)"]
    return {name: _measured(build, cut) for name, build in made.items()}


def _measured(build: Any, cut: Split) -> dict[str, float]:
    began = time.perf_counter()
    scorer = build()
    seconds = time.perf_counter() - began
    rows = np.random.default_rng(0).permutation(len(cut.test.cases))[:CASES]
    found = protocols.ranking(scorer, cut.test.cases.take(np.sort(rows)), (10,), True, False)
    return {
        "ndcg@10": round(found.mean()["ndcg@10"], 4),
        "hr@10": round(found.mean()["hr@10"], 4),
        "seconds": round(seconds, 1),
    }


def run() -> dict[str, Any]:
    """Figures on Amazon Beauty where it is at hand, on the generated bank otherwise."""
    from finrec.datasets import amazon, demo
    from tests.conftest import data_folder

    folder = data_folder()
    if folder is not None:
        return {"data": "amazon", **compare(amazon.load(folder / "amazon_beauty_5core"))}
    return {"data": "demo", **compare(demo.generate())}
