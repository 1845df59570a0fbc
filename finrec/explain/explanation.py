"""The evidence for one offer, in tables that a page can draw and a reader can check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finrec.explain import attention, codes, neighbours, variants
from finrec.explain import paths as walks
from finrec.features import sequences
from finrec.features.company import Company
from finrec.networks.evidence import Evidence
from finrec.schema import NAME, PRODUCT, TIME, DataError
from finrec.scorer import KINDS, Cohort
from finrec.training.fused_scorer import FusedScorer

TOWERS = {
    "sequence": "Events in order",
    "graph": "Graph of customers and products",
    "repeats": "The same product before, and how long ago",
    "paths": "Paths over customers with the same products",
    "profile": "Customer's attributes",
    "matching": "Customer and product together",
    "trend": "What many take of late",
    "bias": "How often it is taken by anybody",
}


@dataclass(frozen=True)
class Explanation:
    """Why a product is offered to a customer.

    Args:
        customer: customer id.
        product: product id.
        name: the product's name.
        score: from the pass that kept the evidence.
        fast_score: from the pass that ranks; equal up to rounding.
        rank: place among all products that may be offered, from 1.
        events: the events read: position, time, product_id, name, kind, attention (share of the
            rolled-out trail), effect (how much the score falls without this event).
        attention: maps by label, each [T + 1, T + 1] or [T + 1]; token 0 is the profile.
        tokens: label of each token, T + 1.
        nodes, edges: the customer's neighbourhood in the graph.
        ledger: tower, label, contribution; adds up to the score above that of the average product.
        gates: by tower, 0 to 1.
        attributes: known ones: column, value, effect (how much the score falls were it unknown).
        paths: from own products over other customers to the offer, see
            :func:`finrec.explain.paths.paths`.
        sentences: at most three, each tied to evidence above.
        offered: whether it may be on the list at all, or the customer has it already.
    """

    customer: str
    product: str
    name: str
    score: float
    fast_score: float
    rank: int
    events: pd.DataFrame
    attention: dict[str, np.ndarray]
    tokens: tuple[str, ...]
    nodes: pd.DataFrame
    edges: pd.DataFrame
    ledger: pd.DataFrame
    gates: dict[str, float]
    attributes: pd.DataFrame
    paths: pd.DataFrame
    sentences: tuple[str, ...]
    offered: bool = True


def explain(
    scorer: FusedScorer,
    customer: Cohort,
    product: str,
    allowed: np.ndarray,
    company: Company,
    smallest: int = neighbours.SMALLEST_GROUP,
    topics: Mapping[str, Sequence[str]] | None = None,
) -> Explanation:
    """Evidence for offering ``product`` to the one customer of a cohort.

    Args:
        scorer: a trained network.
        customer: one customer, as known now.
        product: product id.
        allowed: bool [N], what may be offered; the rank counts these and the product itself.
        company: of the histories that the network learned from, for counts of other customers.
        smallest: groups of other customers smaller than this are hidden.
        topics: never used as reasons, see :mod:`finrec.explain.codes`; None: the built-in ones.

    Raises:
        DataError: when the catalogue lacks the product.
    """
    return explain_all(scorer, customer, [product], allowed, company, smallest, topics)[0]


@torch.inference_mode()
def explain_all(
    scorer: FusedScorer,
    customer: Cohort,
    products: Sequence[str],
    allowed: np.ndarray,
    company: Company,
    smallest: int = neighbours.SMALLEST_GROUP,
    topics: Mapping[str, Sequence[str]] | None = None,
) -> list[Explanation]:
    """The same for several products of one customer, whose events are read once for all.

    Leaving out an event or an attribute changes the scores of every product; each explanation
    takes its own column. Arguments and errors as of :func:`explain`.
    """
    if len(customer) != 1:
        raise DataError(f"One customer is explained at a time, not {len(customer)}.")
    catalogue = scorer.given.catalogue
    asked = [catalogue.position(product) for product in products]
    network = scorer.network.eval()
    encoded = sequences.encode(customer, scorer.given.customers)
    device = network.bias.device
    batch = sequences.batch(encoded, np.array([0]), scorer.length).to(device)
    table = variants.vectors(scorer)
    evidence = network.explain(batch, table)
    scores = evidence.scores[0].cpu().numpy()
    fast, effects = _effects(scorer, customer, asked, table)
    read, attributes = _read(scorer, customer, evidence), _known(scorer, customer)
    lacking = _lacking(scorer, customer, list(attributes["column"]), asked, table)
    names = catalogue.table[NAME].to_numpy(dtype=object)
    maps, prior = attention.maps(evidence), network.prior()
    found = []
    for place, (product, index) in enumerate(zip(products, asked, strict=True)):
        events = read.assign(effect=effects[:, place])
        nodes, edges = neighbours.neighbourhood(
            scorer, events, index, evidence, company, smallest, customer.profile.iloc[0]
        )
        explanation = Explanation(
            str(customer.ids[0]),
            product,
            str(names[index]),
            float(scores[index]),
            float(fast[place]),
            1 + int((scores[allowed] > scores[index]).sum()),
            events,
            maps,
            ("profile", *events["name"]),
            nodes,
            edges,
            _ledger(evidence, prior, index),
            {tower: float(gate[0]) for tower, gate in evidence.gates.items()},
            attributes.assign(effect=lacking[:, place]),
            walks.paths(scorer, events, index, company, smallest),
            (),
        )
        reasons = codes.reasons(explanation, topics)
        told = tuple(r.text for r in reasons[:3])
        found.append(replace(explanation, sentences=told, offered=bool(allowed[index])))
    return found


def _read(scorer: FusedScorer, customer: Cohort, evidence: Evidence) -> pd.DataFrame:
    """The events read, without their effect."""
    count = min(len(customer.products), scorer.length)
    taken = slice(len(customer.products) - count, None)
    table = scorer.given.catalogue.table
    index = customer.products[taken]
    return pd.DataFrame(
        {
            "position": np.arange(1, count + 1),
            TIME: pd.to_datetime(customer.times[taken], unit="s"),
            PRODUCT: table[PRODUCT].to_numpy(dtype=object)[index],
            NAME: table[NAME].to_numpy(dtype=object)[index],
            "kind": np.array(KINDS, dtype=object)[customer.kinds[taken]],
            "index": index,
            "attention": attention.rolled_out(evidence.trail)[1:],
        }
    )


def _effects(
    scorer: FusedScorer, customer: Cohort, asked: list[int], table: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Scores as they are ranked by [K], and their fall without each event read [T, K]."""
    count = min(len(customer.products), scorer.length)
    removed = [(), *((place,) for place in range(count))]
    scored = variants.scores(scorer, customer, removed, table)[:, asked]
    return scored[0], scored[0] - scored[1:]


