"""Two models against each other: settings that differ, figures, curves, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from finrec.config import ModelSettings, RunSettings, TrainSettings
from finrec.figures import curves, formats
from finrec.figures.comparison import PAIR_METRICS, PART_WORDS, RunLike
from finrec.figures.style import BLUE, GREY, ORANGE, empty, styled

COLOURS = (BLUE, ORANGE)
DASHES = ("solid", "dot")
SYMBOLS = ("circle", "diamond")


def labels(first: RunLike, second: RunLike) -> tuple[str, str]:
    """The shortest names that tell the two apart."""

    def words(run: RunLike) -> list[str]:
        made = formats.moment(run.provenance.get("created"))
        told = run.settings
        return [PART_WORDS[told.parts], told.preset, f"seed {told.train.seed}", made]

    one, two = words(first), words(second)
    for number in range(1, len(one) + 1):
        if one[:number] != two[:number]:
            return " · ".join(one[:number]), " · ".join(two[:number])
    return first.id, second.id


def _flat(settings: RunSettings) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, given in settings.model_dump().items():
        flat |= {f"{name}.{k}": v for k, v in given.items()} if isinstance(given, dict) else {
            name: given
        }  # fmt: skip
    return flat


def _meaning(name: str) -> str:
    group, _, inner = name.rpartition(".")
    of: Any = {"model": ModelSettings, "train": TrainSettings, "": RunSettings}[group]
    return str(of.model_fields[inner].description or "")


def differences(first: RunLike, second: RunLike) -> pd.DataFrame:
    """Settings that differ, side by side, with what each is."""
    ours, theirs = _flat(first.settings), _flat(second.settings)
    names = [n for n in ours if ours[n] != theirs[n]]
    one, two = labels(first, second)
    return pd.DataFrame(
        {
            "Setting": names,
            one: [_shown(ours[n]) for n in names],
            two: [_shown(theirs[n]) for n in names],
            "What it is": [_meaning(n) for n in names],
        }
    )


def _shown(value: Any) -> str:
    return formats.value(value) if isinstance(value, bool) else "none" if value in (None, "") else (
        str(value)
    )  # fmt: skip


def figures(first: RunLike, second: RunLike) -> pd.DataFrame:
    """Metrics that both have, and what each cost, with the difference."""
    rows: list[tuple[str, float | None, float | None]] = []
    shared = [p for p in first.metrics if p in second.metrics and "masked" in first.metrics[p]]
    for protocol in shared:
        ours, theirs = (r.metrics[protocol]["masked"] for r in (first, second))
        rows += [(f"{formats.measure(m)}, {protocol}", ours[m], theirs[m])
                 for m in ours if m in theirs]  # fmt: skip
        lists = [r.metrics[protocol].get("lists", {}).get("coverage") for r in (first, second)]
        rows.append((f"Coverage, {protocol}", lists[0], lists[1]))
    pairs = [r.metrics.get("P", {}) for r in (first, second)]
    rows += [(f"{formats.measure(m)}, P", pairs[0].get(m), pairs[1].get(m)) for m in PAIR_METRICS]
    costs = [r.provenance for r in (first, second)]
    seconds = [c.get("seconds_train", 0.0) + c.get("seconds_refit", 0.0) for c in costs]
    rows.append(("Training, s", seconds[0], seconds[1]))
    rows.append(("Parameters", costs[0].get("parameters"), costs[1].get("parameters")))
    known = [(n, float(a), float(b)) for n, a, b in rows if a is not None and b is not None]
    one, two = labels(first, second)
    return pd.DataFrame(
        {
            "Measure": [n for n, _, _ in known],
            one: [_number(n, a) for n, a, _ in known],
            two: [_number(n, b) for n, _, b in known],
            "Difference": [
                formats.signed(b - a, 0 if n == "Parameters" else 1 if n.endswith(", s") else 4)
                for n, a, b in known
            ],
        }
    )


def _number(name: str, value: float) -> str:
    return formats.number(value, 0 if name == "Parameters" else 1 if name.endswith(", s") else 4)


def learning(logs: Mapping[str, pd.DataFrame]) -> tuple[go.Figure, str, pd.DataFrame]:
    """Loss and validation value by pass, a line a model; a sentence; the same as a table.

    Args:
        logs: by the model's name, as from :func:`finrec.training.jobs.read_log`.
    """
    metrics = {curves.last_text(log, "metric") for log in logs.values()} - {""}
    judged = f"Validation {formats.measure(metrics.pop())}" if len(metrics) == 1 else "Validation"
    figure = make_subplots(cols=2, subplot_titles=("Loss", judged))
    told, tables = [], []
    for (name, log), colour, dash, symbol in zip(
        logs.items(), COLOURS, DASHES, SYMBOLS, strict=False
    ):
        rows = curves.curve(log)
        rows = rows[rows["stage"] == "choose"]
        if rows.empty:
            continue
        tables.append(curves.curve_table(log).assign(Model=name))
        look = {"color": colour, "dash": dash}
        for place, column in ((1, "loss"), (2, "valid")):
            figure.add_trace(
                go.Scatter(
                    x=rows["epoch"], y=rows[column].astype(float), name=formats.markup(name),
                    mode="lines+markers", line=look, marker={"symbol": symbol, "size": 7},
                    showlegend=place == 1, hovertemplate="Pass %{x}: %{y:.4f}",
                ),
                row=1,
                col=place,
            )  # fmt: skip
        valid = rows["valid"].dropna().astype(float)
        best = formats.metric(valid.max()) if len(valid) else formats.UNKNOWN
        told.append(f"{name}: {formats.counted(len(rows), 'pass', 'passes')}, best {best}")
    if not tables:
        return empty("No curves were kept."), "No curves were kept.", pd.DataFrame()
    figure.update_xaxes(title="Pass", tickformat="d", rangemode="tozero")
    figure = styled(figure, 330, margin={"t": 48})
    figure.update_layout(legend={"y": -0.22, "yanchor": "top"})
    return figure, "; ".join(told) + ".", pd.concat(tables, ignore_index=True)


def calibration(
    blocks: Mapping[str, Mapping[str, Any]], variant: str
) -> tuple[go.Figure, str, pd.DataFrame]:
    """What was told against what was found, a line a model; a sentence; the same as a table.

    Args:
        blocks: block ``P`` of the metrics by the model's name.
        variant: of :data:`finrec.figures.reliability.VARIANT_WORDS`.
    """
    have = {
        n: b["variants"][variant] for n, b in blocks.items() if variant in b.get("variants", {})
    }
    if not have:
        return empty("Calibration was not measured."), "Calibration was not measured.", (
            pd.DataFrame()
        )  # fmt: skip
    every = [v for f in have.values() for k in ("told", "found") for v in f["reliability"][k]]
    top = max(every) * 1.08 or 1.0
    figure = go.Figure(
        go.Scatter(x=[0, top], y=[0, top], mode="lines", line={"color": GREY, "dash": "dash"},
                   name="as told", hoverinfo="skip")
    )  # fmt: skip
    tables = []
    for (name, found), colour, dash, symbol in zip(
        have.items(), COLOURS, DASHES, SYMBOLS, strict=False
    ):
        points = found["reliability"]
        figure.add_trace(
            go.Scatter(
                x=points["told"], y=points["found"], mode="lines+markers",
                name=formats.markup(name), line={"color": colour, "dash": dash},
                marker={"symbol": symbol, "size": 9},
                hovertemplate="told %{x:.2%}, found %{y:.2%}",
            )
        )  # fmt: skip
        told = pd.DataFrame({"Told on average": points["told"], "Found": points["found"]})
        tables.append(told.assign(Pairs=[round(w) for w in points["weight"]], Model=name))
    digits = ".1%" if top < 0.05 else ".0%"
    figure.update_xaxes(title="Probability told", range=[0, top], tickformat=digits)
    figure.update_yaxes(title="Share that was taken", range=[0, top], tickformat=digits)
    words = "Probabilities are off on average by " + "; ".join(
        f"{formats.share(found['ece'], 2)} ({name})" for name, found in have.items()
    )
    return styled(figure, 380), words + ".", pd.concat(tables, ignore_index=True)
