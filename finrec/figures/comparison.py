"""Trained runs side by side: what was measured, by protocol, view and seed; the ablation.

Only figures of one data set, one protocol and one view are ever put beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from finrec.config import PARTS, RunSettings
from finrec.figures import formats
from finrec.figures.rows import largest
from finrec.figures.style import BLUE, FAINT, GREEN, GREY, ORANGE, PURPLE, empty, styled

PART_WORDS = {
    "baseline": "Events",
    "+tl": "Events + text",
    "+gnn": "Events + graph",
    "+tl+gnn": "Events + text + graph",
}
REFERENCE_WORDS = {
    "popularity": "Most popular products",
    "recent_popularity": "Most popular in the last 90 days",
}
VIEW_WORDS = {
    "masked": "products already taken are left out",
    "unmasked": "all products are ranked",
}
SLICE_WORDS = {
    "all": "all customers",
    "warm": "customers with a past",
    "cold": "new customers",
    "new product": "products that nobody had before",
}
PART_COLOURS = dict(zip(PARTS, (BLUE, ORANGE, GREEN, PURPLE), strict=True))
PAIR_METRICS = ("precision", "recall", "f1", "roc_auc", "pr_auc")
LONG = ["run", "method", "parts", "preset", "seed", "slice", "metric", "value"]


class RunLike(Protocol):
    """What is read of a trained run (:class:`finrec.training.runs.Run`)."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def settings(self) -> RunSettings:
        """What it was told."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """By protocol."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Data set, seconds, parameters."""


def view_words(view: str, candidates: bool, repeatable: bool) -> str:
    """What was ranked.

    Args:
        view: ``masked`` or ``unmasked``.
        candidates: whether the source says what could be offered in each test case.
        repeatable: whether a product can be taken again, so that nothing is left out.
    """
    if candidates:
        return "what could be offered by the source's own account is ranked"
    return VIEW_WORDS["unmasked" if repeatable else view]


def _words(run: RunLike) -> tuple[str, ...]:
    return (
        PART_WORDS[run.settings.parts],
        str(run.settings.preset),
        f"seed {run.settings.train.seed}",
        formats.moment(run.provenance.get("created")),
    )


def run_label(run: RunLike) -> str:
    """A run in words: parts, preset, seed and when it was made."""
    return " · ".join(_words(run))


def run_labels(runs: Sequence[RunLike]) -> dict[str, str]:
    """By id, the shortest of a run's words that tell it from the others."""
    first, *others = zip(*map(_words, runs), strict=True) if runs else [()]
    labels = list(first)
    for words in others:
        alike: dict[str, set[str]] = {}
        for label, word in zip(labels, words, strict=True):
            alike.setdefault(label, set()).add(word)
        labels = [
            f"{label} · {word}" if len(alike[label]) > 1 else label
            for label, word in zip(labels, words, strict=True)
        ]
    return {r.id: label for r, label in zip(runs, labels, strict=True)}


def protocols(runs: Sequence[RunLike]) -> list[str]:
    """Ranking protocols that these runs were measured by."""
    return sorted({p for r in runs for p, block in r.metrics.items() if "masked" in block})


def views(runs: Sequence[RunLike], protocol: str) -> list[str]:
    """Of masked and unmasked, those that were measured."""
    blocks = [r.metrics.get(protocol, {}) for r in runs]
    return [v for v in VIEW_WORDS if any(v in b for b in blocks)]


def slices(runs: Sequence[RunLike], protocol: str) -> list[str]:
    """Groups of customers that were measured on their own, after all of them."""
    found = {s for r in runs for s in r.metrics.get(protocol, {}).get("slices", {})}
    return ["all", *(s for s in SLICE_WORDS if s in found)]


def headline(run: RunLike) -> tuple[str, float | None, float | None]:
    """Name of the headline metric, the run's value and that of popularity, masked."""
    block = run.metrics.get(run.settings.protocol, {})
    name = str(block.get("headline", ""))
    reference = block.get("references", {}).get("popularity", {})
    return name, block.get("masked", {}).get(name), reference.get("masked", {}).get(name)


