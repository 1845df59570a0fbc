"""Who gains and who loses when one model takes another's place: how many, how much, and who."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.style import AGAINST, FOR, empty, styled
from finrec.schema import CUSTOMER

BINS = 20
SHOWN = 10


class MovedLike(Protocol):
    """What is read of :class:`finrec.pipeline.gains.Moved`."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a customer, the greatest gain first."""

    @property
    def gained(self) -> int:
        """Customers who gain."""

    @property
    def lost(self) -> int:
        """Customers who lose."""

    @property
    def same(self) -> int:
        """Customers for whom nothing changes."""


def spread(found: MovedLike, metric: str) -> tuple[go.Figure, str, pd.DataFrame]:
    """How many customers gain or lose how much; a sentence, and the same as a table."""
    frame = found.frame
    words = (
        f"{formats.counted(found.gained, 'customer gains', 'customers gain')}, "
        f"{formats.number(found.lost)} {'loses' if found.lost == 1 else 'lose'}, for "
        f"{formats.number(found.same)} nothing changes."
    )
    change = frame["change"].to_numpy(dtype=np.float64)
    change = change[np.abs(change) > 1e-9]
    if not len(change):
        return empty("No customer's figure changes."), words, pd.DataFrame()
    most = float(np.abs(change).max())
    edges = np.linspace(-most, most, BINS + 1)
    counts, _ = np.histogram(change, edges)
    middles = (edges[:-1] + edges[1:]) / 2
    figure = go.Figure(
        go.Bar(
            x=middles, y=counts, width=np.diff(edges) * 0.9,
            marker_color=[FOR if m > 0 else AGAINST for m in middles],
            hovertemplate="change of about %{x:+.3f}: %{y} customers<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(
        title=f"Change of {formats.measure(metric)} of a customer", tickformat="+.2~f"
    )
    figure.update_yaxes(title="Customers", rangemode="tozero")
    table = pd.DataFrame({"From": edges[:-1], "To": edges[1:], "Customers": counts})
    return styled(figure, 260, showlegend=False), words, table


def most(found: MovedLike, metric: str) -> pd.DataFrame:
    """Those who gain most and those who lose most, with headings for people."""
    frame = found.frame
    ends = [frame.head(min(SHOWN, found.gained)), frame.tail(min(SHOWN, found.lost)).iloc[::-1]]
    rows = pd.concat(ends)
    name = formats.measure(metric)
    return pd.DataFrame(
        {
            "Customer": rows[CUSTOMER].astype("str").to_numpy(),
            "Change": [formats.signed(v, 4) for v in rows["change"]],
            f"{name} before": rows["before"].to_numpy(),
            f"{name} after": rows["after"].to_numpy(),
            "Test cases": rows["cases"].to_numpy(),
        }
    )


def labels(table: pd.DataFrame) -> dict[str, str]:
    """What each customer of :func:`most` is shown as in a list, by id."""
    return {str(c): f"{c} ({v})" for c, v in zip(table["Customer"], table["Change"], strict=True)}
