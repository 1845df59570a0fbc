"""Where each method comes from, and what stands in for the methods of the paper."""

from __future__ import annotations

import pandas as pd

from finrec import baselines
from finrec.config import PARTS
from finrec.figures.reference import label

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


def title(method: str) -> str:
    """A method's name for people."""
    known = baselines.METHODS.get(method)
    return known.title if known else label(method)


def table(methods: list[str]) -> pd.DataFrame:
    """Columns Method, Source, a row a method."""
    return pd.DataFrame({"Method": map(title, methods), "Source": map(source, methods)})
