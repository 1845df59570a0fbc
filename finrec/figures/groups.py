"""Fairness by group: how well groups are served, what they are shown, what levelling costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finrec.evaluation.groups import Gap
from finrec.figures import formats
from finrec.figures.style import BLUE, GREY, ORANGE, PURPLE, empty, styled

MOST_PRODUCTS = 12  # in the picture; the table beside it holds all
# Half blue at most, so that the numbers read well on it on light and dark pages.
SHADES = [[0.0, "rgba(47,134,189,0.03)"], [1.0, "rgba(47,134,189,0.45)"]]


def served_table(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row a group, with headings for people."""
    return pd.DataFrame(
        {
            "Group": frame["group"],
            "Customers": frame["customers"],
            "Test cases": frame["cases"],
            formats.measure(metric): frame["mean"],
            "95 % from": frame["low"],
            "95 % to": frame["high"],
        }
    )


def served_bars(frame: pd.DataFrame, metric: str, mean: float) -> go.Figure:
    """One bar a group with its 95 % interval; a line marks the mean of everybody."""
    if frame.empty:
        return empty("No group has enough cases.")
    figure = go.Figure(
        go.Bar(
            x=frame["mean"],
            y=[formats.markup(formats.shortened(g, 30)) for g in frame["group"]],
            orientation="h",
            marker_color=BLUE,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": frame["high"] - frame["mean"],
                "arrayminus": frame["mean"] - frame["low"],
                "color": GREY,
                "thickness": 3,
                "width": 0,
            },
            text=[formats.metric(v) for v in frame["mean"]],
            textposition="inside",
            insidetextanchor="start",
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    )
    figure.add_vline(
        x=mean, line={"color": ORANGE, "dash": "dash"}, annotation_text="everybody",
        annotation_position="top",
    )  # fmt: skip
    figure.update_xaxes(title=formats.measure(metric), rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return styled(figure, 110 + 40 * len(frame), showlegend=False)


def describe_served(gap: Gap | None, metric: str) -> str:
    """One or two sentences: who is served best and worst, and whether chance would do it."""
    if gap is None:
        return "Fewer than two groups have enough cases, so there is no gap to tell."
    told = (
        f"{formats.measure(metric)} is highest for {gap.best} and lowest for {gap.worst}, "
        f"{formats.metric(gap.value)} apart ({formats.share(0.95, 0)} interval "
        f"{formats.metric(gap.low)} to {formats.metric(gap.high)}). "
    )
    told += f"Groups drawn at random show such a gap in {formats.share(gap.chance)} of trials"
    return told + (
        ", so chance hardly explains it." if gap.chance < 0.05 else ": it may be chance."
    )


def exposure_wide(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a product, one column a group: share of the group's places; most differing first."""
    if frame.empty:
        return pd.DataFrame({"Product": []})
    wide = frame.pivot(index="product_id", columns="group", values="share")
    wide = wide[list(dict.fromkeys(frame["group"]))]
    spread = wide.max(axis=1) - wide.min(axis=1)
    wide = wide.loc[spread.sort_values(ascending=False, kind="stable").index]
    names = frame.drop_duplicates("product_id").set_index("product_id")["name"]
    wide.insert(0, "Product", names.loc[wide.index])
    wide.columns = [str(c) for c in wide.columns]
    return wide.reset_index(drop=True)


def exposure_table(frame: pd.DataFrame) -> pd.DataFrame:
    """As :func:`exposure_wide`, in words."""
    wide = exposure_wide(frame)
    for column in wide.columns[1:]:
        wide[column] = [formats.share(v) for v in wide[column]]
    return wide


def exposure_map(frame: pd.DataFrame) -> go.Figure:
    """Products by groups: the deeper, the larger the share of the group's list places."""
    wide = exposure_wide(frame).head(MOST_PRODUCTS)
    if wide.empty or wide.shape[1] < 2:
        return empty("No group has enough customers.")
    values = wide.iloc[:, 1:].to_numpy(dtype=float)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=[formats.markup(formats.shortened(c, 16)) for c in wide.columns[1:]],
            y=list(range(len(wide))),
            colorscale=SHADES,
            zmin=0,
            showscale=False,
            xgap=2,
            ygap=2,
            text=[[formats.share(v, 0) for v in row] for row in values],
            customdata=np.repeat(
                np.array([[formats.markup(n)] for n in wide["Product"]], dtype=object),
                values.shape[1],
                axis=1,
            ),
            hovertemplate="%{customdata}<br>%{x}: %{text} of places<extra></extra>",
        )
    )
    for row, values_of in enumerate(values):
        for column, value in enumerate(values_of):
            figure.add_annotation(
                x=column, y=row, text=formats.share(value, 0), showarrow=False, font_size=12
            )
    figure.update_xaxes(type="category", showgrid=False, zeroline=False, side="top")
    figure.update_yaxes(
        showgrid=False,
        zeroline=False,
        autorange="reversed",
        tickmode="array",
        tickvals=list(range(len(wide))),
        ticktext=[formats.markup(formats.shortened(n, 32)) for n in wide["Product"]],
    )
    return styled(figure, 90 + 30 * len(wide), margin={"t": 40})


