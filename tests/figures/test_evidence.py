"""Figures of an explanation say what its frames say, and so do their texts and tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finrec.figures import attention, evidence

HOSTILE = '<a href="javascript:1">Gold</a>'


@pytest.fixture
def events() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": pd.to_datetime(["2024-01-05", "2024-02-09"]),
            "name": ["Savings Book", HOSTILE],
            "kind": ["acquired", "acquired"],
            "attention": [0.1, 0.6],
            "effect": [-0.2, 0.4],
        }
    )


@pytest.fixture
def weights() -> np.ndarray:
    return np.array([[1.0, 0.0, 0.0], [0.7, 0.3, 0.0], [0.2, 0.5, 0.3]])


def test_heatmap_shows_each_share_with_dates_and_products(
    events: pd.DataFrame, weights: np.ndarray
) -> None:
    figure = attention.figure(weights, events)
    shown = np.array(figure.data[0].z, dtype=float)
    lower = np.tril_indices(3)
    assert np.array_equal(shown[lower], weights[lower])
    assert np.isnan(shown[np.triu_indices(3, 1)]).all(), "what comes later is not looked at"
    labels = figure.layout.xaxis.ticktext
    assert labels == figure.layout.yaxis.ticktext
    assert labels[0] == "Profile"
    assert labels[1] == "5 Jan 24 · Savings Book"
    assert labels[2].startswith("9 Feb 24 · &lt;a"), "no markup of a name reaches plotly"
    assert "<a" not in figure.to_json()


def test_colour_scale_is_of_the_events_not_of_the_profile(
    events: pd.DataFrame, weights: np.ndarray
) -> None:
    assert attention.figure(weights, events).data[0].zmax == pytest.approx(0.7)


def test_long_histories_are_drawn_from_their_end_and_whole_in_the_table() -> None:
    many = pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=30),
            "name": [f"Product {i}" for i in range(30)],
        }
    )
    even = np.tril(np.ones((31, 31))) / np.arange(1, 32)[:, None]
    figure = attention.figure(even, many)
    ticks = figure.layout.xaxis.ticktext
    assert len(ticks) == 21
    assert ticks[0] == "Profile"
    assert ticks[1].endswith("Product 10")
    assert ticks[-1].endswith("Product 29")
    assert np.asarray(figure.data[0].z)[20, 0] == pytest.approx(1 / 31)
    assert len(attention.table(even, many)) == 31 * 32 / 2
    assert "The latest 20 of 30 events are drawn." in attention.describe(even, many, "Encoder")


def test_rolled_out_attention_is_bars(events: pd.DataFrame) -> None:
    figure = attention.figure(np.array([0.2, 0.5, 0.3]), events)
    assert list(figure.data[0].x) == [0.2, 0.5, 0.3]
    assert figure.layout.yaxis.ticktext[0] == "Profile"


def test_attention_table_is_the_map(events: pd.DataFrame, weights: np.ndarray) -> None:
    table = attention.table(weights, events)
    assert len(table) == 6
    assert table["Share"].sum() == pytest.approx(3.0)
    last = table[table["Standing at"].str.startswith("9 Feb")]
    assert last["Share"].tolist() == [0.2, 0.5, 0.3]


def test_attention_is_said_in_words(events: pd.DataFrame, weights: np.ndarray) -> None:
    said = attention.describe(weights, events, "Encoder")
    assert said.startswith("Encoder: ")
    assert "most at 5 Jan 24 · Savings Book (50.0%)" in said


@pytest.fixture
def ledger() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tower": ["sequence", "profile", "bias"],
            "label": ["Events in order", "Attributes", "Popularity"],
            "contribution": [1.0, -0.25, 0.1],
        }
    )


def test_ledger_adds_up(ledger: pd.DataFrame) -> None:
    bars = evidence.ledger(ledger).data[0]
    assert list(bars.x) == [1.0, -0.25, 0.1, pytest.approx(0.85)]
    assert list(bars.measure) == ["relative"] * 3 + ["total"]
    assert list(bars.text) == ["+1.00", "−0.25", "+0.10", "+0.85"]
    table = evidence.ledger_table(ledger)
    assert table.iloc[-1].tolist() == ["Together", pytest.approx(0.85)]
    said = evidence.describe_ledger(ledger)
    assert "+0.85" in said
    assert "Events in order adds most (+1.00)" in said
    assert "Attributes takes most away (−0.25)" in said


@pytest.mark.parametrize(
    ("values", "leaves_room"),
    [([-0.07, 0.2], True), ([0.5, -0.1], False), ([0.1, -0.3, 0.1], True), ([0.1, 0.2], False)],
)
def test_a_value_left_of_the_furthest_bar_has_room(values: list[float], leaves_room: bool) -> None:
    parts = pd.DataFrame({"label": list("abc")[: len(values)], "contribution": values})
    reach = evidence.ledger(parts).layout.xaxis.range
    assert (reach is not None) == leaves_room
    if reach is not None:
        assert reach[0] < min(np.cumsum(values)) and reach[1] > max(0.0, *np.cumsum(values))


@pytest.fixture
def graph() -> tuple[pd.DataFrame, pd.DataFrame]:
    nodes = pd.DataFrame(
        [
            ["customer", "This customer", "customer", 0],
            ["P2", "Offer", "offer", 2],
            ["P1", HOSTILE, "own", 1],
            ["P3", "Near one", "near", 3],
        ],
        columns=["id", "label", "kind", "hop"],
    )
    edges = pd.DataFrame(
        [
            ["customer", "P1", "acquired", 0.5, 0, "This customer"],
            ["P1", "P2", "shared", 0.2, 42, "Savings Book"],
            ["P3", "P2", "near", 0.1, 0, "Near one"],
        ],
        columns=["source", "target", "kind", "weight", "customers", "source_name"],
    )
    return nodes, edges


def test_neighbourhood_draws_every_node_and_edge(
    graph: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    figure = evidence.neighbourhood(*graph)
    lines = [t for t in figure.data if t.mode == "lines"]
    groups = [t for t in figure.data if t.mode == "markers+text"]
    assert len(lines) == 3
    assert sum(len(t.x) for t in groups) == 4
    assert {t.name for t in groups} == {
        "this customer",
        "taken before",
        "the offer",
        "close to the offer",
    }
    widths = [t.line.width for t in lines]
    assert widths[0] > widths[1] > widths[2], "a stronger link is wider"
    customer = next(t for t in groups if t.name == "this customer")
    offer = next(t for t in groups if t.name == "the offer")
    assert customer.x[0] < offer.x[0], "read from left to right"
    assert "<a" not in figure.to_json()


def test_neighbourhood_in_words_and_as_a_table(graph: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    said = evidence.describe_neighbourhood(*graph)
    assert "42 customers have both Savings Book and the offer" in said
    table = evidence.neighbourhood_table(*graph)
    assert table["Customers with both"].tolist() == ["–", "42", "–"]
    assert table["To"].tolist() == [HOSTILE, "Offer", "Offer"]


def test_no_graph_is_said(graph: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    nodes, edges = graph
    assert "reads no graph" in evidence.describe_neighbourhood(nodes, edges.iloc[:0])


def test_events_table_is_newest_first(events: pd.DataFrame) -> None:
    table = evidence.events_table(events)
    assert table["Day"].is_monotonic_decreasing
    assert table["Score falls without it by"].tolist() == [0.4, -0.2]
