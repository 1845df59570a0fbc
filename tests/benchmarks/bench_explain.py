"""Explanations on trained runs: time, verified counterfactuals, faithfulness of the evidence.

Looks at the newest run on each data set of the folder that FINREC_HOME names; FINREC_BENCH_SAMPLE
says how many customers (500 by default).
"""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import numpy as np

from finrec import pipeline
from finrec.explain import brief, counterfactual, report, variants
from finrec.explain.variants import Change
from finrec.serving.recommender import Recommender

SETS = ("amazon", "insurance")
TIMED, SHORT, TESTED = 40, 6, 200
LONG = 40  # longest histories of all, where the search takes longest
SENTENCES = 2500  # of each run


def run() -> dict[str, object]:
    """Figures of every run found; empty where no run is trained."""
    newest: dict[str, str] = {}
    for found in pipeline.runs():
        name = found.settings.snapshot.split("@")[0]
        if name in SETS:
            newest.setdefault(name, found.id)
    return {name: measured(pipeline.load(newest[name])) for name in sorted(newest)}


def measured(recommender: Recommender) -> dict[str, Any]:
    """Figures of one run."""
    rng = np.random.default_rng(0)
    sample = int(os.environ.get("FINREC_BENCH_SAMPLE", "500"))
    drawn = rng.permutation(len(recommender.training))[:sample]
    ids = [str(i) for i in recommender.training.ids[drawn]]
    k = 10 if len(recommender.catalogue) > 50 else 3
    variants.vectors(recommender.scorer)
    return {
        "run": recommender.run.id,
        "explanation_seconds": timed(recommender, ids[:TIMED]),
        **counterfactuals(recommender, ids, k),
        "longest_histories": longest(recommender, k),
        **faithful(recommender, rng),
        "briefs": told(recommender, rng),
    }


def timed(recommender: Recommender, ids: list[str]) -> dict[str, float]:
    """Seconds of one whole explanation, median and 95th percentile."""
    seconds = []
    for customer in ids:
        one, _, offer = first_offer(recommender, customer)
        began = time.perf_counter()
        pipeline.explain(recommender, customer, str(recommender.catalogue.ids[offer]))
        seconds.append(time.perf_counter() - began)
    return spread(seconds)


def spread(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(seconds)), 3),
        "p95": round(float(np.quantile(seconds, 0.95)), 3),
        "most": round(max(seconds), 3),
    }


def first_offer(recommender: Recommender, customer: str):
    one = recommender.cohort([customer])
    allowed = recommender.offerable(one)[0]
    scores = variants.scores(recommender.scorer, one, [()])[0]
    return one, allowed, int(np.argmax(np.where(allowed, scores, -np.inf)))


def counterfactuals(recommender: Recommender, ids: list[str], k: int) -> dict[str, Any]:
    """How many were found, verified anew and, on short histories, minimal by brute force."""
    seconds, found, right, none, checked, smallest = [], 0, 0, 0, 0, 0
    for customer in ids:
        one, allowed, offer = first_offer(recommender, customer)
        began = time.perf_counter()
        answer = counterfactual.fewest_removals(recommender.scorer, one, offer, allowed, k)
        seconds.append(time.perf_counter() - began)
        if answer.verified:
            found += 1
            change = variants.without(one, [answer.places], recommender.scorer.length)
            scores = recommender.scorer.score(change)[0]  # by the path that ranks
            right += int((scores[allowed] >= scores[offer]).sum()) > k
        else:
            none += 1
        if len(one.products) <= SHORT:
            checked += 1
            size = brute_force(recommender, one, allowed, offer, k)
            smallest += size == (len(answer.places) if answer.verified else None)
    return {
        "customers": len(ids),
        "counterfactual_seconds": spread(seconds),
        "found": found,
        "verified_by_rescore": right,
        "none_suffices": none,
        "short_histories": checked,
        "as_brute_force": smallest,
    }


def longest(recommender: Recommender, k: int) -> dict[str, Any]:
    """Seconds of wall clock and of processor on the longest histories; how many are proven."""
    rows = np.argsort(-recommender.training.lengths, kind="stable")[:LONG]
    wall, busy, found, minimal = [], [], 0, 0
    for row in rows:
        one, allowed, offer = first_offer(recommender, str(recommender.training.ids[row]))
        began, worked = time.perf_counter(), time.process_time()
        answer = counterfactual.fewest_removals(recommender.scorer, one, offer, allowed, k)
        wall.append(time.perf_counter() - began)
        busy.append(time.process_time() - worked)
        found += answer.verified
        minimal += answer.verified and answer.minimal
    return {
        "seconds": spread(wall),
        "processor_seconds": spread(busy),
        "found": found,
        "proven_minimal": minimal,
    }


def brute_force(recommender: Recommender, one, allowed, offer: int, k: int) -> int | None:
    """Size of the smallest set of events that drops the offer, None where none does."""
    count = len(one.products)
    sets = [s for n in range(1, count + 1) for s in itertools.combinations(range(count), n)]
    scores = variants.changed(recommender.scorer, one, [Change(events=s) for s in sets], offer)
    ranks = (scores[:, allowed] >= scores[:, offer, None]).sum(1)
    return next((len(s) for s, rank in zip(sets, ranks, strict=True) if rank > k), None)


def faithful(recommender: Recommender, rng: np.random.Generator) -> dict[str, Any]:
    """Areas of the deletion test by method, with p against random evidence."""
    long = np.flatnonzero(recommender.training.lengths >= 4)
    drawn = rng.permutation(long)[:TESTED]
    customers = recommender.cohort([str(i) for i in recommender.training.ids[drawn]])
    found = report.report(recommender.scorer, customers, recommender.offerable, rng)
    return {
        "deletion": found.methods.drop(columns="label").to_dict("records"),
        "tested": found.customers,
        "agreement": found.agreement,
        "words": found.sentence,
    }


def told(recommender: Recommender, rng: np.random.Generator) -> dict[str, int]:
    """Sentences of briefs whose cited evidence is looked up in the data, apart from explain."""
    wanted = int(os.environ.get("FINREC_BENCH_SENTENCES", str(SENTENCES)))
    people = recommender.dataset.customers.set_index("customer_id")
    counted = wrong = cited = 0
    for row in rng.permutation(len(recommender.training)):
        customer = str(recommender.training.ids[row])
        one = recommender.cohort([customer])
        for product in recommender.recommend([customer], 2)["product_id"]:
            found = pipeline.explain(recommender, customer, product)
            for sentence in brief.brief(found).sentences:
                counted += 1
                cited += len(sentence.evidence_ids)
                real = [exists(recommender, people, one, product, e) for e in sentence.evidence_ids]
                wrong += not (real and all(real))
        if counted >= wanted:
            break
    return {"sentences": counted, "evidence": cited, "without_evidence": wrong}


def exists(recommender: Recommender, people, one, product: str, evidence: str) -> bool:
    """Whether an id names an event, attribute or edge of this customer in the data itself."""
    kind, _, name = evidence.partition("/")
    if kind == "event":
        return 1 <= int(name) <= min(len(one.products), recommender.scorer.length)
    if kind == "attribute":
        return name in people.columns and bool(people[name].notna()[one.ids[0]])
    if kind == "edge":
        source, _, target = name.rpartition(">")
        own = set(recommender.catalogue.ids[one.products])
        return target == product and source in own
    return evidence == "customer" and len(one.products) == 0