def describe_exposure(frame: pd.DataFrame, gap: float, chance: float) -> str:
    """The product whose share differs most, and the gap beside that of random groups."""
    wide = exposure_wide(frame)
    if wide.empty or wide.shape[1] < 3:
        return "Fewer than two groups have enough customers to compare what they are shown."
    shares = wide.iloc[0, 1:].astype(float)
    cut = f" The {MOST_PRODUCTS} that differ most are drawn." if len(wide) > MOST_PRODUCTS else ""
    return (
        f"{wide['Product'].iloc[0]} differs most: {formats.share(shares.max())} of the places "
        f"shown to {shares.idxmax()}, {formats.share(shares.min())} of those shown to "
        f"{shares.idxmin()}. All in all {formats.share(gap)} of places differ between a group and "
        f"the average group; random groups would differ by {formats.share(chance)}.{cut}"
    )


def coverage_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a group: customers counted and share of the catalogue they are shown."""
    return pd.DataFrame(
        {
            "Group": frame["group"],
            "Customers counted": frame["customers"],
            "Products shown at all": [formats.share(v) for v in frame["coverage"]],
        }
    )


def cost_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """One row a strength: what is left of the gaps and of the ranking's quality."""
    rows = pd.DataFrame(found["strengths"])
    return pd.DataFrame(
        {
            "Strength": [formats.share(v, 0) for v in rows["strength"]],
            f"NDCG@{found['k']}": rows["ndcg"],
            "Exposure gap": rows["exposure_gap"],
            "Quality gap": rows["quality_gap"],
        }
    )


def cost_curve(found: Mapping[str, Any], strength: float) -> go.Figure:
    """Quality against exposure gap, one point a strength; the chosen one is filled."""
    rows = pd.DataFrame(found["strengths"])
    chosen = rows["strength"] == strength
    figure = go.Figure(
        go.Scatter(
            x=rows["exposure_gap"],
            y=rows["ndcg"],
            mode="lines+markers+text",
            line={"color": GREY},
            marker={
                "size": [16 if c else 10 for c in chosen],
                "color": [PURPLE if c else BLUE for c in chosen],
            },
            text=[formats.share(v, 0) for v in rows["strength"]],
            textposition="top center",
            hovertemplate="strength %{text}: gap %{x:.3f}, NDCG %{y:.4f}<extra></extra>",
            cliponaxis=False,
        )
    )
    figure.add_vline(
        x=found["chance"], line={"color": ORANGE, "dash": "dash"},
        annotation_text="random groups", annotation_position="top",
    )  # fmt: skip
    figure.update_xaxes(title="Exposure gap: places that differ between groups", rangemode="tozero")
    room = max(float(rows["ndcg"].max() - rows["ndcg"].min()), 0.01)
    figure.update_yaxes(
        title=f"NDCG@{found['k']}, validation",
        range=[float(rows["ndcg"].min()) - room, float(rows["ndcg"].max()) + room],
    )
    return styled(figure, 360, showlegend=False)


def describe_cost(found: Mapping[str, Any], strength: float) -> str:
    """What a strength buys and costs."""
    rows = {row["strength"]: row for row in found["strengths"]}
    plain, now = rows[0.0], rows[strength]
    if strength == 0:
        return (
            f"As the model ranks, {formats.share(plain['exposure_gap'])} of places differ between "
            f"groups; random groups would differ by {formats.share(found['chance'])}."
        )
    change = now["ndcg"] - plain["ndcg"]
    relative = formats.share(abs(change) / plain["ndcg"], 1) if plain["ndcg"] else formats.UNKNOWN
    word = "loses" if change < 0 else "gains"
    return (
        f"At {formats.share(strength, 0)} the exposure gap goes from "
        f"{formats.share(plain['exposure_gap'])} to {formats.share(now['exposure_gap'])} and the "
        f"ranking {word} {relative} of its NDCG@{found['k']} "
        f"({formats.metric(plain['ndcg'])} to {formats.metric(now['ndcg'])}). The gap in NDCG "
        f"between best and worst served group goes from {formats.metric(plain['quality_gap'])} to "
        f"{formats.metric(now['quality_gap'])}."
    )