def verdict(run: RunLike) -> tuple[bool, str]:
    """Whether a run beats showing everybody the most popular products, and a sentence of it."""
    name, ours, popular = headline(run)
    if ours is None or popular is None:
        return False, "This model was not measured against the most popular products."
    told = f"{formats.measure(name)} {formats.metric(ours)} against {formats.metric(popular)}"
    if ours > popular:
        gain = f", {formats.share(ours / popular - 1, 0)} more" if popular > 0 else ""
        return True, f"Better than showing everybody the most popular products: {told}{gain}."
    return False, (
        f"No better than showing everybody the most popular products: {told}. "
        "Don't use this model; train it longer or with more data."
    )


def metric_names(runs: Sequence[RunLike], protocol: str) -> list[str]:
    """Metrics that every run has, the headline first."""
    blocks = [r.metrics.get(protocol, {}) for r in runs]
    blocks = [b for b in blocks if "masked" in b]
    if not blocks:
        return []
    shared = [m for m in blocks[0]["masked"] if all(m in b["masked"] for b in blocks)]
    head = str(blocks[0].get("headline", ""))
    return sorted(shared, key=lambda m: (m != head, shared.index(m)))


def measured(
    runs: Sequence[RunLike], protocol: str, view: str = "masked", which: str = "all"
) -> pd.DataFrame:
    """One row a method, seed and metric; a reference stands once, as the newest run found it."""
    rows: list[list[Any]] = []
    references: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        block = run.metrics.get(protocol, {})
        told = run.settings
        own = [run.id, PART_WORDS[told.parts], told.parts, told.preset, told.train.seed, which]
        rows += [[*own, m, v] for m, v in _values(block, view, which).items()]
        for name, found in block.get("references", {}).items():
            references.setdefault(name, found)
    for name, found in references.items():
        own = [None, REFERENCE_WORDS.get(name, formats.words(name)), name, "", None, which]
        rows += [[*own, m, v] for m, v in _values(found, view, which).items()]
    return pd.DataFrame(rows, columns=LONG)


def _values(block: Mapping[str, Any], view: str, which: str) -> dict[str, float]:
    found = block.get(view, {}) if which == "all" else block.get("slices", {}).get(which, {})
    return {m: float(v) for m, v in found.items() if m != "cases"}


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation (over seeds) and number of seeds of each method and metric."""
    keys = ["method", "parts", "preset", "metric"]
    grouped = rows.groupby(keys, sort=False, dropna=False)["value"]
    return grouped.agg(mean="mean", deviation="std", seeds="count").reset_index()


def table(rows: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a method, one column a metric: mean, with ± where there is more than one seed."""
    found = summary(rows)
    found["text"] = [
        formats.metric(r["mean"])
        + (f" ± {formats.metric(r['deviation'])}" if r["seeds"] > 1 else "")
        for r in found.to_dict("records")
    ]
    wide = found.pivot(index=["method", "preset"], columns="metric", values="text")
    seeds = found.groupby(["method", "preset"], sort=False)["seeds"].max()
    wide = wide.reindex(seeds.index)[[m for m in metrics if m in wide.columns]]
    own = [bool(preset) for _, preset in seeds.index]
    wide.insert(0, "Seeds", [n if ours else None for n, ours in zip(seeds, own, strict=True)])
    wide["Seeds"] = wide["Seeds"].astype("Int64")
    wide = wide.rename(columns={m: formats.measure(m) for m in metrics})
    return wide.reset_index().rename(columns={"method": "Method", "preset": "Preset"})


