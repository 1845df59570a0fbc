"""Where the network looks: a map over a customer's events, its table and its sentence.

T events; token 0 is the customer's profile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.style import BLUE, SEQUENTIAL, styled
from finrec.schema import NAME, TIME

PROFILE = "Profile"
MOST_DRAWN = 20  # events; of a longer history the latest are drawn and all are in the table
MOST_WRITTEN = 7  # tokens; with more, cells are too small for their number


def labels(events: pd.DataFrame) -> list[str]:
    """A label for each token, T + 1: the profile, then day and product of each event."""
    rows = zip(events[TIME], events[NAME], strict=True)
    return [PROFILE, *(f"{when:%-d %b %y} · {formats.shortened(name)}" for when, name in rows)]


def table(values: np.ndarray, events: pd.DataFrame) -> pd.DataFrame:
    """One row for each pair that has a share: standing at, looks at, share."""
    named = labels(events)
    return _pairs(values, named, np.tril(np.ones(values.shape, dtype=bool)))


def _pairs(values: np.ndarray, named: list[str], there: np.ndarray) -> pd.DataFrame:
    if values.ndim == 1:
        shares = pd.DataFrame({"Looks at": named, "Share": values})
        return shares.sort_values("Share", ascending=False, ignore_index=True)
    rows, columns = np.nonzero(there)
    return pd.DataFrame(
        {
            "Standing at": [named[r] for r in rows],
            "Looks at": [named[c] for c in columns],
            "Share": values[rows, columns],
        }
    )


def drawn(count: int) -> np.ndarray:
    """Of ``count`` tokens those that are drawn: the profile and the latest events."""
    every = np.arange(count)
    return every if count <= MOST_DRAWN + 1 else np.append(0, every[-MOST_DRAWN:])


def is_long(events: pd.DataFrame) -> bool:
    """Whether there are more events than are drawn one by one."""
    return len(events) > MOST_DRAWN


def best_way(events: pd.DataFrame) -> str:
    """How a long history is best summed: by product where products come again, else by month."""
    return "product" if events[NAME].nunique() <= MOST_DRAWN else "month"


def at_the_end(values: np.ndarray) -> np.ndarray:
    """Shares at the moment of the recommendation, [T + 1]."""
    return values if values.ndim == 1 else values[-1]


def grouped_labels(groups: pd.DataFrame) -> list[str]:
    """A label for each group, G + 1: the profile, then the days and what was taken how often."""
    told = [PROFILE]
    for row in groups.to_dict("records"):
        first, last = f"{row['first']:%b %y}", f"{row['last']:%b %y}"
        days = last if first == last else f"{first} to {last}"
        times = f", {row['events']}×" if row["events"] > 1 else ""
        name = formats.shortened(str(row["group"]))
        told.append(
            f"{name}{times}" if name == f"{row['last']:%b %Y}" else f"{days} · {name}{times}"
        )
    return told


def grouped_table(values: np.ndarray, groups: pd.DataFrame) -> pd.DataFrame:
    """As :func:`table`, over groups of events."""
    return _pairs(values, grouped_labels(groups), np.ones(values.shape, dtype=bool))


def grouped(values: np.ndarray, groups: pd.DataFrame) -> go.Figure:
    """As :func:`figure`, over groups of events (see :func:`finrec.explain.attention.condensed`)."""
    named = [formats.markup(label) for label in grouped_labels(groups)]
    axis = {"tickmode": "array", "tickvals": list(range(len(named))), "ticktext": named}
    if values.ndim == 1:
        return _bars(values, named, axis)
    return _map(values, named, axis, values > 0, np.append(False, groups["others"]))


def describe_grouped(values: np.ndarray, groups: pd.DataFrame, name: str) -> str:
    """What the recommendation looks at most, group by group."""
    return _most(values, grouped_labels(groups), name)


def figure(values: np.ndarray, events: pd.DataFrame) -> go.Figure:
    """A map [T + 1, T + 1], or bars of the shares of the last state [T + 1].

    A row of the map is the moment after an event; it can look at itself and at what came before.
    """
    kept = drawn(len(values))
    every = labels(events)
    named = [formats.markup(every[i]) for i in kept]
    axis = {"tickmode": "array", "tickvals": list(range(len(named))), "ticktext": named}
    if values.ndim == 1:
        return _bars(values[kept], named, axis)
    return _map(values[np.ix_(kept, kept)], named, axis)


def _bars(shares: np.ndarray, named: list[str], axis: dict[str, Any]) -> go.Figure:
    bars = go.Figure(
        go.Bar(
            x=shares,
            y=axis["tickvals"],
            orientation="h",
            marker_color=BLUE,
            customdata=named,
            hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
        )
    )
    bars.update_yaxes(**axis, autorange="reversed")
    bars.update_xaxes(tickformat=".0%", title="Share of attention", rangemode="tozero")
    return styled(bars, 110 + 24 * len(named))


def _map(
    shares: np.ndarray,
    named: list[str],
    axis: dict[str, Any],
    seen: np.ndarray | None = None,
    sums: np.ndarray | None = None,
) -> go.Figure:
    """The map; columns that sum up many others (``sums``) do not set the scale of colours."""
    there = np.tril(np.ones(shares.shape, dtype=bool)) if seen is None else seen
    seen = np.where(there, shares, np.nan)
    # The profile can only look at itself; its full share would pale all others.
    single = seen[1:] if sums is None or sums.all() else seen[1:][:, ~sums]
    strongest = float(np.nanmax(single)) if len(seen) > 1 else 1.0
    heatmap = go.Figure(
        go.Heatmap(
            z=seen,
            x=axis["tickvals"],
            y=axis["tickvals"],
            customdata=[[[row, column] for column in named] for row in named],
            colorscale=SEQUENTIAL,
            zmin=0,
            zmax=strongest,
            xgap=1,
            ygap=1,
            hoverongaps=False,
            colorbar={
                "tickformat": ".0%",
                "title": "Share",
                "thickness": 12,
                "outlinewidth": 0,
                "lenmode": "pixels",
                "len": 200,
                "y": 1,
                "yanchor": "top",
            },
            hovertemplate="Standing at %{customdata[0]}<br>looks at %{customdata[1]}: %{z:.1%}"
            "<extra></extra>",
        )
    )
    if len(named) <= MOST_WRITTEN:
        _write(heatmap, seen, strongest)
    heatmap.update_xaxes(**axis, title="looks at", showgrid=False, zeroline=False, tickangle=-45)
    heatmap.update_yaxes(
        **axis, title="standing at", showgrid=False, zeroline=False, autorange="reversed"
    )
    return styled(heatmap, max(320, 200 + 26 * len(named)))


def _write(heatmap: go.Figure, seen: np.ndarray, strongest: float) -> None:
    """The shares as text: white on full cells, in the page's colour on pale ones."""
    with np.errstate(invalid="ignore"):
        full = seen > 0.55 * strongest
    for cells, font in (
        (full, {"size": 11, "color": "#ffffff"}),
        (~full & ~np.isnan(seen), {"size": 11}),
    ):
        rows, columns = np.nonzero(cells)
        heatmap.add_trace(
            go.Scatter(
                x=columns,
                y=rows,
                mode="text",
                text=[formats.share(float(v), 0) for v in seen[rows, columns]],
                textfont=font,
                hoverinfo="skip",
                showlegend=False,
            )
        )


def describe(values: np.ndarray, events: pd.DataFrame, name: str) -> str:
    """What the recommendation looks at most by the map ``name``; what of it is drawn."""
    named = labels(events)
    said = _most(values, named, name)
    if len(drawn(len(named))) < len(named):
        said += f" The latest {MOST_DRAWN} of {len(events)} events are drawn."
    return said


def _most(values: np.ndarray, named: list[str], name: str) -> str:
    last = at_the_end(values)
    order = np.argsort(-last, kind="stable")[:3]
    parts = [f"{named[i]} ({formats.share(float(last[i]))})" for i in order]
    return f"{name}: the moment of the recommendation looks most at {_listed(parts)}."


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
