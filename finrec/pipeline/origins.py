"""Where each method comes from, and what stands in for the methods of the paper."""

from __future__ import annotations

import pandas as pd

from finrec import baselines
from finrec.config import PARTS
from finrec.figures.reference import label

STAND_IN = "stand-in for "
OWN = {
    "baseline": "finrec's own network: behaviour Transformer",
    "+tl": "finrec's own network: behaviour Transformer, transfer learning",
    "+gnn": "finrec's own network: behaviour Transformer, graph",
    "+tl+gnn": "finrec's own network: behaviour Transformer, transfer learning, graph",
}


def source(method: str) -> str:
    """The publication; a stand-in says for what. Empty for one that this version does not know."""
    known = baselines.METHODS.get(method)
    return OWN[method] if method in PARTS else known.source if known else ""


def stands_in_for(method: str) -> str:
    """The paper's method whose place this one takes; empty where it is that method itself."""
    return _told(method)[0]


def title(method: str) -> str:
    """A method's name for people."""
    known = baselines.METHODS.get(method)
    return known.title if known else label(method)


def table(methods: list[str]) -> pd.DataFrame:
    """Columns Method, Stands in for (empty where it is the method itself), Source."""
    rows = [(title(m), *_told(m)) for m in methods]
    return pd.DataFrame(rows, columns=["Method", "Stands in for", "Source"])


def _told(method: str) -> tuple[str, str]:
    """What a method stands in for, and the publication by which it does."""
    told = source(method)
    if not told.startswith(STAND_IN):
        return "", told
    instead, _, own = told.removeprefix(STAND_IN).partition(": ")
    return instead, own
