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
    parts = []
    for given in every:
        if given.table.kind not in ("holdings", "events") or not given.has("date"):
            continue
        columns = {
            c.name: sql.attribute(f"c{given.table.index(c)}", c, given.raw.format.decimal,
                                  mapping.ages)
            for c in described_by(given, "customer")
            if c.name in names
        }  # fmt: skip
        columns = {n: value for n, value in columns.items() if _changes(db, given, value)}
        if columns:
            parts += _kept(db, given, columns)
    if parts:
        write_query(db, f"SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) ORDER BY 1, 2", out)
    return bool(parts)


def _changes(db: duckdb.DuckDBPyConnection, given: Given, value: str) -> bool:
    """Whether some customer has two values, or a value and none."""
    found = db.execute(
        f"SELECT 1 FROM (SELECT customer, {value} AS v FROM {given.view} WHERE reason IS NULL) "
        "GROUP BY customer HAVING min(v) <> max(v) OR count(v) BETWEEN 1 AND count(*) - 1 "
        "LIMIT 1"
    ).fetchall()
    return bool(found)


def _kept(db: duckdb.DuckDBPyConnection, given: Given, columns: dict[str, str]) -> list[str]:
    """Queries of the rows that are kept of a table."""
    used = f"FROM {given.view} WHERE reason IS NULL"
    listed = "".join(f", {value} AS {quoted(name)}" for name, value in columns.items())
    since = f"TIMESTAMP {text(EVER)}" if given.table.kind == "holdings" else '"time"::TIMESTAMP'

    def query(rows: str, time: str) -> str:
        return (
            f'SELECT customer AS {CUSTOMER}, {time} AS "{TIME}"{listed} FROM {given.view} '
            f"WHERE row IN (SELECT {rows} GROUP BY customer)"
        )

    found = [query(f'arg_min(row, ("time", row)) {used}', since)]
    for share in KEPT:
        moment = db.execute(
            f'SELECT quantile_disc("time"::TIMESTAMP, {share})::VARCHAR {used}'
        ).fetchall()[0][0]
        before = f'arg_max(row, ("time", row)) {used} AND "time" < TIMESTAMP {text(moment)}'
        found.append(query(before, '"time"::TIMESTAMP'))
    return found