def bars(rows: pd.DataFrame, metric: str) -> go.Figure:
    """One bar a method, with a standard deviation over seeds where there is more than one."""
    found = summary(rows[rows["metric"] == metric])
    found["reference"] = found["preset"] == ""
    found = found.sort_values(["reference", "mean"], ascending=[True, False], kind="stable")
    if found.empty:
        return empty("Nothing was measured here.")
    labels = [
        formats.markup(m + (f" · {p}" if p else ""))
        for m, p in zip(found["method"], found["preset"], strict=True)
    ]
    shown = [d if n > 1 else None for d, n in zip(found["deviation"], found["seeds"], strict=True)]
    figure = go.Figure(
        go.Bar(
            x=found["mean"],
            y=labels,
            orientation="h",
            marker_color=[PART_COLOURS.get(p, GREY) for p in found["parts"]],
            error_x={"type": "data", "array": shown, "color": GREY, "thickness": 3, "width": 0},
            text=[formats.metric(v) for v in found["mean"]],
            textposition="inside",
            insidetextanchor="start",
            customdata=[f"{p}|{q}" for p, q in zip(found["parts"], found["preset"], strict=True)],
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=formats.measure(metric), rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return styled(figure, 110 + 46 * len(found), showlegend=False)


def describe_bars(rows: pd.DataFrame, metric: str) -> str:
    """One sentence: the best method and where popularity stands."""
    found = summary(rows[rows["metric"] == metric])
    if found.empty:
        return "Nothing was measured here."
    best = largest(found, "mean")
    text = (
        f"Highest {formats.measure(metric)}: {best['method']} with {formats.metric(best['mean'])}"
    )
    popular = found[found["parts"] == "popularity"]
    if len(popular) and best["parts"] != "popularity":
        text += "; showing everybody the most popular products reaches "
        text += formats.metric(float(popular["mean"].iloc[0]))
    return text + "."


def ablation(runs: Sequence[RunLike], protocol: str) -> pd.DataFrame:
    """One row for each of the four variants that was trained: quality, time, parameters."""
    rows = []
    for parts in PARTS:
        group = [r for r in runs if r.settings.parts == parts and protocol in r.metrics]
        if not group:
            continue
        head = headline(group[0])[0]
        row: dict[str, Any] = {"Variant": PART_WORDS[parts], "Seeds": len(group)}
        for name in PAIR_METRICS[:3]:
            row[formats.words(name)] = _mean([r.metrics.get("P", {}).get(name) for r in group])
        row[formats.measure(head)] = _mean([r.metrics[protocol]["masked"].get(head) for r in group])
        row["Training time"] = _mean(
            [
                r.provenance.get("seconds_train", 0.0) + r.provenance.get("seconds_refit", 0.0)
                for r in group
            ]
        )
        row["Parameters"] = int(_mean([r.provenance.get("parameters") for r in group]) or 0)
        rows.append(row)
    return pd.DataFrame(rows)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def missing_variants(runs: Sequence[RunLike]) -> list[str]:
    """Of the ablation's four variants, those that no run has, in words."""
    have = {r.settings.parts for r in runs}
    return [PART_WORDS[p] for p in PARTS if p not in have]


def ablation_bars(table: pd.DataFrame) -> go.Figure:
    """Precision, recall and F1 of each variant, its seconds of training and its parameters.

    Columns that end in ``, SD`` are deviations over seeds and become error bars.
    """
    figure = make_subplots(
        rows=3,
        shared_xaxes=True,
        row_heights=[0.56, 0.22, 0.22],
        vertical_spacing=0.1,
        subplot_titles=("Quality", "Training time in seconds", "Parameters"),
    )
    names = [formats.markup(v).replace(" + ", "<br>+ ") for v in table["Variant"]]
    shown = (
        ("Precision", BLUE, 1, " %{y:.4f}"),
        ("Recall", ORANGE, 1, " %{y:.4f}"),
        ("F1", GREEN, 1, " %{y:.4f}"),
        ("Training time", FAINT, 2, " %{y:.0f} s"),
        ("Parameters", FAINT, 3, " %{y:,.0f}"),
    )
    for column, colour, row, digits in shown:
        if column not in table:
            continue
        spread = table.get(f"{column}, SD")
        figure.add_trace(
            go.Bar(
                x=names,
                y=table[column],
                name=column,
                marker_color=colour,
                showlegend=row == 1,
                error_y=None
                if spread is None
                else {
                    "type": "data",
                    "array": spread.fillna(0.0),
                    "color": GREY,
                    "thickness": 2,
                },
                hovertemplate="%{x}: " + column + digits + "<extra></extra>",
            ),
            row=row,
            col=1,
        )
    figure.update_yaxes(rangemode="tozero")
    figure = styled(figure, 560, margin={"t": 48})
    figure.update_layout(legend={"y": -0.14, "yanchor": "top"}, bargap=0.3)
    return figure


def describe_ablation(table: pd.DataFrame) -> str:
    """One sentence: the variant with the highest F1, and the gain over events alone."""
    best = largest(table, "F1")
    text = f"Highest F1: {best['Variant']} with {formats.metric(best['F1'])}"
    base = table[table["Variant"] == PART_WORDS["baseline"]]
    if len(base) and best["Variant"] != PART_WORDS["baseline"]:
        gain = best["F1"] - float(base["F1"].iloc[0])
        text += f", {formats.signed(gain, 4)} against events alone"
    return text + "."
