"""Why a product is offered, drawn: the ledger of scores, the neighbourhood, the events.

The frames are those of :class:`finrec.explain.explanation.Explanation`.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.rows import largest, smallest
from finrec.figures.style import (
    AGAINST,
    BLUE,
    EDGE,
    FAINT,
    FOR,
    GREEN,
    GREY,
    ORANGE,
    styled,
)
from finrec.schema import NAME, TIME

LABEL_LENGTH, SHORT_LABEL = 26, 18  # the shorter where four columns or more stand side by side
LABEL_ROOM = 0.12  # of a ledger's width, for the value beside a bar
NODE_LOOKS = {  # kind: (words, colour, symbol, size)
    "customer": ("this customer", ORANGE, "square", 22),
    "own": ("taken before", BLUE, "circle", 16),
    "offer": ("the offer", GREEN, "star", 24),
    "near": ("close to the offer", GREY, "circle-open", 13),
    "attribute": ("attribute", BLUE, "diamond-open", 14),
    "linked": ("linked customers", ORANGE, "hexagon-open", 16),
    "group": ("group of other customers", ORANGE, "hexagon", 18),
    "further": ("a hop further", GREY, "circle-open-dot", 12),
}
EDGE_WORDS = {
    "acquired": "taken by this customer",
    "shared": "taken together by others",
    "near": "close in the graph",
    "has": "attribute of this customer",
    "linked": "linked to this customer",
    "around": "close in the graph",
    "group": "customers who have both",
}


def ledger_table(ledger: pd.DataFrame) -> pd.DataFrame:
    """What each part adds to the score, and the sum."""
    rows = ledger[["label", "contribution"]].rename(
        columns={"label": "Part", "contribution": "Adds to the score"}
    )
    total = pd.DataFrame(
        {"Part": ["Together"], "Adds to the score": [float(ledger["contribution"].sum())]}
    )
    return pd.concat([rows, total], ignore_index=True)


def ledger(ledger: pd.DataFrame) -> go.Figure:
    """The score above the average product's, built up part by part."""
    values = ledger["contribution"].to_numpy(dtype=float)
    labels = [formats.markup(label) for label in ledger["label"]]
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            y=[*labels, "Together"],
            x=[*values, float(values.sum())],
            measure=["relative"] * len(values) + ["total"],
            text=[formats.signed(v) for v in [*values, float(values.sum())]],
            textposition="outside",
            cliponaxis=False,
            increasing={"marker": {"color": FOR}},
            decreasing={"marker": {"color": AGAINST}},
            totals={"marker": {"color": GREY}},
            connector={"line": {"color": FAINT, "width": 1}},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="Score above that of the average product", range=_reach(values))
    return styled(figure, 130 + 34 * len(labels), margin={"r": 48}, showlegend=False)


def _reach(values: np.ndarray) -> list[float] | None:
    """The axis of a ledger whose furthest bar to the left ends with a label; else plotly's own."""
    ends = np.cumsum(values)
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = LABEL_ROOM * (high - low)
    drawn = [*zip(values, ends, strict=True), (ends[-1], ends[-1])]
    if not any(value < 0 and end - low < room for value, end in drawn):
        return None
    return [float(low - room), float(high + room / 2)]


def describe_ledger(ledger: pd.DataFrame) -> str:
    """One sentence: the part that adds most and the one that takes most away."""
    best = largest(ledger, "contribution")
    worst = smallest(ledger, "contribution")
    total = formats.signed(float(ledger["contribution"].sum()))
    text = (
        f"Against the average product the score is {total}; {best['label']} adds most "
        f"({formats.signed(best['contribution'])})"
    )
    if worst["contribution"] < 0:
        text += f", {worst['label']} takes most away ({formats.signed(worst['contribution'])})"
    return text + "."


