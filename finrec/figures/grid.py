"""Methods side by side: bars with their intervals, and tables for people."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from finrec.config import PARTS
from finrec.figures import formats
from finrec.figures.reference import label
from finrec.figures.style import BLUE, FAINT, GREY, empty, styled

COLUMNS = {
    "method": "Method", "seeds": "Seeds", "mean": "Mean", "sd": "SD over seeds", "low": "95 % from",
    "high": "To", "p": "p, customers", "p_seeds": "p, and seeds", "seconds_train": "Training, s",
    "seconds_score": "Scoring, s", "parameters": "Parameters", "peak_mib": "Peak memory, MiB",
}  # fmt: skip
PAPER = {
    "table": "Table", "dataset": "Data set", "method": "Method", "metric": "Metric",
    "paper": "Paper", "ours": "Here", "here": "Measured here", "measured_on": "On",
}  # fmt: skip


def of_protocol(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Rows of one protocol."""
    return table[table["protocol"] == protocol]


def bars(
    table: pd.DataFrame, metric: str, titles: Mapping[str, str] | None = None
) -> tuple[go.Figure, str]:
    """Means with their 95 % intervals, the best on top; and what they say.

    Args:
        table: of one protocol, as from :func:`finrec.pipeline.compare.summary`.
        metric: its name.
        titles: of methods, for people; their own names where none are given.
    """
    if table.empty:
        return empty("Nothing is measured yet."), "Nothing is measured yet."
    colours = [BLUE if m in PARTS else FAINT for m in table["method"]]
    spread = {
        "type": "data",
        "symmetric": False,
        "array": table["high"] - table["mean"],
        "arrayminus": table["mean"] - table["low"],
        "color": GREY,
        "thickness": 2,
    }
    figure = go.Figure(
        go.Bar(
            x=table["mean"], y=[formats.markup(n) for n in named(table, titles)],
            orientation="h", marker_color=colours, error_x=spread, customdata=table["method"],
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(title=formats.measure(metric))
    best = table.iloc[0]
    words = (
        f"{formats.measure(metric)} with 95 % intervals over customers; our own network in blue. "
        f"Best: {named(table, titles)[0]} with {formats.metric(best['mean'])}."
    )
    return styled(figure, 90 + 26 * len(table)), words


def named(table: pd.DataFrame, titles: Mapping[str, str] | None) -> list[str]:
    """Methods in words, or by their own names where no words are given."""
    if titles is None:
        return [str(m) for m in table["method"]]
    return [label(m, titles) for m in table["method"]]


def shown(table: pd.DataFrame, titles: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The table with headings for people."""
    kept = table[[c for c in COLUMNS if c in table]].assign(method=named(table, titles))
    if "parameters" in kept:
        kept = kept.assign(parameters=kept["parameters"].round().astype("int64"))
    return kept.rename(columns=COLUMNS)


def beside(table: pd.DataFrame) -> pd.DataFrame:
    """The paper's cells beside ours, with headings for people."""
    shown = table[list(PAPER)].assign(
        metric=[formats.words(m) for m in table["metric"]],
        paper=[formats.number(v, 2) for v in table["paper"]],
        ours=[formats.number(v, 2) if v == v else "not measured" for v in table["ours"]],
    )
    return shown.rename(columns=PAPER)
