"""What was known of customers when: attributes that change from row to row of dated tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from finrec.datasets.large import name as quoted
from finrec.datasets.large import text, write_query
from finrec.intake import sql
from finrec.intake.convert import Given
from finrec.intake.describe import described_by
from finrec.intake.mapping import Mapping
from finrec.schema import CUSTOMER, EVER, TIME

KEPT = (0.5, 0.75)  # shares of a table's rows, in order of time, after which the last row is kept


def stage_profiles(
    db: duckdb.DuckDBPyConnection, every: Sequence[Given], mapping: Mapping, names: set[str],
    out: Path,
) -> bool:  # fmt: skip
    """Write a customer's attributes as they were before, from a time on; only those that change.

    The customers table has what is known last. A model that learned from it would be tested with
    what came after the test's moment: a count of products held, say, would tell the answer. A few
    rows of a customer are kept: the first and the last before two moments in the middle. The first
    row of a table of holdings says what was there before, so it holds from :data:`EVER` on.

    Args:
        db: with the views of the files.
        every: the files that are used.
        mapping: what their columns mean.
        names: columns of the customers table.
        out: the file, not written where nothing changes.

    Returns:
        Whether it was written.
    """
    alike = dict[tuple[str, ...], list[str]]()  # of one kind with the same attributes: one table
    for number, given in enumerate(every):
        if given.table.kind not in ("holdings", "events") or not given.has("date"):
            continue
        columns = {
            c.name: sql.attribute(f"c{given.table.index(c)}", c, given.raw.format.decimal,
                                  mapping.ages)
            for c in described_by(given, "customer")
            if c.name in names
        }  # fmt: skip
        values = "".join(f", {columns[name]} AS {quoted(name)}" for name in sorted(columns))
        alike.setdefault((given.table.kind, *sorted(columns)), []).append(
            f'SELECT customer, "time", ({number}, row) AS row{values} FROM {given.view} '
            "WHERE reason IS NULL"
        )
    parts = []
    for number, ((kind, *attributes), rows) in enumerate(alike.items()):
        view = f"told_{number}"
        db.execute(f"CREATE VIEW {view} AS {' UNION ALL '.join(rows)}")
        changing = [name for name in attributes if _changes(db, view, quoted(name))]
        if changing:
            parts += _kept(db, view, kind, changing)
    if parts:
        write_query(db, f"SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) ORDER BY 1, 2", out)
    return bool(parts)


def _changes(db: duckdb.DuckDBPyConnection, view: str, value: str) -> bool:
    """Whether some customer has two values, or a value and none."""
    found = db.execute(
        f"SELECT 1 FROM (SELECT customer, {value} AS v FROM {view}) "
        "GROUP BY customer HAVING min(v) <> max(v) OR count(v) BETWEEN 1 AND count(*) - 1 "
        "LIMIT 1"
    ).fetchall()
    return bool(found)


def _kept(
    db: duckdb.DuckDBPyConnection, view: str, kind: str, attributes: Sequence[str]
) -> list[str]:
    """Queries of the rows that are kept of a table, which may be several files."""
    listed = "".join(f", {quoted(name)}" for name in attributes)
    since = f"TIMESTAMP {text(EVER)}" if kind == "holdings" else '"time"::TIMESTAMP'

    def query(rows: str, time: str) -> str:
        return (
            f'SELECT customer AS {CUSTOMER}, {time} AS "{TIME}"{listed} FROM {view} '
            f"WHERE row IN (SELECT {rows} GROUP BY customer)"
        )

    found = [query(f'arg_min(row, ("time", row)) FROM {view}', since)]
    for share in KEPT:
        moment = db.execute(
            f'SELECT quantile_disc("time"::TIMESTAMP, {share})::VARCHAR FROM {view}'
        ).fetchall()[0][0]
        before = f'arg_max(row, ("time", row)) FROM {view} WHERE "time" < TIMESTAMP {text(moment)}'
        found.append(query(before, '"time"::TIMESTAMP'))
    return found
