"""Products as figures: what is drawn and said is what was counted."""

from __future__ import annotations

import pandas as pd

from finrec.figures import products

NODES = pd.DataFrame(
    {"product_id": ["A", "B", "C"], "name": ["Alpha <b>", "Beta", "Gamma"],
     "customers": [40, 90, 20]}
)  # fmt: skip
EDGES = pd.DataFrame(
    {"source": ["A", "A", "B"], "target": ["B", "C", "C"], "customers": [30, 12, 15],
     "lift": [1.5, 4.0, 2.0]}
)  # fmt: skip


def test_what_goes_together_is_drawn_around_the_product() -> None:
    figure = products.together(NODES, EDGES)
    lines = [t for t in figure.data if t.mode == "lines"]
    assert len(lines) == 3
    (names,) = [t for t in figure.data if t.mode == "markers+text"]
    assert (names.x[0], names.y[0]) == (0, 0)
    assert "&lt;b&gt;" in names.text[0]
    said = products.describe_together(NODES, EDGES)
    assert said.startswith("Most linked to Gamma: 12 customers have both, 4.0 times")
    table = products.together_table(NODES, EDGES)
    assert table["And"].tolist() == ["Gamma", "Beta", "Gamma"]
    nothing = EDGES.iloc[:0]
    assert products.together(NODES.iloc[:1], nothing).layout.annotations
    assert "No other product" in products.describe_together(NODES.iloc[:1], nothing)


def test_groups_and_trend_say_their_extremes() -> None:
    groups = pd.DataFrame(
        {"group": ["young", "old"], "holders": [1, 6], "customers": [20, 30], "share": [0.05, 0.2]}
    )
    assert "most often old (20.0%), least young (5.0%)" in products.describe_holders(groups, "age")
    assert list(products.groups(groups, "share", 0.14).data[0].x) == [0.05, 0.2]
    lean = pd.DataFrame({"group": ["young", "old"], "customers": [20, 30], "times": [0.5, 1.33]})
    assert "fits old best (1.33 times" in products.describe_leaning(lean, "age")
    months = pd.DataFrame(
        {"month": pd.to_datetime(["2024-01-01", "2024-02-01"]), "customers": [3, 5]}
    )
    assert "8 times in 2 months, most in February 2024 (5)" in products.describe_trend(months)
    none = months.assign(customers=0)
    assert products.describe_trend(none).startswith("Nobody")
    assert products.trend(none).layout.annotations


def test_customers_are_named_by_id_alone() -> None:
    found = pd.DataFrame({"customer_id": ["c1"], "probability": [0.2], "place": [3]})
    assert list(products.fitting(found).iloc[0]) == ["c1", 0.2, 3]
    assert list(products.leaning_to(found, 0.05).iloc[0]) == ["c1", "4.0"]


def test_bars_of_groups_say_what_they_measure() -> None:
    found = pd.DataFrame({"group": ["young", "old"], "share": [0.2, 0.1], "times": [1.5, 0.5]})
    assert "has it" in products.groups(found, "share", 0.15).layout.xaxis.title.text
    assert "Times" in products.groups(found, "times", 1.0).layout.xaxis.title.text


def test_a_product_without_a_name_of_its_own_is_told_once() -> None:
    assert products.named("Gold card", "P1") == "Gold card (P1)"
    assert products.named("SKU00007", "SKU00007") == "SKU00007"
