"""Reference results drawn: methods sorted by a metric with deviations over seeds; the ablation.

The rows are those of ``data/results/reference.csv``, in the columns of
:data:`finrec.pipeline.compare.TIDY`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from finrec.config import PARTS
from finrec.figures import formats
from finrec.figures.comparison import PAIR_METRICS, PART_COLOURS, PART_WORDS
from finrec.figures.style import FAINT, GREY, empty, styled

COSTS = ("seconds_train", "seconds_score", "parameters", "peak_mib")
FIRST = ("ndcg", "hr", "f1", "recall", "precision", "mrr", "map", "pr_auc", "roc_auc")
# Of the test pairs themselves, not of how well a method tells them apart.
NOT_QUALITY = {"threshold", "prevalence", "positives", "pairs_stand_for", "changed"}
RANKING = ("R1", "R2")
LOWER_IS_BETTER = {"gini", "log_loss", "brier", "ece"}
SUMMARY = ["method", "seeds", "mean", "sd", "low", "high", *COSTS]
PROTOCOL_WORDS = {
    "R1": "R1, leave one out",
    "R2": "R2, by time",
    "P": "P, pairs of taken and not taken",
    "T": "T, whether anything is taken",
    "O": "O, what is held a month later",
}
DRAWN = {
    "all": "One product drawn at random",
    "popularity": "One product drawn by popularity",
    "natural": "All products not taken",
}
SLICES = {
    "all": "All", "warm": "With a past", "cold": "New", "one event": "With one event",
    "new product": "Taking what nobody had before",
    "persistence": "Persistence instead of the method", "never": "Nothing held, ever",
    "taken": "What was not held before",
}  # fmt: skip


def datasets(rows: pd.DataFrame) -> list[str]:
    """Data sets that were measured, those of most methods first."""
    count = rows.groupby("dataset", observed=True)["method"].nunique()
    return [str(n) for n in count.sort_values(ascending=False, kind="stable").index]


def choices(rows: pd.DataFrame, column: str, order: Sequence[Any] = ()) -> list[Any]:
    """Different values of a column, in an order where one is given."""
    found = list(rows[column].dropna().unique())
    return sorted(found, key=lambda v: (order.index(v) if v in order else len(order), str(v)))


def views(rows: pd.DataFrame) -> dict[bool, str]:
    """What was ranked in these rows of R1 or R2, in words, by ``masked``."""
    told = choices(rows, "masked", (True, False))
    if True not in told:
        return {False: "What may be taken"}
    words = {True: "What is not held", False: "What is held, too"}
    return {bool(masked): words[bool(masked)] for masked in told}


def nothing_left_out(rows: pd.DataFrame, dataset: str, protocol: str) -> str:
    """Why a data set's lists leave nothing out, where they don't; empty otherwise."""
    own = narrowed(rows, dataset=dataset, protocol=protocol)
    if protocol not in RANKING or own.empty or own["masked"].any():
        return ""
    return (
        "No product is left out of these lists for being held: here products are taken again, "
        "or the data say what could be offered."
    )


def as_now(rows: pd.DataFrame) -> str:
    """How little a high figure of protocol O means; empty for rows of other protocols.

    Args:
        rows: of one data set, protocol and slice.
    """
    changed = rows.loc[(rows["protocol"] == "O") & (rows["metric"] == "changed"), "value"]
    if changed.empty:
        return ""
    return (
        "Persistence, which says that all stays held as it is, is right about "
        f"{formats.share(1 - float(changed.mean()), 2)} of these pairs. A high figure here says "
        "little about recommendations; only what is above persistence is the method's."
    )


def metrics(rows: pd.DataFrame) -> list[str]:
    """Metrics of these rows, lists' quality first and short lists before long ones."""

    def place(name: str) -> tuple[int, int, str]:
        base, _, k = name.partition("@")
        return (FIRST.index(base) if base in FIRST else len(FIRST), int(k or 0), name)

    return sorted((m for m in rows["metric"].unique() if m not in NOT_QUALITY), key=place)


def narrowed(rows: pd.DataFrame, **equal: Any) -> pd.DataFrame:
    """Rows whose columns have these values: ``narrowed(rows, dataset="demo", protocol="R2")``."""
    fits = pd.Series(True, index=rows.index)
    for column, value in equal.items():
        fits &= rows[column] == value
    return rows[fits]


