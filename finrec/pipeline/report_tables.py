"""The tables of a report beside the ranking: pairs, lists, ownership, the paper, sources."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats, grid, holding
from finrec.figures.reference import DRAWN, RANKING, as_popularity, bars, label, summary
from finrec.pipeline import compare, origins, published
from finrec.pipeline.compare import Comparison

PAIRS = ("precision", "recall", "f1", "roc_auc", "pr_auc", "log_loss", "brier", "ece")
LISTS = ("coverage", "gini", "novelty", "diversity")


@dataclass(frozen=True)
class Table:
    """A table as text.

    Args:
        title: heading.
        note: a sentence on how to read it; may be empty.
        names: of the columns.
        cells: a list a row.
        chart: drawn above the table in HTML.
    """

    title: str
    note: str
    names: list[str]
    cells: list[list[str]]
    chart: go.Figure | None = None


def tables(made: Comparison) -> list[Table]:
    """All of them that the finished cells have figures for."""
    rows = compare.tidy(made)
    found = []
    for split, own in rows.groupby("split"):
        found += [*_pairs(own, str(split)), *_lists(own, str(split))]
    return [*found, *_ownership(made), *_paper(made, rows), _sources(made, rows)]


def _pairs(rows: pd.DataFrame, split: str) -> list[Table]:
    """One table a way of drawing; with the intervals over customers where they were kept."""
    found = []
    own = rows[rows["protocol"] == "P"]
    for drawn, words in DRAWN.items():
        mine = own[own["slice"] == drawn]
        if mine.empty:
            continue
        names, cells = _by_method(mine, PAIRS, "f1")
        note = "The threshold is chosen on validation. Always saying yes has recall 1."
        chart = bars(summary(mine, "f1"), "f1", compare.titles())[0]
        found.append(Table(f"Yes or no, {split}: {words.lower()}", note, names, cells, chart))
    return found


def _lists(rows: pd.DataFrame, split: str) -> list[Table]:
    mine = rows[(rows["protocol"] == split) & rows["metric"].isin(LISTS)]
    if mine.empty:
        return []
    note = "Of the lists that would be shown: which products, how unequally, how unlike."
    return [Table(f"What is shown, {split}", note, *_by_method(mine, LISTS, LISTS[0]))]


def _by_method(
    rows: pd.DataFrame, metrics: tuple[str, ...], first: str
) -> tuple[list[str], list[list[str]]]:
    means = rows.pivot_table(index="method", columns="metric", values="value", aggfunc="mean")
    means = means.reindex(columns=[m for m in metrics if m in means])
    deviations = rows.pivot_table(index="method", columns="metric", values="value", aggfunc="std")
    ends = rows.groupby(["method", "metric"])[["low", "high"]].mean().dropna().reset_index()
    told = {
        (str(e["method"]), str(e["metric"])): f"{e['low']:.4f} to {e['high']:.4f}"
        for e in ends.to_dict("records")
    }
    bounded = [str(m) for m in means if str(m) in set(ends["metric"])]
    cells = []
    for method in map(str, means[first].sort_values(ascending=False).index):
        row = [label(method, compare.titles())]
        spreads = deviations.loc[method].to_dict() if method in deviations.index else {}
        for metric, mean in means.loc[method].items():
            spread = spreads.get(metric, float("nan"))
            row.append(f"{mean:.4f} ± {spread:.4f}" if spread == spread else f"{mean:.4f}")
        row += [told.get((method, metric), "") for metric in bounded]
        cells.append(row)
    names = ["Method", *(formats.measure(str(m)) for m in means)]
    return [*names, *(f"95 % of {formats.measure(m)}" for m in bounded)], cells


def _ownership(made: Comparison) -> list[Table]:
    """Protocol O, with persistence beside it, where the data tell holdings."""
    figures = ("accuracy", "precision", "recall", "f1")
    blocks: dict[str, list[dict[str, dict[str, float]]]] = {}
    as_now: dict[str, list[dict[str, dict[str, float]]]] = {}  # the same for every method
    for cell in made.done:
        block = cell.result()["metrics"].get("O")
        if block:
            name = label(cell.method, compare.titles())
            blocks.setdefault(name, []).append({"all": block, "taken": block["taken"]})
            for key in ("persistence", "never"):
                as_now[holding.ROWS[key]] = [{"all": block[key], "taken": {}}]
    if not blocks:
        return []
    cells = []
    for name, found in (as_now | blocks).items():
        row = [name, *(_mean([f["all"].get(k) for f in found]) for k in figures)]
        cells.append([*row, _mean([f["taken"].get("f1") for f in found])])
    note = (
        "Does the customer hold the product a month later? Nearly everybody holds what is held "
        "now, so that a high figure says little: compare with persistence, and look at the last "
        "column, which counts only what was not held before."
    )
    names = ["Method", *(formats.measure(k) for k in figures), "F1 of what was not held"]
    return [Table("Ownership, O", note, names, cells)]


def _mean(values: list[float | None]) -> str:
    known = [v for v in values if v is not None]
    return f"{sum(known) / len(known):.4f}" if known else ""


def _paper(made: Comparison, rows: pd.DataFrame) -> list[Table]:
    near = published.beside(rows)
    near = near[near["measured_on"] == made.cells[0].snapshot.partition("@")[0]]
    if near.empty:
        return []
    found = []
    for number, cells in grid.beside(near).groupby("Table"):
        cells = cells[[c for c in cells if c not in ("Table", "Data set", "On")]].astype("str")
        why = str(near.loc[near["table"] == number, "why"].iloc[0])
        title = f"The paper's table {number} beside these figures"
        found.append(Table(title, why, list(map(str, cells)), cells.to_numpy().tolist()))
    return found


def _sources(made: Comparison, rows: pd.DataFrame) -> Table:
    table = origins.table(list(dict.fromkeys(c.method for c in made.cells)))
    lists = rows[rows["protocol"].isin(RANKING) & (rows["slice"] == "all")]
    note = as_popularity(summary(lists, compare.headline(made)))
    return Table(
        "Where the methods are from",
        note,
        list(map(str, table)),
        table.astype("str").to_numpy().tolist(),
    )
