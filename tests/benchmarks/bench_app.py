"""The app's look-ups on a generated snapshot of 1,000,000 customers, and the memory they take.

Random customers, products and purchases in the shape of the demo bank; nothing is learned from
them, only time and memory are measured. ``FINREC_BENCH_CUSTOMERS`` sets another number.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finrec import pipeline, presets, schema, snapshots
from finrec.pipeline import explaining, outreach, products
from finrec.serving import lookup

CUSTOMERS = int(os.environ.get("FINREC_BENCH_CUSTOMERS", "1000000"))
LEARNED_FROM = 20_000  # customers that the model is trained on; the others are only served
EVENTS_EACH, PRODUCTS = 4, 100
TIMES = 20  # of each look-up, after one to warm up


def bank(n: int = CUSTOMERS, seed: int = 0) -> schema.Dataset:
    """A random bank; events in the order of customers, as intake writes them."""
    random = np.random.default_rng(seed)
    ids = np.char.add("C", np.char.zfill(np.arange(n).astype(str), 7))
    people = pd.DataFrame(
        {
            schema.CUSTOMER: pd.array(ids, dtype="str"),
            "age": random.integers(18, 90, n),
            "income": random.lognormal(10, 0.5, n).round(-2),
            "gender": random.choice(["female", "male", "diverse"], n, p=[0.49, 0.49, 0.02]),
            "occupation": random.choice(["nurse", "clerk", "engineer", "retired", "student"], n),
        }
    )
    names = [f"P{i:03d}" for i in range(PRODUCTS)]
    table = pd.DataFrame(
        {schema.PRODUCT: names, schema.NAME: [f"Product {i}" for i in range(PRODUCTS)],
         schema.DESCRIPTION: [f"Random product {i}." for i in range(PRODUCTS)]}
    )  # fmt: skip
    counts = random.poisson(EVENTS_EACH, n)
    owner = np.repeat(np.arange(n), counts)
    weight = 1.0 / np.arange(1, PRODUCTS + 1)
    taken = random.choice(PRODUCTS, len(owner), p=weight / weight.sum())
    days = random.integers(0, 730, len(owner))
    order = np.lexsort((days, owner))
    events = pd.DataFrame(
        {
            schema.CUSTOMER: pd.array(ids[owner], dtype="str"),
            schema.PRODUCT: pd.array(np.array(names)[taken[order]], dtype="str"),
            schema.TIME: pd.Timestamp("2023-01-01") + pd.to_timedelta(days[order], unit="D"),
            schema.KIND: schema.ACQUIRED,
            schema.AMOUNT: np.float64(100.0),
            schema.ORDER: np.arange(len(owner), dtype=np.int64),
        }
    )
    links = pd.DataFrame(
        {schema.SOURCE: pd.array([], dtype="str"), schema.TARGET: pd.array([], dtype="str"),
         schema.KIND: pd.array([], dtype="str"), schema.WEIGHT: np.array([], dtype=np.float32)}
    )  # fmt: skip
    info = schema.DatasetInfo(
        name="million", title="Random bank", origin="made by a benchmark", generated=True,
        split=("2024-07-01", "2024-10-01"), ks=(5,),
    )  # fmt: skip
    return schema.Dataset(info, people, table, events, links)


def served(ref: str, drawn: list[str]) -> dict[str, Any]:
    """A customer's offers and why, by a model; the data are random, so it learns from a part."""
    small = snapshots.write(bank(LEARNED_FROM))
    info = snapshots.find(small.ref).info
    chosen = presets.settings(info, small.ref, "quick", "+gnn", train={"epochs": 1})
    trained = pipeline.train(chosen)
    settings = trained.path / "config.json"
    told = json.loads(settings.read_text())
    settings.write_text(json.dumps({**told, "snapshot": ref}))
    recommender = pipeline.load(trained.id)
    began = time.perf_counter()
    first = outreach.offers(recommender, drawn[0], 5).frame
    out: dict[str, Any] = {"first_offers_s": round(time.perf_counter() - began, 2)}
    product = str(first["product_id"].iloc[0]) if len(first) else "P001"
    began = time.perf_counter()
    explaining.explain(recommender, drawn[0], product)
    out["first_explanation_s"] = round(time.perf_counter() - began, 2)
    out["offers"] = timed(lambda i: outreach.offers(recommender, drawn[i], 5))
    out["explanation"] = timed(lambda i: explaining.explain(recommender, drawn[i], product))
    out["customer_page"] = timed(
        lambda i: (lookup.customer(ref, drawn[i]), outreach.offers(recommender, drawn[i], 5))
    )
    status = Path("/proc/self/status").read_text()
    out["rss_mib"] = int(status.split("VmRSS:")[1].split()[0]) // 1024
    return out


def timed(look: Callable[[int], Any], times: int = TIMES) -> dict[str, float]:
    """Median and 95th percentile of the seconds of a look-up, after one that is not counted."""
    look(-1)
    seconds = []
    for i in range(times):
        began = time.perf_counter()
        look(i)
        seconds.append(time.perf_counter() - began)
    return {
        "median_s": round(float(np.median(seconds)), 4),
        "p95_s": round(float(np.quantile(seconds, 0.95)), 4),
    }


def run() -> dict[str, Any]:
    """Write the snapshot, then look things up as the screens do."""
    before = os.environ.get("FINREC_HOME")
    with tempfile.TemporaryDirectory(prefix="finrec-bench-") as home:
        os.environ["FINREC_HOME"] = home
        try:
            return _measured()
        finally:
            if before is None:
                del os.environ["FINREC_HOME"]
            else:
                os.environ["FINREC_HOME"] = before


def _measured() -> dict[str, Any]:
    snapshot = snapshots.write(bank())
    ref = snapshot.ref
    random = np.random.default_rng(1)
    drawn = [f"C{i:07d}" for i in random.integers(0, CUSTOMERS, TIMES + 1)]
    out: dict[str, Any] = {"customers": CUSTOMERS, "events": snapshot.rows["events"]}
    out["search_all"] = timed(lambda i: lookup.search(ref, ""))
    out["search_prefix"] = timed(lambda i: lookup.search(ref, drawn[i][:4]))
    out["search_id"] = timed(lambda i: lookup.search(ref, drawn[i]))
    out["search_filtered"] = timed(
        lambda i: lookup.search(
            ref, "C0", only={"occupation": ["nurse", "clerk"]}, between={"age": (30 + i, 60)}
        )
    )
    out["filters"] = timed(lambda i: lookup.filters(ref), 3)
    out["customer"] = timed(lambda i: lookup.customer(ref, drawn[i]))
    names = [f"P{i:03d}" for i in range(PRODUCTS)]
    out["product"] = timed(lambda i: products.product(ref, names[i]), 5)
    out["product_holders"] = timed(lambda i: products.holders(ref, names[i], "age"), 5)
    out["product_companions"] = timed(lambda i: products.companions(ref, names[i]), 3)
    out |= served(ref, drawn)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out["peak_rss_mib_including_generation"] = round(peak)
    return out