def summary(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row a method, best first: mean and deviation over seeds, interval, costs.

    The interval is that of each seed over customers, its ends averaged over the seeds.

    Args:
        rows: of one data set, protocol, view and slice.
        metric: its name.
    """
    mine = rows[rows["metric"] == metric]
    if mine.empty:
        return pd.DataFrame(columns=SUMMARY)
    grouped = mine.groupby("method", observed=True)
    table = grouped["value"].agg(mean="mean", sd="std", seeds="count")
    known = [c for c in ("low", "high", *COSTS) if c in mine]
    table = table.join(grouped[known].mean()).reindex(columns=SUMMARY[1:]).reset_index()
    best_first = table.sort_values(
        "mean", ascending=metric in LOWER_IS_BETTER, kind="stable", ignore_index=True
    )
    return best_first[SUMMARY]


def bars(
    table: pd.DataFrame, metric: str, titles: Mapping[str, str] | None = None
) -> tuple[go.Figure, str]:
    """One bar a method with its deviation over seeds; and what the bars say.

    Args:
        table: as from :func:`summary`.
        metric: its name.
        titles: of methods, for people.
    """
    if table.empty:
        return empty("This was not measured."), "This was not measured."
    names = [label(m, titles) for m in table["method"]]
    interval = bool(table["low"].notna().any())
    above = table["high"] - table["mean"] if interval else table["sd"]
    below = table["mean"] - table["low"] if interval else table["sd"]
    figure = go.Figure(
        go.Bar(
            x=table["mean"],
            y=[formats.markup(n) for n in names],
            orientation="h",
            marker_color=[PART_COLOURS.get(m, FAINT) for m in table["method"]],
            error_x={"type": "data", "symmetric": False, "array": _known(above),
                     "arrayminus": _known(below), "color": GREY, "thickness": 2, "width": 4},
            customdata=table["method"],
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(title=formats.measure(metric), rangemode="tozero")
    side = "Lowest" if metric in LOWER_IS_BETTER else "Highest"
    words = (
        f"{side} {formats.measure(metric)}: {names[0]} with {formats.metric(table['mean'].iloc[0])}"
    )
    ours = [i for i, m in enumerate(table["method"]) if m in PARTS]
    if ours and ours[0]:
        mean = formats.metric(float(table["mean"].iloc[ours[0]]))
        words += f"; the best of our network, {names[ours[0]]}, has {mean}"
    lines = "95 % intervals over customers" if interval else "the standard deviation over seeds"
    words += f". Lines show {lines}." if above.notna().any() else "."
    return styled(figure, 90 + 28 * len(table), showlegend=False), words


def _known(values: pd.Series) -> list[float | None]:
    return [float(v) if v == v else None for v in values]


def label(method: str, titles: Mapping[str, str] | None = None) -> str:
    """A method's name for people."""
    return PART_WORDS.get(method) or (titles or {}).get(method, method)


def as_popularity(table: pd.DataFrame) -> str:
    """Why the robo-advisor ranks as popularity does, where it does; empty otherwise.

    Args:
        table: as from :func:`summary`.
    """
    means = dict(zip(table["method"], table["mean"], strict=True))
    if "robo_advisor" not in means or means["robo_advisor"] != means.get("popularity"):
        return ""
    return (
        "The robo-advisor ranks as popularity does here: these products tell no risk, return or "
        "term to match a customer's with."
    )


def measurements(
    rows: pd.DataFrame, metric: str, titles: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The bars' twin: one row a method and seed, with its costs and the command that repeats it."""
    table = summary(rows, metric)
    order = {m: i for i, m in enumerate(table["method"])}
    deviation = table.set_index("method")["sd"]
    mine = rows[rows["metric"] == metric]
    mine = mine.assign(place=mine["method"].map(order).astype("int64"))
    mine = mine.sort_values(["place", "seed"], kind="stable")
    return pd.DataFrame(
        {
            "Method": [label(m, titles) for m in mine["method"]],
            "Seed": mine["seed"].to_numpy(),
            formats.measure(metric): mine["value"].to_numpy(),
            "SD over seeds": deviation.reindex(mine["method"].astype("str")).to_numpy(),
            "95 % from": _column(mine, "low"),
            "To": _column(mine, "high"),
            "Training, s": mine["seconds_train"].to_numpy(),
            "Scoring, s": mine["seconds_score"].to_numpy(),
            "Parameters": mine["parameters"].astype("int64").to_numpy(),
            "Peak memory, MiB": mine["peak_mib"].to_numpy(),
            "Snapshot": mine["snapshot"].astype("str").to_numpy(),
            "Commit": mine["commit"].astype("str").to_numpy(),
            "Machine": mine["machine"].astype("str").to_numpy(),
            "Command": mine["command"].astype("str").to_numpy(),
        }
    )


def _column(rows: pd.DataFrame, name: str) -> list[float]:
    return rows[name].tolist() if name in rows else [float("nan")] * len(rows)


def ablation(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """One row for each of the four variants, as :func:`finrec.figures.comparison.ablation_bars`."""
    pairs = narrowed(rows, dataset=dataset, protocol="P", slice="all")
    made = []
    for method, words in PART_WORDS.items():
        own = pairs[pairs["method"] == method]
        if own.empty:
            continue
        row: dict[str, Any] = {"Variant": words, "Seeds": own["seed"].nunique()}
        for metric in PAIR_METRICS[:3]:
            values = own.loc[own["metric"] == metric, "value"]
            row[formats.words(metric)] = values.mean()
            row[f"{formats.words(metric)}, SD"] = values.std()
        costs = own.groupby("seed")[["seconds_train", "parameters"]].first()
        row["Training time"] = costs["seconds_train"].mean()
        row["Training time, SD"] = costs["seconds_train"].std()
        row["Parameters"] = int(costs["parameters"].mean())
        made.append(row)
    return pd.DataFrame(made)
