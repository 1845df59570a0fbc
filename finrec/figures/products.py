"""Products as figures: their trend, who has them, what goes with them, whom they would fit."""

from __future__ import annotations

import math

import networkx as nx
import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.rows import largest, smallest
from finrec.figures.style import BLUE, EDGE, GREY, ORANGE, empty, styled
from finrec.schema import CUSTOMER, NAME, PRODUCT

LABEL_LENGTH = 24


def trend(months: pd.DataFrame) -> go.Figure:
    """Customers who took the product in each month."""
    if not months["customers"].sum():
        return empty("Nobody has taken it yet.")
    figure = go.Figure(
        go.Bar(
            x=months["month"],
            y=months["customers"],
            marker_color=BLUE,
            hovertemplate="%{x|%b %Y}: %{y:,}<extra></extra>",
        )
    )
    figure.update_yaxes(title="Customers", rangemode="tozero")
    return styled(figure, 260, bargap=0.15)


def describe_trend(months: pd.DataFrame) -> str:
    """In how many months it was taken, and when most."""
    total = int(months["customers"].sum())
    if not total:
        return "Nobody has taken it in the time that the data cover."
    top = largest(months, "customers")
    return (
        f"Taken {formats.counted(total, 'time')} in {formats.counted(len(months), 'month')}, most "
        f"in {top['month']:%B %Y} ({formats.number(int(top['customers']))})."
    )


def trend_table(months: pd.DataFrame) -> pd.DataFrame:
    """The same as a table."""
    return pd.DataFrame(
        {"Month": [f"{m:%B %Y}" for m in months["month"]], "Customers": months["customers"]}
    )


def named(name: str, product: str) -> str:
    """A product in a list that is searched: its name and, where that is another, its id."""
    return name if name == product else f"{name} ({product})"


