"""Explanations in depth: second opinion, counterfactuals, why not, briefs, faithfulness."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from finrec import config
from finrec.explain import (
    attention,
    codes,
    faithfulness,
    integrated_gradients,
    neighbours,
    variants,
)
from finrec.explain import brief as briefs
from finrec.explain import counterfactual as search
from finrec.explain import why_not as lacking
from finrec.explain.addition import Addition
from finrec.explain.attention import condensed
from finrec.explain.brief import Brief, Sentence
from finrec.explain.counterfactual import Counterfactual
from finrec.explain.explanation import Explanation
from finrec.explain.explanation import explain_all as explain_offers
from finrec.explain.faithfulness import Badge
from finrec.explain.integrated_gradients import Attribution
from finrec.explain.neighbours import SMALLEST_GROUP
from finrec.explain.seeds import Seeds
from finrec.explain.why_not import WhyNot
from finrec.pipeline import answering, outreach
from finrec.pipeline.measuring import faithful, measure_faithfulness
from finrec.pipeline.seeds import over_seeds
from finrec.schema import CUSTOMER, NAME, PRODUCT, DataError
from finrec.serving import export
from finrec.serving.recommender import Recommender

__all__ = [
    "Addition", "Attribution", "Badge", "Brief", "Counterfactual", "Explanation", "Opinion",
    "Seeds", "Sentence", "WhyNot", "as_html", "as_json", "brief", "codes_file", "condensed",
    "explain", "explain_all",
    "faithful", "further", "measure_faithfulness", "reason_codes", "second_opinion",
    "topics", "why_not",
]  # fmt: skip

CODE_COLUMNS = [
    CUSTOMER, PRODUCT, NAME, "reason", "code", "text", "evidence", "strength",
]  # fmt: skip


@dataclass(frozen=True)
class Opinion:
    """What else is known of why a product is offered.

    Args:
        badge: whether the shown evidence decides, in words and curves.
        events: position, time, name, attention, effect, gradients of each event read.
        attributes: column, value, effect, gradients of each known attribute.
        agreement: rank correlation of the methods' orders of events, by pair; NaN where untellable.
        complete: whether integrated gradients add up to the score.
        missed: by how much they do not.
        heads: part, layer, head, effect (fall of the score without the head).
        grouped: attention of long histories by product: group, events, share.
        counterfactual: smallest set of events and attributes without which it leaves the list.
        without: what that set is, in words.
        by_edges: the same over edges of the graph alone: the customer's links, paths to the offer.
        edges: what that set is, in words.
        seeds: stability of the measured order over runs that differ in the seed alone.
        k: length of the list.
    """

    badge: Badge
    events: pd.DataFrame
    attributes: pd.DataFrame
    agreement: dict[str, float]
    complete: bool
    missed: float
    heads: pd.DataFrame
    grouped: pd.DataFrame
    counterfactual: Counterfactual
    without: tuple[str, ...]
    by_edges: Counterfactual
    edges: tuple[str, ...]
    seeds: Seeds
    k: int


def topics() -> dict[str, tuple[str, ...]]:
    """Topics that are never reasons: the built-in ones and those of ``data/topics.toml``."""
    return codes.load_topics(config.data_dir() / "topics.toml")


def explain(
    run: str | Recommender, customer: str, product: str, smallest: int = SMALLEST_GROUP
) -> Explanation:
    """Why a product is offered; groups of other customers below ``smallest`` stay hidden."""
    return explain_all(run, customer, [product], smallest)[0]


def explain_all(
    run: str | Recommender,
    customer: str,
    products: Sequence[str],
    smallest: int = SMALLEST_GROUP,
) -> list[Explanation]:
    """Why each of several products is offered to a customer, in one reading of the events."""
    recommender = _loaded(run)
    one = recommender.cohort([customer])
    allowed = recommender.offerable(one)[0]
    return explain_offers(
        recommender.scorer, one, products, allowed, recommender.company, smallest, topics()
    )


def second_opinion(
    run: str | Recommender,
    customer: str,
    product: str,
    k: int = 5,
    found: Explanation | None = None,
) -> Opinion:
    """Badge, integrated gradients, heads and counterfactuals of one offer.

    Args:
        run: name or loaded.
        customer: id.
        product: id.
        k: length of the list that it would have to leave.
        found: its explanation, where it is at hand.
    """
    recommender = _loaded(run)
    scorer = recommender.scorer
    one = recommender.cohort([customer])
    allowed = recommender.offerable(one)[0]
    index = recommender.catalogue.position(product)
    if found is None:
        found = explain(recommender, customer, product)
    table = variants.vectors(scorer)
    shares, effects = (found.events[c].to_numpy(dtype=float) for c in ("attention", "effect"))
    rng = np.random.default_rng(0)
    gradients = integrated_gradients.attribute(scorer, one, index, table)
    removed = search.fewest_removals(
        scorer, one, index, allowed, k, table, ("events", "attributes")
    )
    by_edges = search.fewest_removals(scorer, one, index, allowed, k, table, ("links", "paths"))
    attributes = found.attributes.assign(
        gradients=[gradients.attributes.get(c, np.nan) for c in found.attributes["column"]]
    )
    return Opinion(
        faithfulness.badge(scorer, one, index, shares, effects, rng),
        found.events[["position", "time", "name", "attention", "effect"]].assign(
            gradients=gradients.events
        ),
        attributes,
        integrated_gradients.agreement(shares, effects, gradients.events),
        gradients.complete,
        gradients.missed,
        attention.heads(scorer, one, index, table),
        attention.grouped(found.attention["Rolled out"], found.events),
        removed,
        _named(found, removed),
        by_edges,
        _edges(recommender, by_edges),
        over_seeds(recommender, one, index, effects, shares),
        k,
    )


def further(
    run: str | Recommender,
    found: Explanation,
    products: Sequence[str],
    smallest: int = SMALLEST_GROUP,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes and edges of an explanation, a hop further from each of these products in turn."""
    recommender = _loaded(run)
    return neighbours.expanded(
        recommender.scorer, found.nodes, found.edges, products, recommender.company, smallest
    )


