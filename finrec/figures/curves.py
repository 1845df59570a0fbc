"""How a training goes, from its log: what it does now, and the curves of loss and validation.

The log's frame is that of :func:`finrec.training.jobs.read_log`: one row a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from finrec.figures import formats
from finrec.figures.rows import largest
from finrec.figures.style import BLUE, GREEN, SKY, empty, styled

STAGES = {"choose": "Learning", "refit": "Learning again with everything before the test"}
CURVE = ["stage", "epoch", "loss", "valid"]


@dataclass(frozen=True)
class Progress:
    """What a training does now.

    Args:
        share: of the current stage that is done, 0 to 1.
        doing: for people, what it is doing.
        loss: latest; None before the first step.
        valid: latest validation value; None before the first.
        best: best validation value so far.
        metric: name of the validation value.
        rate: events learned from in a second.
        eta: seconds to the end of the stage, if it uses all its passes.
    """

    share: float
    doing: str
    loss: float | None = None
    valid: float | None = None
    best: float | None = None
    metric: str = ""
    rate: float | None = None
    eta: float | None = None


def progress(log: pd.DataFrame) -> Progress:
    """What the last lines of a log say."""
    if log.empty:
        return Progress(0.0, "Starting")
    last = log.iloc[-1]
    event = last["event"]
    if event == "text":
        return Progress(float(last["share"]), "Reading the products' descriptions")
    if event == "pretraining":
        return Progress(float(last["share"]), "Pretraining: filling in hidden events")
    told = {
        "loss": _latest(log, "loss"),
        "valid": _latest(log, "valid"),
        "best": _latest(log, "best"),
        "metric": str(last_text(log, "metric")),
    }
    if event == "evaluating":
        return Progress(1.0, "Testing once on what was held out", **told)  # type: ignore[arg-type]
    if event == "done":
        return Progress(1.0, "Done", **told)  # type: ignore[arg-type]
    if event not in ("step", "epoch"):
        return Progress(0.0, str(last.get("message") or "Preparing"), **told)  # type: ignore[arg-type]
    passes = int(last["epochs"])
    done = float(last["epoch"]) + (float(last["share"]) if event == "step" else 0.0)
    at = min(int(done) + 1, passes)
    doing = f"{STAGES.get(str(last.get('stage')), 'Learning')}, pass {at} of {passes}"
    return Progress(
        min(done / max(passes, 1), 1.0),
        doing,
        rate=_latest(log, "targets_per_second"),
        eta=_latest(log, "eta_seconds"),
        **told,  # type: ignore[arg-type]
    )


def _latest(log: pd.DataFrame, column: str) -> float | None:
    if column not in log.columns:
        return None
    known = log[column].dropna()
    return float(known.iloc[-1]) if len(known) else None


def last_text(log: pd.DataFrame, column: str) -> str:
    """What a column said last; empty where it never did."""
    if column not in log.columns:
        return ""
    known = log[column].dropna()
    return str(known.iloc[-1]) if len(known) else ""


def curve(log: pd.DataFrame) -> pd.DataFrame:
    """One row a finished pass: stage, epoch, loss, valid; a resumed pass counts once."""
    if log.empty or "event" not in log.columns:
        return pd.DataFrame(columns=CURVE)
    rows = log[log["event"] == "epoch"].reindex(columns=CURVE)
    rows = rows.drop_duplicates(["stage", "epoch"], keep="last")
    return rows.astype({"epoch": int}).reset_index(drop=True)


def _kept(log: pd.DataFrame, judged: pd.DataFrame) -> dict[str, Any]:
    """The pass that is kept as things stand; the best one in the log of an earlier version."""
    if "kept" in log.columns:
        told = log.loc[log["stage"] == "choose", "kept"].dropna()
        if len(told):
            return largest(judged[judged["epoch"] == int(told.iloc[-1])], "valid")
    return largest(judged, "valid")


def curve_table(log: pd.DataFrame) -> pd.DataFrame:
    """The finished passes with readable headings."""
    rows = curve(log)
    rows["stage"] = rows["stage"].map(STAGES)
    names = {"stage": "Stage", "epoch": "Pass", "loss": "Loss", "valid": "Validation"}
    return rows.rename(columns=names)


def loss(log: pd.DataFrame) -> go.Figure:
    """Loss and validation value by pass; the pass that is kept is marked."""
    rows = curve(log)
    if rows.empty:
        return empty("The curves begin with the first finished pass.")
    metric = last_text(log, "metric") or "validation"
    figure = make_subplots(
        cols=2,
        subplot_titles=("Loss", f"Validation {formats.measure(metric)}"),
    )
    for stage, colour, dash in (("choose", BLUE, "solid"), ("refit", SKY, "dot")):
        part = rows[rows["stage"] == stage]
        if part.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=part["epoch"],
                y=part["loss"],
                name="Learning" if stage == "choose" else "Learning again",
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                hovertemplate="Pass %{x}: loss %{y:.4f}<extra></extra>",
            ),
            row=1,
            col=1,
        )
    judged = rows.dropna(subset=["valid"])
    if len(judged):
        figure.add_trace(
            go.Scatter(
                x=judged["epoch"],
                y=judged["valid"].astype(float),
                mode="lines+markers",
                line={"color": BLUE},
                showlegend=False,
                hovertemplate="Pass %{x}: %{y:.4f}<extra></extra>",
            ),
            row=1,
            col=2,
        )
        kept = _kept(log, judged)
        figure.add_trace(
            go.Scatter(
                x=[kept["epoch"]],
                y=[float(kept["valid"])],
                name="The pass that is kept",
                mode="markers",
                marker={"color": GREEN, "symbol": "star", "size": 15},
                hovertemplate="Kept: pass %{x}, %{y:.4f}<extra></extra>",
            ),
            row=1,
            col=2,
        )
    figure.update_xaxes(title="Pass", tickformat="d", rangemode="tozero")
    figure = styled(figure, 330, margin={"t": 48})
    figure.update_layout(legend={"y": -0.22, "yanchor": "top"})
    return figure


def describe_loss(log: pd.DataFrame) -> str:
    """One sentence: how the loss moved and which pass was best."""
    rows = curve(log)
    chosen = rows[rows["stage"] == "choose"]
    if chosen.empty:
        return "No pass is finished yet."
    first, last = float(chosen["loss"].iloc[0]), float(chosen["loss"].iloc[-1])
    text = f"In {formats.counted(len(chosen), 'pass', 'passes')} the loss went from "
    text += f"{first:.3f} to {last:.3f}"
    judged = chosen.dropna(subset=["valid"])
    if len(judged):
        best, kept = largest(judged, "valid"), _kept(log, judged)
        metric = formats.measure(last_text(log, "metric") or "value")
        text += (
            f"; the best validation {metric} is {formats.metric(float(best['valid']))}, "
            f"after pass {int(best['epoch'])}"
        )
        if int(kept["epoch"]) != int(best["epoch"]):
            text += (
                f". Pass {int(kept['epoch'])} is kept, whose value averaged with its neighbours' "
                "is the highest: what one pass has above the next is mostly chance"
            )
    return text + "."
