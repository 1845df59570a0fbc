"""The method as a picture: which parts the network has, and what flows where."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.style import BLUE, FAINT, GREEN, GREY, ORANGE, PURPLE, styled

# name: (words, column, row, colour); text and graph are left out where a model has none.
BOXES: dict[str, tuple[str, float, float, str]] = {
    "events": ("Events<br>of the customer", 0, 3, BLUE),
    "profile": ("Attributes<br>of the customer", 0, 2, ORANGE),
    "who": ("Who took what", 0, 1, PURPLE),
    "texts": ("Names and texts<br>of products", 0, 0, GREEN),
    "encoder": ("Transformer encoder,<br>decoder", 1, 3, BLUE),
    "graph": ("Graph network", 1, 1, PURPLE),
    "language": ("Language model,<br>pretrained", 1, 0, GREEN),
    "fusion": ("Gates weigh<br>the parts", 2, 2, GREY),
    "product": ("Vector of<br>each product", 2, 0.5, GREY),
    "match": ("Match: score<br>and probability", 3, 1.3, GREY),
}
FLOWS = (
    ("events", "encoder"), ("encoder", "fusion"), ("profile", "fusion"), ("who", "graph"),
    ("graph", "fusion"), ("graph", "product"), ("texts", "language"), ("language", "product"),
    ("fusion", "match"), ("product", "match"), ("product", "encoder"),
)  # fmt: skip
OF_TEXT, OF_GRAPH = ("texts", "language"), ("who", "graph")
TOWERS = {"profile": "attributes", "graph": "graph"}


def flows(text: bool, graph: bool) -> list[tuple[str, str]]:
    """What flows where in a model with or without text and graph."""
    gone = (() if text else OF_TEXT) + (() if graph else OF_GRAPH)
    return [(a, b) for a, b in FLOWS if a not in gone and b not in gone]


def table(text: bool, graph: bool) -> pd.DataFrame:
    """From, To."""
    words = {name: box[0].replace("<br>", " ") for name, box in BOXES.items()}
    pairs = [(words[a], words[b]) for a, b in flows(text, graph)]
    return pd.DataFrame(pairs, columns=["From", "To"])


def picture(text: bool, graph: bool) -> go.Figure:
    """Boxes from left to right, with arrows."""
    pairs = flows(text, graph)
    there = {name for pair in pairs for name in pair}
    figure = go.Figure(
        go.Scatter(
            x=[BOXES[n][1] for n in BOXES if n in there],
            y=[BOXES[n][2] for n in BOXES if n in there],
            mode="markers", marker={"opacity": 0}, hoverinfo="skip", showlegend=False,
        )
    )  # fmt: skip
    for start, end in pairs:
        (_, x0, y0, _), (_, x1, y1, _) = BOXES[start], BOXES[end]
        back = x1 < x0
        figure.add_annotation(
            x=x1 + (0.36 if back else -0.36), y=y1, ax=x0 + (-0.36 if back else 0.36), ay=y0,
            xref="x", yref="y", axref="x", ayref="y", text="", showarrow=True, arrowhead=2,
            arrowwidth=1.5, arrowcolor=FAINT,
        )  # fmt: skip
    for name in there:
        words, x, y, colour = BOXES[name]
        figure.add_annotation(
            x=x, y=y, text=words, showarrow=False, bordercolor=colour, borderwidth=2, borderpad=6,
            width=130,
        )  # fmt: skip
    figure.update_xaxes(visible=False, range=[-0.5, 3.5])
    figure.update_yaxes(visible=False, range=[-0.5, 3.5])
    return styled(figure, 380)


def describe(text: bool, graph: bool) -> str:
    """The picture in two sentences."""
    parts = ["the events so far, read by a Transformer", "the attributes"]
    parts += ["the customer's place in the graph of who took what"] if graph else []
    product = "an embedding and its attributes" + (", its text" if text else "")
    product += ", its neighbours in the graph" if graph else ""
    listed = ", ".join(parts[:-1]) + f" and {parts[-1]}"
    return (
        f"A customer's vector is made of {listed}, each weighed by a gate. A product's is made of "
        f"{product}. How well the two match is the score."
    )


def gates(found: Mapping[str, float]) -> str:
    """How far the gates are open for one customer."""
    told = [f"{TOWERS.get(n, n)} {formats.share(g, 0)}" for n, g in found.items()]
    return "Gates of this customer: " + ", ".join(told) + "; the events always count in full."
