"""Customers: the neighbourhood goes further hop by hop; long histories are drawn by group."""

from __future__ import annotations

from typing import Any

import pandas as pd

from finrec.figures import attention
from finrec.pipeline import explaining
from tests.app.conftest import Screen, calm, texts, turned


def test_neighbourhood_is_expanded_from_a_product_and_shrinks_again(
    screen: Screen, trained: list[Any]
) -> None:
    app = turned(screen("customers"), "reasons part", "Neighbours")
    customer, product = (str(app.session_state[n]) for n in ("customer", "product"))
    found = explaining.explain(trained[1].id, customer, product)
    assert len(found.edges)
    picker = next(m for m in app.multiselect if m.label == "Go a hop further from")
    first = next(i for i, k in zip(found.nodes["id"], found.nodes["kind"], strict=True)
                 if k in ("own", "offer"))  # fmt: skip
    app = calm(app.multiselect(key=picker.key).set_value([first]).run())
    nodes, edges = explaining.further(trained[1].id, found, [first])
    shown = [d.value for d in app.dataframe if "Customers with both" in d.value and "To" in d.value]
    assert len(shown[0]) == len(edges)
    further = nodes[nodes["kind"] == "further"]["id"].tolist()
    if further:
        app = calm(app.multiselect(key=picker.key).set_value([first, further[0]]).run())
        app = calm(app.multiselect(key=picker.key).set_value([further[0]]).run())
        assert app.session_state[picker.key] == []
    assert "Paths over other customers" in texts(app)


def test_a_long_history_is_drawn_by_product_and_by_month(
    screen: Screen, trained: list[Any]
) -> None:
    app = calm(screen("customers"))
    customer, product = (str(app.session_state[n]) for n in ("customer", "product"))
    found = explaining.explain(trained[1].id, customer, product)
    assert not attention.is_long(found.events)
    assert not [g for g in app.get("button_group") if "attention by" in str(g.key)]
    for way in ("product", "month"):
        values = found.attention["Rolled out"]
        shares, groups = explaining.condensed(values, found.events, way)
        table = attention.grouped_table(shares, groups)
        assert len(table) == len(groups) + 1
        assert abs(table["Share"].sum() - 1) < 1e-5
        layer = next(v for v in found.attention.values() if v.ndim == 2)
        two, same = explaining.condensed(layer, found.events, way)
        assert attention.grouped(two, same).data[0].z.shape == two.shape
        assert attention.describe_grouped(shares, groups, "Rolled out").startswith("Rolled out")
    assert attention.is_long(pd.DataFrame({"a": range(21)}))
