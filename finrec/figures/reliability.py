"""Protocol P in pictures: its three variants side by side, and whether probabilities are honest.

What is read is the block ``P`` of a run's metrics (:mod:`finrec.evaluation.pointwise`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.style import BLUE, GREY, empty, styled

VARIANT_WORDS = {
    "uniform": "One product drawn at random",
    "popularity": "One product drawn by popularity",
    "natural": "All products not taken",
}
COLUMNS = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "log_loss": "Log-loss",
    "brier": "Brier score",
    "ece": "Calibration error",
}
ROWS = {"": "This model", "popular": "Popularity", "always_yes": "Always yes"}


def variants(block: Mapping[str, Any]) -> list[str]:
    """Variants that were measured; none for a run made before all three were."""
    return [name for name in VARIANT_WORDS if name in block.get("variants", {})]


def table(block: Mapping[str, Any]) -> pd.DataFrame:
    """Three rows a variant: the model, popularity, and saying yes to everything."""
    rows = []
    for name in variants(block):
        found = block["variants"][name]
        for key, who in ROWS.items():
            values = found[key] if key else found
            row: dict[str, Any] = {"Beside what was taken": VARIANT_WORDS[name], "Answers": who}
            rows.append(row | {title: values.get(m) for m, title in COLUMNS.items()})
    return pd.DataFrame(rows, columns=["Beside what was taken", "Answers", *COLUMNS.values()])


def points(block: Mapping[str, Any], variant: str) -> pd.DataFrame:
    """The reliability table of a variant in words, one row a bin."""
    found = block["variants"][variant]["reliability"]
    return pd.DataFrame(
        {
            "Told from": found["low"],
            "Told to": found["high"],
            "Told on average": found["told"],
            "Found": found["found"],
            "Pairs": [round(w) for w in found["weight"]],
        }
    )


def plot(block: Mapping[str, Any], variant: str) -> go.Figure:
    """What was told against what was found; on the line, probabilities mean what they say."""
    if variant not in variants(block):
        return empty("Calibration was not measured for this model.")
    found = block["variants"][variant]["reliability"]
    top = max([*found["told"], *found["found"]]) * 1.08 or 1.0
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, top],
                y=[0, top],
                mode="lines",
                line={"color": GREY, "dash": "dash"},
                name="as told",
                hoverinfo="skip",
            ),
            go.Scatter(
                x=found["told"],
                y=found["found"],
                mode="lines+markers",
                line={"color": BLUE},
                marker={"size": 10},
                name="this model",
                hovertemplate="told %{x:.2%}, found %{y:.2%}<extra></extra>",
            ),
        ]
    )
    figure.update_xaxes(title="Probability told", range=[0, top], tickformat=".0%")
    figure.update_yaxes(title="Share that was taken", range=[0, top], tickformat=".0%")
    if top < 0.05:
        figure.update_xaxes(tickformat=".1%")
        figure.update_yaxes(tickformat=".1%")
    return styled(figure, 380, showlegend=True)


def describe(block: Mapping[str, Any], variant: str) -> str:
    """How far probabilities are off, and where most."""
    if variant not in variants(block):
        return "Calibration was not measured for this model."
    found = block["variants"][variant]
    told, true = found["reliability"]["told"], found["reliability"]["found"]
    worst = max(range(len(told)), key=lambda i: abs(told[i] - true[i]))
    return (
        f"Probabilities are off by {formats.share(found['ece'], 2)} on average (ECE); most where "
        f"{formats.share(told[worst])} was told and {formats.share(true[worst])} found. The curve "
        "from score to probability was fitted on validation and frozen."
    )
