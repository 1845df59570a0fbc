"""The gate's promise and the speed of what stands behind it.

10,000 sampled lists of the demo bank behind the built-in policy are checked against its rules as
written out here, one customer and product at a time. Speed: gate, re-ranking and allocation at
Beauty's size, and records.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import numpy as np
import pandas as pd

from finrec import records
from finrec.datasets import demo
from finrec.scorer import Catalogue, cohort
from finrec.serving import policy
from finrec.serving.campaign import Limits, allocate
from finrec.serving.gate import gate
from finrec.serving.rerank import Candidates, Weights, rerank
from finrec.topk import topk

LISTS, K = 10_000, 5


def blocked(person: Any, product: Any, held: set[str], declined: set[tuple[str, str]]) -> bool:
    """Whether the built-in policy forbids this offer."""
    return bool(
        product.product_id in held
        or (person.customer_id, product.product_id) in declined
        or person.age < 18
        or (product.name == "Campus Account" and person.age > 27)
        or (product.name == "Pension Starter" and person.age > 34)
        or (product.risk >= 7 and person.income < 25_000)
        or (product.risk >= 7 and person.education == "compulsory")
    )


def sampled(seed: int = 0) -> dict[str, Any]:
    """Random scores of all customers of the demo bank, their lists, and what is wrong in them."""
    data = demo.generate()
    rng = np.random.default_rng(seed)
    catalogue = Catalogue(data.products)
    people = data.customers.sample(LISTS, random_state=seed, replace=False)
    now = data.events["time"].max() + pd.Timedelta(days=1)
    crowd = cohort(people["customer_id"].to_numpy(), data.events, data.customers, catalogue, now)
    past = pd.DataFrame(
        {
            "customer_id": rng.choice(people["customer_id"], 5_000),
            "product_id": rng.choice(data.products["product_id"], 5_000),
            "kind": "declined",
            "time": pd.Timestamp.now("UTC").tz_localize(None) - pd.Timedelta(days=10),
        }
    )
    rules = policy.parse(policy.default_text())
    scores = rng.random((LISTS, len(catalogue))).astype(np.float32)
    began = time.perf_counter()
    found = gate(rules, crowd, catalogue, past)
    seconds = time.perf_counter() - began
    bad = {}
    held = data.events.groupby("customer_id")["product_id"].agg(set).to_dict()
    declined = set(zip(past["customer_id"], past["product_id"], strict=True))
    goods = list(data.products.itertuples())
    for name, allowed in (("on", found.allowed), ("off", np.ones_like(found.allowed))):
        index, _ = topk(scores, allowed, K)
        bad[name] = sum(
            blocked(person, goods[p], held.get(person.customer_id, set()), declined)
            for person, row in zip(people.itertuples(), index, strict=True)
            for p in row
            if p >= 0
        )
    return {
        "lists": LISTS,
        "products a list": K,
        "violations, gate on": bad["on"],
        "violations, gate off": bad["off"],
        "gate seconds": round(seconds, 3),
    }


def run() -> dict[str, Any]:
    """All figures."""
    rng = np.random.default_rng(0)
    index = np.argsort(rng.random((22_363, 300)), axis=1)[:, :100] * 40
    fit = np.sort(rng.random((22_363, 100)).astype(np.float32) ** 8)[:, ::-1].copy()
    given = Candidates(index, fit, fit)
    began = time.perf_counter()
    rerank(given, 10, 12_101, Weights(fewest=1, loss=0.02))
    reranked = time.perf_counter() - began
    value = rng.random((20_000, 8)).astype(np.float32)
    limits = Limits(cap=2, budgets=np.full(8, 500), total=3_000)
    began = time.perf_counter()
    best = allocate(value, rng.random(value.shape) < 0.8, limits)
    allocated = time.perf_counter() - began
    before = os.environ.get("FINREC_HOME")
    with tempfile.TemporaryDirectory() as home:
        os.environ["FINREC_HOME"] = home
        try:
            rows = pd.DataFrame({"kind": "offered", "customer_id": "C1", "product_id": "P1"},
                                index=range(100_000))  # fmt: skip
            began = time.perf_counter()
            records.append(rows)
            appended = time.perf_counter() - began
            began = time.perf_counter()
            records.append(rows.head(1))
            one = time.perf_counter() - began
            began = time.perf_counter()
            records.find("C1", limit=500)
            found = time.perf_counter() - began
        finally:
            if before is None:
                del os.environ["FINREC_HOME"]
            else:
                os.environ["FINREC_HOME"] = before
    return {
        "policy": sampled(),
        "rerank 22,363 lists of 12,101 products, seconds": round(reranked, 2),
        "allocate 3,000 of 160,000 offers, seconds": round(allocated, 2),
        "allocation optimal": best.optimal,
        "records: 100,000 appended, seconds": round(appended, 2),
        "records: one more, seconds": round(one, 3),
        "records: found among 100,001, seconds": round(found, 3),
    }
