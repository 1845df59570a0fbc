"""Methods side by side: bars with their intervals, and tables for people."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from finrec.config import PARTS
from finrec.figures import formats
from finrec.figures.style import BLUE, GREY, empty, styled

COLUMNS = {
    "method": "Method", "seeds": "Seeds", "mean": "Mean", "sd": "SD over seeds", "low": "95 % from",
    "high": "To", "p": "p against ours", "seconds_train": "Training, s",
    "seconds_score": "Scoring, s", "parameters": "Parameters", "peak_mib": "Peak memory, MiB",
}  # fmt: skip
PAPER = {
    "table": "Table", "dataset": "Data set", "method": "Method", "metric": "Metric",
    "paper": "Paper", "ours": "Here", "measured_on": "Measured on",
}  # fmt: skip


def bars(table: pd.DataFrame, metric: str) -> tuple[go.Figure, str]:
    """Means with their 95 % intervals, the best on top; and what they say.

    Args:
        table: of one protocol, as from :func:`finrec.pipeline.compare.summary`.
        metric: its name.
    """
    if table.empty:
        return empty("Nothing is measured yet."), "Nothing is measured yet."
    colours = [BLUE if m in PARTS else GREY for m in table["method"]]
    spread = {
        "type": "data",
        "symmetric": False,
        "array": table["high"] - table["mean"],
        "arrayminus": table["mean"] - table["low"],
    }
    figure = go.Figure(
        go.Bar(
            x=table["mean"], y=table["method"], orientation="h", marker_color=colours,
            error_x=spread,
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(title=formats.measure(metric))
    best = table.iloc[0]
    words = (
        f"{formats.measure(metric)} with 95 % intervals over customers; our own network in blue. "
        f"Best: {best['method']} with {best['mean']:.4f}."
    )
    return styled(figure, 90 + 26 * len(table)), words


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table with headings for people."""
    return table[[c for c in COLUMNS if c in table]].rename(columns=COLUMNS)


def beside(table: pd.DataFrame) -> pd.DataFrame:
    """The paper's cells beside ours, with headings for people."""
    return table[list(PAPER)].rename(columns=PAPER)
