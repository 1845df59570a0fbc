"""Paths over other customers are drawn from the customer to the offer, groups never below ten."""

from __future__ import annotations

import pandas as pd

from finrec.figures import walks


def found() -> pd.DataFrame:
    rows = [
        ("edge/A>Z", "A", "Alpha", 0.3, 0.75, 0.2, 41),
        ("edge/B>Z", "B", "Beta", 0.1, 0.25, 0.1, 0),
    ]
    names = ["id", "product_id", "name", "weight", "share", "effect", "customers"]
    return pd.DataFrame(rows, columns=names)


def test_each_path_leads_over_its_product_and_group_to_the_offer() -> None:
    nodes, edges = walks.network(found(), "Z", "Zeta")
    steps = set(zip(edges["source"], edges["target"], strict=True))
    for product in ("A", "B"):
        assert {("customer", product), (product, f"group/{product}")} <= steps
        assert (f"group/{product}", "Z") in steps
    labels = dict(zip(nodes["id"], nodes["label"], strict=True))
    assert labels["group/A"] == "41 customers" and labels["group/B"] == walks.FEW
    assert nodes.set_index("id")["hop"][["customer", "A", "group/A", "Z"]].tolist() == [0, 1, 2, 3]
    figure = walks.figure(found(), "Z", "Zeta")
    widths = [t.line.width for t in figure.data if t.mode == "lines"]
    assert max(widths[:3]) > max(widths[3:]), "the weightier path is thicker"


def test_paths_without_weight_are_drawn_alike() -> None:
    _, edges = walks.network(found().assign(share=0.0), "Z", "Zeta")
    assert edges["weight"].nunique() == 1
