"""Quality against what it costs: a point a method, who is best for the price connected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from finrec.config import PARTS
from finrec.figures import formats
from finrec.figures.comparison import PART_COLOURS, PART_WORDS, RunLike
from finrec.figures.reference import label, summary
from finrec.figures.style import FAINT, GREY, empty, styled

AGAINST = {
    "seconds_train": "Training time in seconds",
    "parameters": "Parameters",
    "coverage": "Coverage: share of products that are on somebody's list",
}
POINT = ["name", "method", "quality", "seconds_train", "parameters", "coverage"]


def of_rows(
    rows: pd.DataFrame, metric: str, titles: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """A point a method, from tidy rows of one data set, protocol, view and slice.

    Coverage is of the lists of all customers, so it is unknown for a slice of them.
    """
    table = summary(rows, metric)
    coverage = summary(rows, "coverage").set_index("method")["mean"]
    made = table.rename(columns={"mean": "quality"}).assign(
        name=[label(m, titles) for m in table["method"]],
        coverage=table["method"].astype("str").map(coverage),
    )
    return made[POINT]


def of_summary(
    table: pd.DataFrame, coverage: Mapping[str, float], titles: Mapping[str, str]
) -> pd.DataFrame:
    """A point a method of a comparison.

    Args:
        table: of one protocol, as from :func:`finrec.pipeline.compare.summary`.
        coverage: by method.
        titles: of methods, for people.
    """
    made = table.rename(columns={"mean": "quality"}).assign(
        name=[label(m, titles) for m in table["method"]],
        coverage=table["method"].map(coverage),
    )
    return made[POINT]


def of_runs(runs: Sequence[RunLike], protocol: str, metric: str) -> pd.DataFrame:
    """A point a trained run, named as shortly as tells it apart."""
    found = []
    presets = {r.settings.preset for r in runs}
    parts = [(r.settings.parts, r.settings.preset) for r in runs]
    for run in runs:
        block = run.metrics.get(protocol, {})
        if metric not in block.get("masked", {}):
            continue
        told, own = run.provenance, (run.settings.parts, run.settings.preset)
        name = PART_WORDS[own[0]] + (f" · {own[1]}" if len(presets) > 1 else "")
        found.append(
            {
                "name": name + (f" · seed {run.settings.train.seed}" * (parts.count(own) > 1)),
                "method": run.settings.parts,
                "quality": float(block["masked"][metric]),
                "seconds_train": told.get("seconds_train", 0.0) + told.get("seconds_refit", 0.0),
                "parameters": told.get("parameters"),
                "coverage": block.get("lists", {}).get("coverage"),
            }
        )
    return pd.DataFrame(found, columns=POINT)


def kinds(points: pd.DataFrame) -> list[str]:
    """What the points can be set against: whatever is known of at least two."""
    return [k for k in AGAINST if points[k].notna().sum() > 1]


def front(points: pd.DataFrame, against: str) -> pd.Series:
    """Points that no other beats in quality at the same or a better price, bool."""
    sign = 1.0 if against == "coverage" else -1.0  # more coverage is better, less time is
    price = sign * points[against].astype(float)
    quality = points["quality"].astype(float)
    beaten = [
        bool((((price >= p) & (quality > q)) | ((price > p) & (quality >= q))).any())
        for p, q in zip(price, quality, strict=True)
    ]
    return pd.Series([not b for b in beaten], index=points.index)


def _sides(places: Sequence[float], logarithmic: bool) -> list[str]:
    """Where a name stands, so that those at the edges are not cut."""
    at = [math.log(p) for p in places] if logarithmic else list(places)
    low, high = min(at), max(at)
    across = [(p - low) / (high - low) if high > low else 0.5 for p in at]
    return ["top left" if a > 0.66 else "top right" if a < 0.33 else "top center" for a in across]


def plot(points: pd.DataFrame, metric: str, against: str) -> tuple[go.Figure, str, pd.DataFrame]:
    """Quality against a cost or coverage; a sentence; the same as a table."""
    known = points.dropna(subset=[against, "quality"])
    if len(known) < 2:
        return empty("There is nothing to set against each other."), "Too few are measured.", known
    best = front(known, against)
    line = known[best].sort_values(against)
    logarithmic = against == "seconds_train" and float(known[against].min()) > 0
    named = best | known["method"].isin(list(PARTS))
    figure = go.Figure(
        [
            go.Scatter(x=line[against], y=line["quality"], mode="lines", hoverinfo="skip",
                       line={"color": FAINT, "dash": "dot"}),
            go.Scatter(
                x=known[against], y=known["quality"], mode="markers+text",
                text=[formats.markup(n) if s else ""
                      for n, s in zip(known["name"], named, strict=True)],
                textposition=_sides(known[against].astype(float).tolist(), logarithmic),
                marker={"size": 11, "color": [PART_COLOURS.get(m, GREY) for m in known["method"]]},
                customdata=[formats.markup(n) for n in known["name"]],
                hovertemplate="%{customdata}: %{y:.4f} at %{x:,.4~g}<extra></extra>",
                cliponaxis=False,
            ),
        ]
    )  # fmt: skip
    figure.update_xaxes(title=AGAINST[against], type="log" if logarithmic else "linear")
    figure.update_yaxes(title=formats.measure(metric))
    words = "Nobody is better for the price than " if against != "coverage" else (
        "Nobody is better and shows more products than ")  # fmt: skip
    words += ", ".join(str(n) for n in line["name"]) + " (connected)."
    table = known.rename(
        columns={"name": "Method", "quality": formats.measure(metric),
                 "seconds_train": "Training, s", "parameters": "Parameters",
                 "coverage": "Coverage"}
    ).drop(columns="method")  # fmt: skip
    return styled(figure, 380, showlegend=False, margin={"r": 40}), words, table
