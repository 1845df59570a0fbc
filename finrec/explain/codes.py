"""Reason codes: what speaks for an offer, each tied to evidence that can be opened.

Evidence is named ``event/3`` (third of the events read), ``attribute/age``, ``edge/P01>P05`` (a
product of the customer to the offer) or ``customer``. Some topics are never a reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from finrec.schema import NAME, TIME, PolicyError

CODES = {
    "event": "An event of the customer without which the score would be lower",
    "paths": "Customers with the same product have the offer, too",
    "attribute": "An attribute of the customer without which the score would be lower",
    "part": "The part of the score that adds most, with the evidence it rests on",
    "no_events": "No events are known; the offer rests on attributes and on what many take",
}
TOPICS: dict[str, tuple[str, ...]] = {
    "health": (
        "disease", "illness", "ill", "sick", "diagnos*", "cancer", "diabet*", "pregnan*",
        "disab*", "medic*", "hospital*", "psych*", "therap*", "addict*", "hiv", "health",
    ),
    "religion": (
        "religio*", "church", "mosque", "synagogue", "muslim*", "christian*", "jewish", "hindu*",
        "buddhis*", "islam*", "catholic*", "protestant*", "parish", "zakat", "tithe*",
    ),
    "hardship": (
        "hardship", "bankrupt*", "insolven*", "overdue", "arrears", "default*", "dunning",
        "debt collection", "garnish*", "unemploy*", "evict*", "gambl*", "payday", "vulnerab*",
    ),
}  # fmt: skip
OF_TOWER = {
    "sequence": ("event",), "repeats": ("event",), "graph": ("edge",), "paths": ("edge",),
    "profile": ("attribute",),
}  # fmt: skip
ALSO = 0.5  # a second event is a reason from this share of the first one's effect


@dataclass(frozen=True)
class Reason:
    """One reason for an offer.

    Args:
        code: a key of CODES.
        text: for the bank's own people.
        safe: for the customer: nothing about other people and no scores; empty where there is
            nothing to say without.
        evidence: ids of what it rests on.
        strength: fall of the score without the evidence; NaN where that was not measured.
    """

    code: str
    text: str
    safe: str
    evidence: tuple[str, ...]
    strength: float


class Found(Protocol):
    """What reasons are made of; an explanation has it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def events(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def attributes(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def paths(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def edges(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def ledger(self) -> pd.DataFrame: ...  # noqa: D102


def evidence_ids(found: Found) -> frozenset[str]:
    """Everything that a reason may rest on, as the explanation's tables list it."""
    shared = found.edges[found.edges["kind"] == "shared"] if len(found.edges) else found.edges
    return frozenset(
        ["customer"]
        + [f"event/{p}" for p in found.events["position"]]
        + [f"attribute/{c}" for c in found.attributes["column"]]
        + list(found.paths["id"])
        + [f"edge/{s}>{t}" for s, t in zip(shared["source"], shared["target"], strict=True)]
    )


def load_topics(path: Path) -> dict[str, tuple[str, ...]]:
    """Topics that are never reasons: the built-in ones, replaced or added to by a TOML file.

    The file has one line a topic, ``topic = ["word", "begin*"]``; an empty list allows a topic.

    Raises:
        PolicyError: when the file can't be read as that.
    """
    if not path.is_file():
        return dict(TOPICS)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path.name}: {error}; correct the file.") from error
    for topic, words in told.items():
        if not isinstance(words, list) or not all(isinstance(w, str) and w.strip() for w in words):
            raise PolicyError(
                f'{path.name}, {topic}: give a list of words, such as ["church", "religio*"].'
            )
    return {**TOPICS, **{topic: tuple(words) for topic, words in told.items()}}


def topic_of(text: str, topics: Mapping[str, Sequence[str]] | None = None) -> str | None:
    """The forbidden topic that a text touches, if any; words as such, or from their beginning."""
    plain = re.sub(r"[_\W]+", " ", text.casefold())
    for topic, words in (TOPICS if topics is None else topics).items():
        for word in words:
            stem = re.escape(word.casefold().rstrip("*"))
            if re.search(rf"\b{stem}" + ("" if word.endswith("*") else r"\b"), plain):
                return topic
    return None


def reasons(found: Found, topics: Mapping[str, Sequence[str]] | None = None) -> tuple[Reason, ...]:
    """What speaks for an offer, what counts most first; forbidden topics left out."""
    out = _events(found, topics) + _paths(found, topics) + _attributes(found, topics)
    out.sort(key=lambda r: -r.strength if r.strength == r.strength else 0.0)
    if found.events.empty:
        known = tuple(f"attribute/{c}" for c in found.attributes["column"])
        ground = "attributes alone" if known else "what many customers take"
        out.insert(0, Reason(
            "no_events",
            f"No events are known of this customer: the offer rests on {ground}.",
            "We know of no earlier purchases of yours.", known or ("customer",), float("nan"),
        ))  # fmt: skip
    return tuple(out + _part(found, out, topics))


def _events(found: Found, topics: Mapping[str, Sequence[str]] | None) -> list[Reason]:
    out: list[Reason] = []
    for place, row in enumerate(_largest(found.events, "effect", 4)):
        effect = float(row["effect"])
        too_small = out and effect < ALSO * out[0].strength
        if effect <= 0 or too_small or len(out) == 2:
            break
        if topic_of(str(row[NAME]), topics):
            continue
        more = ", more than any other event" if place == 0 else ""
        day = f"{row[TIME]:%d %b %Y}"
        out.append(Reason(
            "event",
            f"{row[NAME]} ({day}) adds {effect:.2f} to the score{more}.",
            f"You have known {row[NAME]} since {day}." if row["kind"] == "held"
            else f"{row[NAME]} was among what you chose ({day}).",
            (f"event/{row['position']}",), effect,
        ))  # fmt: skip
    return out


def _paths(found: Found, topics: Mapping[str, Sequence[str]] | None) -> list[Reason]:
    rows = [
        (str(r["id"]), str(r[NAME]), int(r["customers"]), float(r["effect"]))
        for r in _largest(found.paths, "effect")
        if r["customers"] > 0 and r["effect"] > 0
    ]
    if not rows and len(found.edges):  # a model that counts no paths still reads the graph
        rows = [
            (f"edge/{r['source']}>{r['target']}", str(r["source_name"]), int(r["customers"]),
             float("nan"))
            for r in _largest(found.edges, "customers")
            if r["kind"] == "shared" and r["customers"] > 0
        ]  # fmt: skip
    for edge, name, customers, effect in rows:
        if topic_of(name, topics):
            continue
        text = f"{customers:,} customers who have {name} also have {found.name}."
        return [Reason("paths", text, "", (edge,), effect)]
    return []


def _attributes(found: Found, topics: Mapping[str, Sequence[str]] | None) -> list[Reason]:
    for row in _largest(found.attributes, "effect"):
        if row["effect"] <= 0:
            break
        name, value = str(row["column"]).replace("_", " "), str(row["value"])
        if topic_of(f"{name} {value}", topics):
            continue
        effect = float(row["effect"])
        text = f"{name[:1].upper()}{name[1:]} ({value}) adds {effect:.2f} to the score."
        safe = f"We took into account: {name} {value}."
        return [Reason("attribute", text, safe, (f"attribute/{row['column']}",), effect)]
    return []


def _largest(table: pd.DataFrame, by: str, most: int | None = None) -> Iterator[dict[str, Any]]:
    """Rows by a column, the largest first; of equal ones the first."""
    values = {str(name): table[name].array for name in table}
    order = np.argsort(-table[by].to_numpy(dtype=float), kind="stable")
    for place in order[:most]:
        yield {name: column[place] for name, column in values.items()}


def _part(
    found: Found, others: Sequence[Reason], topics: Mapping[str, Sequence[str]] | None
) -> list[Reason]:
    top = found.ledger.iloc[int(found.ledger["contribution"].argmax())]
    wanted = OF_TOWER.get(str(top["tower"]), ())
    evidence = tuple(e for r in others for e in r.evidence if e.split("/")[0] in wanted)
    if not evidence and "edge" in wanted:  # its group may be too small to be counted
        rows = zip(found.paths["id"], found.paths[NAME], strict=True)
        evidence = tuple(str(e) for e, name in rows if not topic_of(str(name), topics))[:1]
    if top["contribution"] <= 0 or not evidence:
        return []
    label: Any = str(top["label"])
    text = (
        f"What speaks for it most: {label[0].lower()}{label[1:]} "
        f"({top['contribution']:+.2f} against the average product)."
    )
    return [Reason("part", text, "", evidence, float("nan"))]
