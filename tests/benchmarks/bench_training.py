"""Speed of learning and scoring at Beauty's size, as shares of the machine's matmul rate.

12,101 products, D = 128, two encoder layers, histories of 8.9 events on average, at most 50; the
data are random, which changes no shape. Operations are those that must be done: padding, memory
traffic and everything element-wise count as overhead. Two rates of the machine stand beside them:
that of torch's own product, and that through oneDNN, which finrec uses where it is the faster one
(:mod:`finrec.networks.linear`); a share of the first can therefore be above 1.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np
import pandas as pd
import torch

from finrec import presets
from finrec.config import RunSettings
from finrec.features import graph as graphs
from finrec.features.profile import Profile
from finrec.schema import DESCRIPTION, NAME, PRODUCT, DatasetInfo
from finrec.scorer import Catalogue, Cohort
from finrec.serving.best import best
from finrec.training import fit
from finrec.training.assemble import Inputs

CUSTOMERS, PRODUCTS = 4_000, 12_101
SCORED = 22_363  # customers who are scored: Beauty's, the learning ones first
INFO = DatasetInfo(name="bench", title="Random events", generated=True, protocol="R1")


def histories(count: int = SCORED, seed: int = 0) -> Cohort:
    """Random customers with lengths like Beauty's: at least 3 in training, a long tail."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(3 + rng.geometric(1 / 4.9, count) - 1, 50)
    total = int(lengths.sum())
    popularity = 1 / np.arange(1, PRODUCTS + 1) ** 0.6
    return Cohort(
        ids=np.arange(count).astype(str).astype(object),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        products=rng.choice(PRODUCTS, total, p=popularity / popularity.sum()),
        kinds=np.full(total, 2),
        times=np.arange(total) * 3_600,
        amounts=np.full(total, np.nan, dtype=np.float32),
        asof=np.full(count, total * 3_600),
        profile=pd.DataFrame(index=range(count)),
    )


def inputs(known: Cohort, with_graph: bool, with_text: bool = True) -> Inputs:
    """Inputs with random text vectors, and a graph of the histories, as asked."""
    names = pd.Series(np.arange(PRODUCTS).astype(str), dtype="str")
    table = pd.DataFrame({PRODUCT: names, NAME: names, DESCRIPTION: ""})
    texts = np.random.default_rng(0).standard_normal((PRODUCTS, 384)).astype(np.float32)
    return Inputs(
        Catalogue(table),
        Profile(),
        Profile(),
        texts if with_text else None,
        graphs.build(known, PRODUCTS) if with_graph else None,
        graphs.paths(known, PRODUCTS) if with_graph else None,
        np.isin(np.arange(PRODUCTS), known.products),
    )


def operations(settings: RunSettings, targets: int, steps: int, sold: int) -> float:
    """Operations that one pass needs, forward and backward (three times forward).

    Args:
        settings: of the run.
        targets: events learned from.
        steps: of the pass.
        sold: products with events, over which the softmax is taken.
    """
    shape = settings.model
    width = shape.width
    encoder = shape.layers * (4 + 2 * shape.inner) * width**2
    decoder = shape.decoder_layers * (8 + 2 * shape.inner) * width**2
    needed = 3 * targets * 2 * (encoder + decoder + sold * width)
    if "gnn" in settings.parts:
        graph = steps * shape.graph_layers * PRODUCTS * width**2
        needed += 3 * 2 * (graph + targets * width**2)  # and the node at every moment
    if "tl" in settings.parts:  # no gradient is taken of the texts themselves
        needed += 2 * steps * 2 * PRODUCTS * 384 * width
    return needed


def scoring_operations(settings: RunSettings, lengths: np.ndarray) -> float:
    """Operations that scoring needs as it is done: the last layer works out the last moment.

    Vectors of products, attention weights and the choice of the best are not counted.

    Args:
        settings: of the run.
        lengths: events of each customer.
    """
    shape = settings.model
    tokens = int((np.minimum(lengths, shape.length) + 1).sum())
    encoder, decoder = 4 + 2 * shape.inner, 8 + 2 * shape.inner
    if shape.decoder_layers:
        whole = shape.layers * encoder + (shape.decoder_layers - 1) * decoder
        last = decoder
    else:
        whole, last = (shape.layers - 1) * encoder, encoder
    if "gnn" in settings.parts:
        last += 1  # the customer's node
    width = shape.width
    each = last * width**2 + PRODUCTS * width
    return 2 * (tokens * whole * width**2 + len(lengths) * each)


def run() -> dict[str, Any]:
    """Targets learned a second and customers scored a second, with and without the graph."""
    from tests.benchmarks.__main__ import matmul_gflops, onednn_gflops

    limit, onednn = (max(rate().values()) * 1e9 for rate in (matmul_gflops, onednn_gflops))
    everybody = histories()
    known = everybody.take(slice(0, CUSTOMERS))
    found: dict[str, Any] = {"matmul_gflops": limit / 1e9, "onednn_gflops": onednn / 1e9}
    for decoder_layers in (0, 1):
        for with_graph in (False, True):
            parts = "+tl+gnn" if with_graph else "+tl"
            settings = presets.settings(
                INFO, "bench@0", "standard", parts=parts, device="cpu",
                model={"decoder_layers": decoder_layers}, train={"epochs": 2},
            )  # fmt: skip
            seconds: list[float] = []

            def note(event: dict[str, Any], kept: list[float] = seconds) -> None:
                if event["event"] == "epoch":
                    kept.append(event["seconds"])

            done = fit.fit(
                inputs(known, with_graph), known, settings, None, epochs=2, progress=note
            )
            took = seconds[1] - seconds[0]  # the second pass: everything is warm
            steps = -(-CUSTOMERS // settings.train.batch)
            needed = operations(settings, done.targets, steps, len(np.unique(known.products)))
            began = time.perf_counter()
            best(done.scorer, everybody, False, 10, 1.0)
            scoring = time.perf_counter() - began
            scored = scoring_operations(settings, everybody.lengths)
            found[f"{parts}, decoder {decoder_layers}"] = {
                "targets_per_second": round(done.targets / took),
                "share_of_matmul_rate": round(needed / took / limit, 3),
                "share_of_onednn_rate": round(needed / took / onednn, 3),
                "customers_scored_per_second": round(SCORED / scoring),
                "scoring_share_of_matmul_rate": round(scored / scoring / limit, 3),
                "scoring_share_of_onednn_rate": round(scored / scoring / onednn, 3),
                "parameters": sum(p.numel() for p in done.scorer.network.parameters()),
            }
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found["threads"] = torch.get_num_threads()
    return found
