"""Paths "you, a product, customers like you, the offer", drawn; other customers as groups only."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from finrec.figures import evidence, formats

FEW = "too few customers to count"


def network(paths: pd.DataFrame, offer: str, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes and edges of the paths, as :func:`finrec.figures.evidence.neighbourhood` draws them.

    Args:
        paths: of an explanation.
        offer: product id.
        name: the offer's name.
    """
    nodes = [["customer", "This customer", "customer", 0], [offer, name, "offer", 3]]
    edges = []
    even = 1 / max(len(paths), 1)
    weighed = bool((paths["share"] > 0).any())
    for row in paths.to_dict("records"):
        product, count = str(row["product_id"]), int(row["customers"])
        group, share = f"group/{product}", float(row["share"]) if weighed else even
        said = formats.counted(count, "customer") if count else FEW
        nodes += [[product, row["name"], "own", 1], [group, said, "group", 2]]
        edges += [
            ["customer", product, "acquired", share, 0, "This customer"],
            [product, group, "group", share, count, row["name"]],
            [group, offer, "group", share, count, said],
        ]
    return (
        pd.DataFrame(nodes, columns=["id", "label", "kind", "hop"]),
        pd.DataFrame(
            edges, columns=["source", "target", "kind", "weight", "customers", "source_name"]
        ),
    )


def figure(paths: pd.DataFrame, offer: str, name: str) -> go.Figure:
    """From this customer over own products and groups of customers to the offer, left to right.

    The thicker a line, the more its path weighs.
    """
    return evidence.neighbourhood(*network(paths, offer, name), least=190)