def _ledger(evidence: Evidence, bias: Tensor, index: int) -> pd.DataFrame:
    parts = {**{name: c[0] for name, c in evidence.contributions.items()}, "bias": bias}
    return pd.DataFrame(
        [
            {
                "tower": name,
                "label": TOWERS[name],
                "contribution": float(values[index] - values.mean()),
            }
            for name, values in parts.items()
        ]
    )


def _known(scorer: FusedScorer, customer: Cohort) -> pd.DataFrame:
    """Known attributes that the network reads, with their values in words."""
    columns = [c.name for c in scorer.given.customers.numbers]
    columns += [c.name for c in scorer.given.customers.categories]
    known = customer.profile.iloc[0]
    columns = [c for c in columns if c in known.index and pd.notna(known[c])]
    return pd.DataFrame({"column": columns, "value": [_plain(known[c]) for c in columns]})


def _lacking(
    scorer: FusedScorer, customer: Cohort, columns: list[str], asked: list[int], table: Tensor
) -> np.ndarray:
    """Fall of the scores were each attribute unknown, [A, K]."""
    if not columns:
        return np.zeros((0, len(asked)))
    unknown: list[tuple[str, ...]] = [(), *((c,) for c in columns)]
    many = variants.without(customer, [()] * len(unknown), scorer.length, unknown)
    scored = variants.score(scorer, many, table)[:, asked]
    return scored[0] - scored[1:]


def _plain(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%d %b %Y}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