def neighbourhood_table(nodes: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """One row an edge, with names in place of ids."""
    names = dict(zip(nodes["id"], nodes["label"], strict=True))
    return pd.DataFrame(
        {
            "From": edges["source"].map(names),
            "To": edges["target"].map(names),
            "Link": edges["kind"].map(EDGE_WORDS),
            "Weight": edges["weight"].astype(float),
            "Customers with both": [
                formats.number(count) if count else formats.UNKNOWN for count in edges["customers"]
            ],
        }
    )


def neighbourhood(nodes: pd.DataFrame, edges: pd.DataFrame, least: int = 300) -> go.Figure:
    """The customer, what they took, the offer and what lies close to it, from left to right."""
    graph = nx.DiGraph()
    for node in nodes.to_dict("records"):
        graph.add_node(node["id"], hop=node["hop"])
    places = nx.multipartite_layout(graph, subset_key="hop", align="vertical")
    figure = go.Figure()
    last = int(nodes["hop"].max())
    length = LABEL_LENGTH if nodes["hop"].nunique() < 4 else SHORT_LABEL
    strongest = max([float(w) for w in edges["weight"]], default=0.0) or 1.0
    for edge in edges.to_dict("records"):
        (x0, y0), (x1, y1) = places[edge["source"]], places[edge["target"]]
        figure.add_trace(
            go.Scatter(
                x=[x0, x1],
                y=[y0, y1],
                mode="lines",
                line={
                    "color": EDGE,
                    "width": 1 + 5 * float(edge["weight"]) / strongest,
                    "dash": "dot" if edge["kind"] in ("near", "around") else "solid",
                },
                hoverinfo="skip",
                showlegend=False,
            )
        )
    for kind, (words, colour, symbol, width) in NODE_LOOKS.items():
        group = nodes[nodes["kind"] == kind]
        if group.empty:
            continue
        labels = [formats.markup(label) for label in group["label"]]
        figure.add_trace(
            go.Scatter(
                x=[places[i][0] for i in group["id"]],
                y=[places[i][1] for i in group["id"]],
                mode="markers+text",
                name=words,
                text=[formats.markup(formats.shortened(label, length)) for label in group["label"]],
                textposition=[  # by turns, so that neighbouring columns do not overlap
                    ("top " if hop % 2 else "bottom ") + ("left" if hop == last else "center")
                    for hop in group["hop"]
                ],
                cliponaxis=False,
                customdata=labels,
                marker={"color": colour, "symbol": symbol, "size": width},
                hovertemplate="%{customdata}<extra>" + words + "</extra>",
            )
        )
    tallest = int(nodes.groupby("hop").size().max())
    xs = [place[0] for place in places.values()]
    ys = [place[1] for place in places.values()]
    wide, high = (max(xs) - min(xs)) or 1.0, (max(ys) - min(ys)) or 1.0
    figure.update_xaxes(visible=False, range=[min(xs) - 0.14 * wide, max(xs) + 0.14 * wide])
    figure.update_yaxes(visible=False, range=[min(ys) - 0.18 * high, max(ys) + 0.18 * high])
    return styled(figure, max(least, 90 + 56 * tallest), showlegend=True)


def expandable(nodes: pd.DataFrame) -> dict[str, str]:
    """Names by id of the products drawn, from which one may go a hop further."""
    products = nodes[~nodes["kind"].isin(["customer", "attribute", "linked", "group"])]
    return dict(zip(products["id"], products["label"], strict=True))


def describe_neighbourhood(nodes: pd.DataFrame, edges: pd.DataFrame) -> str:
    """One or two sentences: how the customer and the offer are linked."""
    if edges.empty:
        return "This model reads no graph, or none of its links reaches from here to the offer."
    own = int((edges["kind"] == "acquired").sum())
    if not own:
        return "No product of this customer is known; drawn is what lies close to the offer."
    shared = edges[edges["kind"] == "shared"]
    text = (
        f"{formats.counted(own, 'product')} of this customer drawn, "
        f"{len(shared)} of them linked to the offer."
    )
    known = shared[shared["customers"] > 0]
    if len(known):
        top = largest(known, "customers")
        text += (
            f" The most shared: {formats.number(int(top['customers']))} customers have both "
            f"{top['source_name']} and the offer."
        )
    return text


def events_table(events: pd.DataFrame) -> pd.DataFrame:
    """The events that the network read, newest first, with attention and effect."""
    return pd.DataFrame(
        {
            "Day": events[TIME],
            "Product": events[NAME],
            "Event": events["kind"],
            "Attention": events["attention"].astype(float),
            "Score falls without it by": events["effect"].astype(float),
        }
    ).iloc[::-1]
