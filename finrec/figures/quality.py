"""What is in a data set, and how two differ, as tables and charts."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.style import BLUE, ORANGE, empty, styled
from finrec.schema import PRODUCT
from finrec.snapshots import Comparison, Erasure, Quality

MOST_BARS = 20
FIGURES = {
    "customers": "Customers",
    "products": "Products",
    "events": "Events",
    "cold_customers": "Customers without an event",
    "products_without_events": "Products without an event",
    "repeated_events": "Events that repeat another",
    "future_events": "Events dated after today",
    "negative_amounts": "Negative amounts",
    "unknown_amounts": "Unknown amounts",
}


def counts(quality: Quality) -> pd.DataFrame:
    """Figure, Value: counts by name for people."""
    found = [(words, int(quality.figures[name] or 0)) for name, words in FIGURES.items()]
    return pd.DataFrame(found, columns=["Figure", "Value"])


def columns(quality: Quality) -> pd.DataFrame:
    """One row a column of the data: Table, Column, Type, Missing, Distinct, Lowest, Highest."""
    found = quality.columns
    return pd.DataFrame(
        {
            "Table": found["table"].map(formats.words),
            "Column": found["column"],
            "Type": found["type"],
            "Missing": found["missing"].map(lambda share: formats.share(share, 1)),
            "Distinct": found["distinct"],
            "Lowest": found["min"].map(_value),
            "Highest": found["max"].map(_value),
            "Outliers": found["outliers"].map(lambda n: "" if pd.isna(n) else formats.number(n)),
        }
    )


def _value(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float | int) else str(value)


def missing(quality: Quality) -> tuple[go.Figure, str]:
    """Bars of the columns with gaps, the widest gap first; and what they say."""
    gaps = quality.columns[quality.columns["missing"] > 0]
    gaps = gaps.sort_values("missing", ascending=False).head(MOST_BARS)
    if gaps.empty:
        return empty("No column has gaps."), "No column has gaps."
    names = gaps["table"] + ": " + gaps["column"]
    figure = go.Figure(go.Bar(x=gaps["missing"], y=names, orientation="h", marker_color=BLUE))
    figure.update_xaxes(tickformat=".0%", range=[0, 1], title="Share of rows without a value")
    figure.update_yaxes(autorange="reversed")
    words = f"{names.iloc[0]} lacks a value in {formats.share(gaps['missing'].iloc[0], 1)} of rows."
    return styled(figure, 130 + 24 * len(gaps)), f"Columns with gaps. {words}"


def months(quality: Quality) -> tuple[go.Figure, str]:
    """Events by month, and what they say."""
    found = quality.months
    if found.empty:
        return empty("There are no events."), "There are no events."
    figure = go.Figure(go.Bar(x=found["month"], y=found["events"], marker_color=BLUE))
    figure.update_yaxes(title="Events", tickformat=",d")
    most = found.iloc[int(found["events"].to_numpy().argmax())]
    words = (
        f"Events by month, from {found['month'].iloc[0]:%B %Y} to {found['month'].iloc[-1]:%B %Y}; "
        f"most in {most['month']:%B %Y}: {formats.number(int(most['events']))}."
    )
    return styled(figure, 260), words


def balance(quality: Quality) -> tuple[go.Figure, str]:
    """Events of each product, the most frequent first, and how uneven that is."""
    found = quality.products
    if found.empty:
        return empty("There are no events."), "There are no events."
    if len(found) <= MOST_BARS:
        figure = go.Figure(
            go.Bar(x=found["events"], y=found[PRODUCT], orientation="h", marker_color=BLUE)
        )
        figure.update_yaxes(autorange="reversed", type="category")
        figure.update_xaxes(title="Events")
        height = 90 + 24 * len(found)
    else:
        place = pd.Series(range(1, len(found) + 1))
        figure = go.Figure(go.Scatter(x=place, y=found["events"], mode="lines", line_color=BLUE))
        figure.update_xaxes(title="Products, the most frequent first", type="log", dtick=1)
        figure.update_yaxes(title="Events", type="log", dtick=1, tickformat=",d")
        height = 280
    figures = quality.figures
    words = (
        f"The most frequent product has {formats.share(figures['largest_product_share'], 1)} of "
        f"all events, {formats.number(figures['imbalance'])} times those of the rarest; the Gini "
        f"coefficient is {figures['gini']:.2f}."
    )
    return styled(figure, height), words


def drift(comparison: Comparison) -> tuple[go.Figure, str]:
    """PSI of each column, the largest first, with the usual limits."""
    found = comparison.drift.head(MOST_BARS)
    names = found["table"] + ": " + found["column"]
    figure = go.Figure(go.Bar(x=found["psi"], y=names, orientation="h", marker_color=BLUE))
    for limit in (0.1, 0.25):
        figure.add_vline(limit, line_dash="dot", line_color=ORANGE)
    figure.update_xaxes(title="Population stability index", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    moved = comparison.drift[comparison.drift["verdict"] != "stable"]["column"].tolist()
    words = (
        f"Moved by more than 0.1: {', '.join(moved[:5])}."
        if moved
        else "No column moved by more than 0.1."
    )
    return styled(figure, 90 + 24 * len(found)), (
        f"How far each column moved. Below 0.1 is stable, above 0.25 changed. {words}"
    )


def shares(comparison: Comparison, column: str) -> tuple[go.Figure, str, pd.DataFrame]:
    """Shares of a column's values before and after; ``column`` is ``table: column``."""
    table, _, name = column.partition(": ")
    bins = comparison.bins
    found = bins[(bins["table"] == table) & (bins["column"] == name)]
    figure = go.Figure(
        [
            go.Bar(x=found["bin"], y=found["before"], name="Before", marker_color=ORANGE),
            go.Bar(x=found["bin"], y=found["after"], name="After", marker_color=BLUE),
        ]
    )
    figure.update_yaxes(tickformat=".0%", title="Share of rows")
    figure.update_xaxes(type="category")
    shown = found[["bin", "before", "after"]].rename(columns=str.capitalize)
    return styled(figure, 300), f"{column}: shares of its values before and after.", shown


def moved(comparison: Comparison) -> list[str]:
    """Columns compared, as ``table: column``, the most moved first."""
    return (comparison.drift["table"] + ": " + comparison.drift["column"]).tolist()


def rows(comparison: Comparison) -> pd.DataFrame:
    """Table, Before, After, Change: numbers of rows."""
    found = comparison.rows
    return pd.DataFrame(
        {
            "Table": found["table"].map(formats.words),
            "Before": found["before"],
            "After": found["after"],
            "Change": found["after"] - found["before"],
        }
    )


def customers(comparison: Comparison) -> pd.DataFrame:
    """customer_id, change: every customer won or lost."""
    return pd.concat(
        [
            pd.DataFrame({"customer_id": comparison.new, "change": "new"}),
            pd.DataFrame({"customer_id": comparison.lost, "change": "lost"}),
        ],
        ignore_index=True,
    )


def erasure(done: Erasure) -> list[str]:
    """What an erasure did and proved, a sentence each; none repeats the id."""
    said = [
        f"Snapshot {old} was rewritten without {formats.counted(removed, 'row')}: now {new}."
        for old, new, removed in done.rewritten
    ]
    said += [f"Model {run} had learned from this customer; train it again." for run in done.runs]
    said.append(f"{formats.counted(done.scanned, 'file')} read again afterwards.")
    said += [f"{file} still mentions the customer; remove it by hand." for file in done.left]
    said += [f"{file} could not be searched; look into it by hand." for file in done.unread]
    if done.proven:
        said.append("None mentions the customer.")
    return said
