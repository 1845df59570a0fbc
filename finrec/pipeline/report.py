"""A comparison as one file for others: HTML with its charts inside, or Markdown."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from plotly.offline import get_plotlyjs

from finrec import snapshots as store
from finrec.figures import grid
from finrec.pipeline import compare, report_tables
from finrec.pipeline.compare import Comparison
from finrec.pipeline.report_tables import Table
from finrec.schema import DataError
from finrec.split import split

PROTOCOLS = {
    "R1": "R1, leave one out: each customer's last event is test, the one before validation; "
    "{ranked}. It leaks time between customers and is kept because published figures use it.",
    "R2": "R2, by time: everything before a date is learned from, settings are chosen on what "
    "follows, the test is what comes after that; {ranked}.",
    "P": "P, pairs: each held-out acquisition beside one product drawn at random, one drawn by "
    "popularity, or all that were not taken; the threshold is chosen on validation. It says how "
    "well acquisitions are told from other products, not how good recommendations are.",
}
RANKED = "the whole catalogue is ranked, what is in the history left out"
RANKED_AGAIN = "the whole catalogue is ranked, held products included, because they are taken again"
RANKED_OFFERED = "what could be offered by the source's own account is ranked"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2429; max-width: 1000px; margin: 2rem auto;
  padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { padding: 4px 10px; border-bottom: 1px solid #d7dde1; text-align: right; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
@media print { body { margin: 0; } }
"""


def write(made: Comparison, file: Path, metrics: Sequence[str] = ()) -> None:
    """Write a comparison's report; the file is there whole or not at all.

    Args:
        made: with at least one finished cell.
        file: ends in .html or .md.
        metrics: shown; empty: the headline.

    Raises:
        DataError: when nothing is measured yet, or the suffix is another.
    """
    content = to_bytes(made, file.suffix, metrics, file.name)
    part = file.with_name(file.name + ".part")
    part.write_bytes(content)
    os.replace(part, file)


def to_bytes(
    made: Comparison, suffix: str, metrics: Sequence[str] = (), name: str = "The file"
) -> bytes:
    """A comparison's report as a file's content; see :func:`write`."""
    made.measured()  # or say that nothing is
    shown = list(metrics) or [compare.headline(made)]
    kinds = {".html": _html, ".md": _markdown}
    if suffix not in kinds:
        raise DataError(f"{name}: a report ends in .html or .md.")
    return kinds[suffix](made, shown).encode()


def _sections(made: Comparison, metrics: Sequence[str]) -> list[Table]:
    """All tables, the ranking first."""
    found = []
    for metric in metrics:
        for part in ("all", "warm"):
            if part == "warm" and not _has_cold(made):
                continue
            table = compare.summary(made, metric, part)
            who = "customers with a past" if part == "warm" else "all cases"
            for protocol, rows in table.groupby("protocol"):
                title = f"{metric}, {protocol}, {who}"
                found.append(Table(title, "", *_rows(rows), grid.bars(rows, metric)[0]))
    return [*found, *report_tables.tables(made)]


def _has_cold(made: Comparison) -> bool:
    warm = made.done[0].per_case()["warm"]
    return bool(warm.any() and not warm.all())


def provenance(made: Comparison) -> list[str]:
    """What the figures rest on, a sentence each."""
    first = made.done[0]
    snapshot = store.find(first.snapshot)
    results = [c.result() for c in made.done]
    said = [
        f"Data: {snapshot.info.title}, snapshot {snapshot.ref}.",
        *(
            split(snapshot.load(), p).description
            for p in dict.fromkeys(c.protocol for c in made.cells)
        ),  # fmt: skip  # noqa: E501
        f"{len(made.done)} of {len(made.cells)} cells measured; commit "
        f"{', '.join(sorted({r['commit'] for r in results}))}; machine "
        f"{', '.join(sorted({r['machine'] for r in results}))}.",
        "Intervals: bootstrap over customers; p against "
        f"{compare.OURS}: by chance among customers (paired permutation), and among customers and "
        "seeds (Welch's t), each adjusted after Holm for the number of methods.",
    ]
    if snapshot.info.generated:
        said.append("These data are generated: figures on them say nothing about real demand.")
    return said


def protocols(made: Comparison) -> list[str]:
    """How what is shown was measured, a sentence each."""
    snapshot = store.find(made.done[0].snapshot)
    ranked = RANKED_AGAIN if snapshot.info.repeatable else RANKED
    if "candidates" in snapshot.rows:
        ranked = RANKED_OFFERED
    shown = {*(c.protocol for c in made.done), "P"}
    return [words.format(ranked=ranked) for name, words in PROTOCOLS.items() if name in shown]


def _rows(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    names = [c for c in grid.COLUMNS if c in table]
    cells = [
        ["" if v != v else f"{v:.4f}" if n in ("mean", "sd", "low", "high", "p", "p_seeds")
         else f"{v:,.0f}" if isinstance(v, float) and n != "seconds_score"
         else f"{v:.1f}" if isinstance(v, float) else str(v)
         for n, v in zip(names, row, strict=True)]
        for row in table[names].itertuples(index=False)
    ]  # fmt: skip
    return [grid.COLUMNS[n] for n in names], cells


def _markdown(made: Comparison, metrics: Sequence[str]) -> str:
    lines = [f"# Comparison {made.name}", ""]
    lines += [f"- {s}" for s in [*provenance(made), *protocols(made)]]
    for table in _sections(made, metrics):
        lines += ["", f"## {table.title}", "", *([table.note, ""] if table.note else [])]
        lines += [f"| {' | '.join(table.names)} |", "|---" * len(table.names) + "|"]
        lines += [f"| {' | '.join(c.replace('|', '/') for c in row)} |" for row in table.cells]
    return "\n".join(lines) + "\n"


def _html(made: Comparison, metrics: Sequence[str]) -> str:
    body = [f"<h1>Comparison {html.escape(made.name)}</h1>", "<ul>"]
    body += [f"<li>{html.escape(s)}</li>" for s in [*provenance(made), *protocols(made)]]
    body.append("</ul>")
    for table in _sections(made, metrics):
        body.append(f"<h2>{html.escape(table.title)}</h2>")
        if table.note:
            body.append(f"<p>{html.escape(table.note)}</p>")
        if table.chart is not None:
            drawn = table.chart.to_html(full_html=False, include_plotlyjs=False)
            body.append(f'<div role="img" aria-label="{html.escape(table.title)}">{drawn}</div>')
        body.append(_table(table.title, table.names, table.cells))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(made.name)}</title><style>{STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>{''.join(body)}</body></html>"
    )


def _table(title: str, names: list[str], cells: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(n)}</th>' for n in names)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in row) + "</tr>" for row in cells
    )
    return f"<table><caption>{html.escape(title)}</caption><tr>{head}</tr>{rows}</table>"
