"""Measured figures as Markdown tables, by themselves or in the marked places of a text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from finrec import baselines
from finrec.config import PARTS
from finrec.pipeline import published

MARK = re.compile(r"(<!-- reference:(\w+) -->\n).*?(<!-- /reference -->)", re.DOTALL)


@dataclass(frozen=True)
class Headline:
    """How a data set's figures are read.

    Args:
        protocol: R1 or R2.
        metrics: (slice, metric) each a column; the first orders the rows.
    """

    protocol: str
    metrics: tuple[tuple[str, str], ...]


HEADLINES = {
    "amazon": Headline("R1", (("all", "ndcg@10"), ("all", "hr@10"))),
    "insurance": Headline(
        "R2", (("warm", "ndcg@3"), ("warm", "hr@3"), ("warm", "mrr@3"), ("all", "ndcg@3"))
    ),
    "santander": Headline("R2", (("warm", "map@7"), ("all", "map@7"))),
    "demo": Headline("R2", (("all", "ndcg@5"), ("all", "hr@5"))),
    "senate": Headline("R2", (("all", "ndcg@10"), ("all", "hr@10"))),
}
SLICES = {"all": "", "warm": ", with a past"}


def table(dataset: str, rows: pd.DataFrame | None = None) -> str:
    """One data set's methods as a Markdown table, best first; empty where none is measured.

    Mean over seeds with its deviation, then the interval over customers of the first column's
    metric (its ends' mean over seeds), F1 of pairs drawn 1:1, seconds and parameters.

    Args:
        dataset: name.
        rows: of :func:`finrec.pipeline.published.reference`; None: those.
    """
    every = published.reference() if rows is None else rows
    mine = published.headline(every[every["dataset"] == dataset]) if len(every) else every
    if mine.empty:
        return ""
    headline = HEADLINES.get(dataset) or _usual(mine)
    mine = published.with_split(mine)
    mine = mine[mine["split"] == headline.protocol]
    columns = [
        (f"{metric.upper()}{SLICES[part]}", _values(mine, headline.protocol, part, metric))
        for part, metric in headline.metrics
    ]
    f1 = _values(mine, "P", "all", "f1")
    order = columns[0][1].groupby("method")["value"].mean().sort_values(ascending=False).index
    names = [c for c, _ in columns]
    head = ["method", "seeds", names[0], "95 % over customers", *names[1:], "F1 of pairs",
            "learning, s", "scoring, s", "parameters"]  # fmt: skip
    lines = [_row(head), _row(["---"] * len(head))]
    for method in order:
        first = columns[0][1]
        own = first[first["method"] == method].sort_values("seed")
        cost = own.iloc[0]
        low, high = own["low"].mean(), own["high"].mean()
        interval = "" if pd.isna(low) or pd.isna(high) else f"{_short(low)} to {_short(high)}"
        shown = [_mean(values, method) for _, values in columns]
        lines.append(
            _row([
                _called(method), str(own["seed"].nunique()), shown[0], interval, *shown[1:],
                _mean(f1, method), f"{own['seconds_train'].mean():,.0f}",
                f"{own['seconds_score'].mean():,.1f}", f"{int(cost['parameters']):,}",
            ])
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def into(text: str, rows: pd.DataFrame | None = None) -> str:
    """The text with the table of each data set between its marks.

    Marks are ``<!-- reference:NAME -->`` and ``<!-- /reference -->``, on lines of their own.
    """
    every = published.reference() if rows is None else rows
    return MARK.sub(lambda m: f"{m[1]}{table(m[2], every)}{m[3]}", text)


def whole(rows: pd.DataFrame) -> str:
    """A heading and a table for each data set of these rows."""
    names = dict.fromkeys(rows["dataset"])
    return "\n".join(f"## {name}\n\n{made}" for name in names if (made := table(name, rows)))


def _usual(rows: pd.DataFrame) -> Headline:
    """How data without a headline of their own are read: NDCG and HR at the shortest length."""
    lists = rows[rows["metric"].str.startswith("ndcg@") & (rows["slice"] == "all")]
    k = min(int(name.removeprefix("ndcg@")) for name in lists["metric"])
    return Headline(max(lists["protocol"]), (("all", f"ndcg@{k}"), ("all", f"hr@{k}")))


def _values(rows: pd.DataFrame, protocol: str, part: str, metric: str) -> pd.DataFrame:
    return rows[
        (rows["protocol"] == protocol) & (rows["slice"] == part) & (rows["metric"] == metric)
    ]


def _mean(rows: pd.DataFrame, method: str) -> str:
    values = rows.loc[rows["method"] == method, "value"]
    if values.empty:
        return ""
    spread = f" ± {_short(values.std())}" if len(values) > 1 else ""
    return f"{_short(values.mean())}{spread}"


def _short(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def _called(method: str) -> str:
    if method in PARTS:
        return f"**`{method}`**"
    return baselines.method(method).title


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
