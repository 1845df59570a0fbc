"""Speed of learning and scoring at Beauty's size, as shares of the machine's matmul rate.

12,101 products, D = 128, two encoder layers, histories of 8.9 events on average, at most 50; the
data are random, which changes no shape. Operations are those that must be done: padding, memory
traffic and everything element-wise count as overhead.
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
from finrec.training import fit
from finrec.training.assemble import Inputs

CUSTOMERS, PRODUCTS = 4_000, 12_101
INFO = DatasetInfo(name="bench", title="Random events", generated=True, protocol="R1")


def histories(seed: int = 0) -> Cohort:
    """Random customers with lengths like Beauty's: at least 3 in training, a long tail."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(3 + rng.geometric(1 / 4.9, CUSTOMERS) - 1, 50)
    total = int(lengths.sum())
    popularity = 1 / np.arange(1, PRODUCTS + 1) ** 0.6
    return Cohort(
        ids=np.arange(CUSTOMERS).astype(str).astype(object),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        products=rng.choice(PRODUCTS, total, p=popularity / popularity.sum()),
        kinds=np.full(total, 2),
        times=np.arange(total) * 86_400,
        amounts=np.full(total, np.nan, dtype=np.float32),
        asof=np.full(CUSTOMERS, total * 86_400),
        profile=pd.DataFrame(index=range(CUSTOMERS)),
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


def operations(settings: RunSettings, targets: int, steps: int) -> float:
    """Operations that one pass needs, forward and backward (three times forward)."""
    shape = settings.model
    width = shape.width
    encoder = shape.layers * (4 + 2 * shape.inner) * width**2
    decoder = shape.decoder_layers * (8 + 2 * shape.inner) * width**2
    each = 2 * (encoder + decoder + PRODUCTS * width)
    texts = steps * 2 * PRODUCTS * 384 * width if "tl" in settings.parts else 0
    return 3 * (targets * each + texts)


def run() -> dict[str, Any]:
    """Targets learned a second and customers scored a second, with and without the graph."""
    from tests.benchmarks.__main__ import matmul_gflops

    limit = max(matmul_gflops().values()) * 1e9
    known = histories()
    found: dict[str, Any] = {"matmul_gflops": limit / 1e9}
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
            needed = operations(settings, done.targets, steps)
            began = time.perf_counter()
            done.scorer.score(known)
            scoring = time.perf_counter() - began
            found[f"{parts}, decoder {decoder_layers}"] = {
                "targets_per_second": round(done.targets / took),
                "share_of_matmul_rate": round(needed / took / limit, 3),
                "customers_scored_per_second": round(CUSTOMERS / scoring),
                "parameters": sum(p.numel() for p in done.scorer.network.parameters()),
            }
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found["threads"] = torch.get_num_threads()
    return found
