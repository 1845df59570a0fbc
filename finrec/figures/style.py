"""Colours and layout that all figures share, for light and dark pages alike."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

# After Okabe and Ito (2008), of middle lightness: told apart with any colour vision, and each
# stands out from a white as from a near-black page by at least 3:1.
BLUE, ORANGE, GREEN, PURPLE = "#2f86bd", "#c27800", "#0e9169", "#b0629a"
SKY, VERMILION, OLIVE, GREY = "#4c92bf", "#d15a14", "#8f8010", "#7b868d"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, OLIVE, GREY)
FOR, AGAINST = BLUE, VERMILION  # what speaks for an offer, and against
# From nothing to full blue: the page's own ground shows through, whatever its colour.
SEQUENTIAL = [[0.0, "rgba(47,134,189,0.04)"], [0.5, "rgba(47,134,189,0.5)"], [1.0, "#2f86bd"]]
GRID = "rgba(123,134,141,0.25)"
FAINT = "rgba(123,134,141,0.55)"
EDGE = "rgba(123,134,141,0.35)"  # names are written across edges
MARGIN = {"l": 8, "r": 8, "t": 28, "b": 8}
GROUND = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "colorway": list(PALETTE),
    "hoverlabel": {"align": "left"},
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    "bargap": 0.35,
}


def styled(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """The figure with a transparent ground, quiet grid and no margin that it doesn't need."""
    axis = {"gridcolor": GRID, "zerolinecolor": FAINT, "automargin": True}
    ours = {"height": height, "margin": {**MARGIN, **layout.pop("margin", {})}, **GROUND}
    figure = _laid_out(figure, ours, axis)
    if layout:
        figure.update_layout(**layout)
    return figure


def inked(figure: go.Figure, dark: bool) -> go.Figure:
    """The figure with words that read well on a light or a dark page (at least 4.5:1)."""
    ink = {"font": {"color": "#d4dde3" if dark else "#46525a"}}
    figure = _laid_out(figure, {**ink, "legend": ink}, {"tickfont": ink["font"], "title": ink})
    for note in figure.layout.annotations:
        note.font.color = ink["font"]["color"]
    return figure


def _laid_out(figure: go.Figure, layout: dict[str, Any], axis: dict[str, Any]) -> go.Figure:
    """The figure with these merged into its layout and into every axis, in one step.

    Plotly's own ``update`` checks and announces each attribute by itself, for ten times as long.
    """
    merged = _merged(figure.layout.to_plotly_json(), layout)
    merged.pop("template", None)  # large; a new figure has it by name
    for first in ("xaxis", "yaxis"):
        for name in [n for n in merged if n.startswith(first)] or [first]:
            merged[name] = _merged(merged.get(name, {}), axis)
    return go.Figure(data=figure.data, layout=merged)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    nested = {k: _merged(under.get(k, {}), v) for k, v in over.items() if isinstance(v, dict)}
    return {**under, **over, **nested}


def empty(figure_text: str, height: int = 160) -> go.Figure:
    """A figure that says why there is nothing to draw."""
    figure = go.Figure()
    figure.add_annotation(
        text=figure_text, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return styled(figure, height)
