"""Tables and the timeline of a customer, in words."""

from __future__ import annotations

import pandas as pd

from finrec.figures import tables
from finrec.schema import DatasetInfo


def history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": pd.to_datetime(["2024-03-01", "2024-01-02", "2023-05-05"]),
            "product_id": ["P1", "P2", "P1"],
            "name": ["Gold <b>card</b>", "Savings", "Gold <b>card</b>"],
            "kind": ["dropped", "acquired", "acquired"],
            "amount": [None, 100.5, None],
        }
    )


def test_generated_data_are_always_called_so() -> None:
    assert tables.title(DatasetInfo("a", "A bank", generated=True)) == "A bank (generated)"
    assert tables.title(DatasetInfo("a", "Generated bank", generated=True)) == "Generated bank"
    assert tables.title(DatasetInfo("a", "A bank")) == "A bank"


def test_timeline_has_a_row_a_product_and_a_mark_a_kind() -> None:
    figure = tables.timeline(history())
    assert list(figure.layout.yaxis.ticktext) == ["Gold &lt;b&gt;card&lt;/b&gt;", "Savings"]
    by_name = {t.name: t for t in figure.data}
    assert set(by_name) == {"taken", "given up"}
    assert list(by_name["taken"].y) == [0, 1]
    assert list(by_name["given up"].y) == [0]
    assert by_name["taken"].marker.symbol != by_name["given up"].marker.symbol
    assert "<b>card" not in figure.to_json()


def test_events_of_one_moment_are_drawn_on_an_axis_of_days() -> None:
    once = history().iloc[:1]
    start, end = tables.timeline(once).layout.xaxis.range
    assert (pd.Timestamp(end) - pd.Timestamp(start)).days >= 14


def test_timeline_in_words_and_as_a_table() -> None:
    assert tables.describe_timeline(history()) == (
        "3 events with 2 products, from 5 May 2023 to 1 Mar 2024."
    )
    table = tables.history(history())
    assert table["Event"].tolist() == ["given up", "taken", "taken"]
    assert table["Amount"].notna().sum() == 1
    without = tables.history(history().assign(amount=float("nan")))
    assert "Amount" not in without


def test_no_events_are_said() -> None:
    nothing = history().iloc[:0]
    assert tables.describe_timeline(nothing) == "No events are known of this customer."
    assert "No events are known" in tables.timeline(nothing).to_json()


def test_found_customers_keep_their_ids() -> None:
    found = pd.DataFrame({"customer_id": ["007", "008"], "events": [1, 5]})
    ids, labels = tables.found_customers(found)
    assert ids == ["007", "008"]
    assert labels["007"] == "007 · 1 event"
    assert tables.busiest(found) == "008"
    assert tables.busiest(found.iloc[:0]) is None


def test_attributes_are_in_words() -> None:
    table = tables.attributes({"marital_status": "single", "income": 51600.0, "age": None})
    assert table["Attribute"].tolist() == ["Marital status", "Income", "Age"]
    assert table["Value"].tolist() == ["single", "51,600", "–"]


def test_floats_of_a_table_are_written_by_what_they_are() -> None:
    written = {
        "ages": tables.of_floats("Alter", pd.Series([54.0, None, 21.0])),
        "amounts": tables.of_floats("Guthaben", pd.Series([31030.97, 84.5])),
        "measures": tables.of_floats("NDCG@5", pd.Series([0.1878, 1.0])),
        "no or yes": tables.of_floats("HR@1", pd.Series([0.0, 1.0])),
        "scores": tables.of_floats("Score", pd.Series([6.2728, -1.5])),
        "none": tables.of_floats("Score", pd.Series([None], dtype="float64")),
        "seconds": tables.of_floats("Learning, s", pd.Series([251.25])),
        "worth": tables.of_floats("Worth (EUR)", pd.Series([2.0, 400.0])),
    }
    assert written == {
        "ages": "localized", "amounts": "localized", "measures": "%.4f", "no or yes": "%.4f",
        "scores": "%.4f", "none": "%.4f", "seconds": "%.1f", "worth": "%.2f",
    }  # fmt: skip