def _named(found: Explanation, removed: Counterfactual) -> tuple[str, ...]:
    events = found.events.iloc[list(removed.places)]
    named = [f"{n} ({t:%d %b %Y})" for n, t in zip(events["name"], events["time"], strict=True)]
    values = dict(zip(found.attributes["column"], found.attributes["value"], strict=True))
    return (*named, *(f"{a.replace('_', ' ')}: {values.get(a, '')}" for a in removed.attributes))


def _edges(recommender: Recommender, removed: Counterfactual) -> tuple[str, ...]:
    names = recommender.catalogue.table[NAME].to_numpy(dtype=object)
    return (
        *(f"the link to {names[p]}" for p in removed.links),
        *(f"the paths from {names[p]} over other customers" for p in removed.paths),
    )


def why_not(
    run: str | Recommender, customer: str, product: str, k: int = 5, with_addition: bool = True
) -> WhyNot:
    """Why a product is not on a customer's list: score, held, eligibility, suitability apart.

    Raises:
        DataError: when customer or product is unknown.
    """
    recommender = _loaded(run)
    one = recommender.cohort([customer])
    allowed = recommender.offerable(one)[0]
    verdict = outreach.verdict(recommender, customer, product)
    said = {
        part: tuple(r.sentence for r in verdict.reasons if r.part == part)
        for part in ("held", "eligibility", "suitability")
    }
    index = recommender.catalogue.position(product)
    held = None if allowed[index] else (said["held"][0] if said["held"] else None)
    return lacking.why_not(
        recommender.scorer, one, product, allowed, k, said["eligibility"], said["suitability"],
        held, with_addition,
    )  # fmt: skip


def brief(
    run: str | Recommender,
    customer: str,
    product: str,
    safe: bool = False,
    found: Explanation | None = None,
) -> Brief:
    """At most three sentences on an offer, with what the policy asks to be checked."""
    recommender = _loaded(run)
    if found is None:
        found = explain(recommender, customer, product)
    checks = [r.sentence for r in outreach.verdict(recommender, customer, product).reasons]
    return briefs.brief(found, checks, safe, topics())


def as_html(run: str | Recommender, found: Brief, button: bool = False) -> bytes:
    """The brief as one page to print, UTF-8; ``button`` adds one that prints it."""
    recommender = _loaded(run)
    footer = "" if found.safe else f"Model {recommender.run.id}, data {recommender.snapshot.ref}."
    if recommender.snapshot.info.generated:
        footer = f"The data are generated; no such customer exists. {footer}"
    return briefs.to_html(found, recommender.snapshot.info.title, footer, button).encode()


def as_json(found: Explanation, told: Brief) -> bytes:
    """The explanation and its brief as JSON, UTF-8."""
    return briefs.to_json(found, told).encode()


def reason_codes(
    run: str | Recommender,
    offers: pd.DataFrame,
    safe: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> pd.DataFrame:
    """Reason codes of a whole campaign: up to three rows an offer.

    Args:
        run: name or loaded.
        offers: customer_id and product_id, one row an offer.
        safe: only what may be told to the customers.
        progress: told how many offers are done, of how many.

    Returns:
        customer_id, product_id, name, reason (1 to 3), code, text, evidence (ids, parted by
        ``;``), strength (fall of the score without it).

    Raises:
        DataError: when a column is missing, or a customer or product unknown.
    """
    missing = {CUSTOMER, PRODUCT} - set(offers.columns)
    if missing:
        raise DataError(f"The offers lack the column {min(missing)!r}; add it.")
    recommender = _loaded(run)
    forbidden = topics()
    rows: list[list[Any]] = []
    pairs = list(zip(offers[CUSTOMER].astype(str), offers[PRODUCT].astype(str), strict=True))
    done = 0
    for customer, theirs in itertools.groupby(pairs, key=lambda pair: pair[0]):
        products = [product for _, product in theirs]
        for found in explain_all(recommender, customer, products):
            strength = {r.evidence: r.strength for r in codes.reasons(found, forbidden)}
            told = briefs.brief(found, (), safe, forbidden)
            for number, s in enumerate(told.sentences, 1):
                evidence = ";".join(s.evidence_ids)
                rows.append([customer, found.product, found.name, number, s.code, s.text,
                             evidence, strength.get(s.evidence_ids, math.nan)])  # fmt: skip
        done += len(products)
        if progress is not None:
            progress(done, len(pairs))
    return pd.DataFrame(rows, columns=CODE_COLUMNS)


def codes_file(frame: pd.DataFrame, kind: Literal["csv", "json", "html"]) -> bytes:
    """Reason codes as a file; CSV and HTML are safe to open, whatever names hold."""
    if kind == "csv":
        return export.to_bytes(frame, ".csv")
    if kind == "json":
        return frame.to_json(orient="records", indent=1, force_ascii=False).encode()
    table = frame.to_html(index=False, escape=True, border=0, na_rep="")
    head = f'<meta charset="utf-8"><title>Reason codes</title><style>{briefs.STYLE}</style>'
    body = f"<h1>Reason codes</h1>{table}"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'.encode()


def _loaded(run: str | Recommender) -> Recommender:
    return answering.load(run) if isinstance(run, str) else run