def groups(found: pd.DataFrame, column: str, average: float) -> go.Figure:
    """One bar a group and a line where all customers are.

    Args:
        found: group and the column drawn.
        column: ``share`` (of customers who have it) or ``times`` (the average).
        average: of all customers.
    """
    if found.empty:
        return empty("No group has ten customers or more.")
    share = column == "share"
    written = [formats.share(v) if share else formats.number(v, 2) + "×" for v in found[column]]
    figure = go.Figure(
        go.Bar(
            x=found[column],
            y=[formats.markup(str(g)) for g in found["group"]],
            orientation="h",
            marker_color=BLUE,
            text=written,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.add_vline(x=average, line={"color": ORANGE, "dash": "dot", "width": 2})
    figure.add_annotation(x=average, y=1.0, yref="paper", yanchor="bottom", text="all customers",
                          showarrow=False)  # fmt: skip
    most = max(float(found[column].max()), average)
    figure.update_xaxes(
        title="Share of the group that has it" if share else "Times the average customer",
        tickformat=".0%" if share and most > 0.05 else (".1%" if share else None),
        range=[0, 1.15 * most if most else 1],
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return styled(figure, 130 + 32 * len(found), margin={"r": 40}, showlegend=False)


def describe_holders(found: pd.DataFrame, by: str) -> str:
    """Which group has it most often and which least."""
    if found.empty:
        return "No group has ten customers or more."
    top, low = largest(found, "share"), smallest(found, "share")
    return (
        f"By {formats.words(by).lower()}: most often {top['group']} "
        f"({formats.share(float(top['share']))}), least {low['group']} "
        f"({formats.share(float(low['share']))})."
    )


def describe_leaning(found: pd.DataFrame, by: str) -> str:
    """Which group it would fit best and which least."""
    if found.empty:
        return "No group has ten customers or more."
    top, low = largest(found, "times"), smallest(found, "times")
    return (
        f"By {formats.words(by).lower()}: it fits {top['group']} best "
        f"({formats.number(float(top['times']), 2)} times the average) and {low['group']} least "
        f"({formats.number(float(low['times']), 2)} times)."
    )


def groups_table(found: pd.DataFrame) -> pd.DataFrame:
    """The same as a table."""
    names = {"group": "Group", "holders": "With it", "customers": "Customers", "share": "Share",
             "times": "Times the average"}  # fmt: skip
    return found.rename(columns=names)


def together(nodes: pd.DataFrame, edges: pd.DataFrame) -> go.Figure:
    """Products that the same customers have; the thicker a line, the more than by chance."""
    if edges.empty:
        return empty("Too few customers have it together with another product.")
    graph = nx.Graph()
    graph.add_nodes_from(nodes[PRODUCT])
    for edge in edges.to_dict("records"):
        graph.add_edge(edge["source"], edge["target"], weight=float(edge["lift"]))
    own, others = nodes[PRODUCT].iloc[0], list(nodes[PRODUCT].iloc[1:])
    # The product stands in the middle; the others around it, friends beside each other.
    ring = _ring(graph, others)
    places = {own: (0.0, 0.0)}
    for i, name in enumerate(ring):
        angle = 2 * math.pi * i / len(ring)
        places[name] = (math.cos(angle), math.sin(angle))
    strongest = float(edges["lift"].max())
    traces = []
    for edge in edges.to_dict("records"):
        (x0, y0), (x1, y1) = places[edge["source"]], places[edge["target"]]
        ours = own in (edge["source"], edge["target"])
        traces.append(
            go.Scatter(
                x=[x0, x1], y=[y0, y1], mode="lines", hoverinfo="skip", showlegend=False,
                line={"color": BLUE if ours else EDGE,
                      "width": 0.8 + 5 * float(edge["lift"]) / strongest},
                opacity=0.8,
            )
        )  # fmt: skip
    most = float(nodes["customers"].max()) or 1.0
    traces.append(
        go.Scatter(
            x=[places[i][0] for i in nodes[PRODUCT]],
            y=[places[i][1] for i in nodes[PRODUCT]],
            mode="markers+text",
            text=[formats.markup(formats.shortened(n, LABEL_LENGTH)) for n in nodes[NAME]],
            textposition=[
                "top center" if places[i][1] >= 0 else "bottom center" for i in nodes[PRODUCT]
            ],
            cliponaxis=False,
            customdata=[
                f"{formats.markup(n)}: {formats.number(int(c))} customers"
                for n, c in zip(nodes[NAME], nodes["customers"], strict=True)
            ],
            marker={
                "size": [14 + 26 * math.sqrt(c / most) for c in nodes["customers"]],
                "color": [ORANGE] + [GREY] * (len(nodes) - 1),
                "opacity": 1,
            },
            hovertemplate="%{customdata}<extra></extra>",
            showlegend=False,
        )
    )
    axes = {"xaxis": {"range": [-1.5, 1.5]}, "yaxis": {"range": [-1.3, 1.3]}}
    hidden = {name: {"visible": False, **axis} for name, axis in axes.items()}
    return styled(go.Figure(traces, hidden), 460)


def _ring(graph: nx.Graph, names: list[str]) -> list[str]:
    """An order around a circle: always on to the one most strongly linked that is left."""
    left = list(names)
    ring = [left.pop(0)] if left else []
    while left:
        last = ring[-1]
        best = max(left, key=lambda n: graph.get_edge_data(last, n, {"weight": 0.0})["weight"])
        ring.append(best)
        left.remove(best)
    return ring


def together_table(nodes: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """The pairs as a table, those of the product itself first."""
    names = nodes.set_index(PRODUCT)[NAME]
    own = nodes[PRODUCT].iloc[0]
    ours = (edges["source"] == own) | (edges["target"] == own)
    ordered = edges.assign(ours=ours).sort_values(["ours", "lift"], ascending=False)
    return pd.DataFrame(
        {
            "Product": names.reindex(ordered["source"]).to_numpy(),
            "And": names.reindex(ordered["target"]).to_numpy(),
            "Customers with both": ordered["customers"].to_numpy(),
            "Times as many as by chance": [formats.number(float(v), 1) for v in ordered["lift"]],
        }
    )


def describe_together(nodes: pd.DataFrame, edges: pd.DataFrame) -> str:
    """What goes with the product most often, against chance."""
    own = nodes[PRODUCT].iloc[0]
    ours = edges[(edges["source"] == own) | (edges["target"] == own)]
    if ours.empty:
        return "No other product is held by ten or more of its customers."
    top = largest(ours, "lift")
    other = top["target"] if top["source"] == own else top["source"]
    name = nodes.set_index(PRODUCT)[NAME][other]
    return (
        f"Most linked to {name}: {formats.number(int(top['customers']))} customers have both, "
        f"{formats.number(float(top['lift']), 1)} times as many as by chance. Lines are thicker "
        "the more a pair exceeds chance; circles are larger the more customers have the product."
    )


def fitting(found: pd.DataFrame) -> pd.DataFrame:
    """Customers that a product fits, as a table; ids and nothing more of them."""
    return pd.DataFrame(
        {
            "Customer": found[CUSTOMER].astype("str"),
            "Probability": found["probability"],
            "Place in the customer's list": found["place"].astype("int64"),
        }
    )


def leaning_to(found: pd.DataFrame, mean: float) -> pd.DataFrame:
    """Customers that a product which does not exist fits best, against the average customer."""
    return pd.DataFrame(
        {
            "Customer": found[CUSTOMER].astype("str"),
            "Times the average": [
                formats.number(float(p) / (mean or 1.0), 1) for p in found["probability"]
            ],
        }
    )


def alike(found: pd.DataFrame) -> pd.DataFrame:
    """Products that the model reads as similar."""
    return pd.DataFrame(
        {
            "Product": found[NAME].astype("str"),
            "Similarity": [formats.number(float(v), 2) for v in found["similarity"]],
        }
    )
