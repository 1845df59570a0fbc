"""Events, links and prices of uploaded files, written from the rows that are used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from finrec.datasets.holdings import MOST, masks, stage_changes
from finrec.datasets.large import name as quoted
from finrec.datasets.large import text, write_query
from finrec.intake import sql
from finrec.intake.convert import Given
from finrec.intake.mapping import wide_prices
from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    KIND,
    ORDER,
    PRODUCT,
    SOURCE,
    TARGET,
    TIME,
    WEIGHT,
)

UNDATED = "TIMESTAMP '2000-01-01'"  # stands for "no date given"
BY_CHANCE = f"md5(customer || {text('|')} || product)"  # an order that says nothing
FEWEST, SORTED = 20, 0.95  # pairs of events of one moment, and share in which the product rises


def stage_events(db: duckdb.DuckDBPyConnection, every: Sequence[Given], out: Path) -> bool:
    """Write the events of all tables in the order of customer and time.

    Events of one moment stand as in the file, unless that is by product or by column: a model
    would foretell the order of the alphabet, and be tested on it.

    Returns:
        Whether some of one moment were put into a random order.
    """
    parts, mixed = [], False
    wide = [given for given in every if given.table.kind == "holdings"]
    if wide:
        held = _held(db, wide) + _opened(wide)
        parts = [f"SELECT *, {BY_CHANCE} AS key FROM ({query})" for query in held]
        mixed = True
    for number, given in enumerate(every):
        if given.table.kind == "events":
            time = '"time"' if given.has("date") else UNDATED
            rows = f"FROM {given.view} WHERE reason IS NULL"
            sorted_ = _by_product(db, f"SELECT customer, product, {time} AS t, row {rows}")
            mixed |= sorted_
            parts.append(
                f"SELECT customer, product, {time} AS t, kind, amount, {number} AS part, row, "
                f"{BY_CHANCE if sorted_ else text('')} AS key {rows}"
            )
    if not parts:
        parts = ["SELECT '' AS customer, '' AS product, TIMESTAMP '2000-01-01' AS t, '' AS kind, "
                 "0.0::DOUBLE AS amount, 0 AS part, 0::BIGINT AS row, '' AS key "
                 "WHERE false"]  # fmt: skip
    union = " UNION ALL ".join(parts)
    write_query(
        db,
        f'SELECT customer AS {CUSTOMER}, product AS {PRODUCT}, t AS "{TIME}", kind AS {KIND}, '
        f"coalesce(amount, 'nan'::DOUBLE) AS {AMOUNT}, "
        f'(row_number() OVER (ORDER BY customer, t, key, part, row) - 1)::BIGINT AS "{ORDER}" '
        f"FROM ({union}) ORDER BY {quoted(ORDER)}",
        out,
    )
    return mixed


def _by_product(db: duckdb.DuckDBPyConnection, rows: str) -> bool:
    """Whether events of one customer and moment stand by product, up or down."""
    number = "TRY_CAST(product AS DOUBLE) - TRY_CAST(before AS DOUBLE)"
    pairs, *shares = db.execute(
        "SELECT count(*), avg((product > before)::INT), avg((product < before)::INT), "
        f"avg(({number} > 0)::INT), avg(({number} < 0)::INT) FROM ("
        "SELECT product, lag(product) OVER (PARTITION BY customer, t ORDER BY row) AS before "
        f"FROM ({rows})) WHERE before <> product"
    ).fetchall()[0]
    return pairs >= FEWEST and max(share or 0.0 for share in shares) >= SORTED


def _held(db: duckdb.DuckDBPyConnection, wide: Sequence[Given]) -> list[str]:
    """Queries of the events of all holdings tables.

    They are one panel: a month may be a file of its own, and what changed is seen only between
    them. A product without a column in a file is unknown there.
    """
    names = list(dict.fromkeys(c.name for given in wide for c in given.table.having("holding")))
    queries = []
    for start in range(0, len(names), MOST - 1):
        chunk = names[start : start + MOST - 1]
        rows = []
        for given in wide:
            own = {c.name: f"f{i}" for i, c in enumerate(given.table.having("holding"))}
            time = '"time"::DATE' if given.has("date") else f"({UNDATED})::DATE"
            asked = ", ".join(
                f"{own.get(name, 'NULL::TINYINT')} AS h{i}" for i, name in enumerate(chunk)
            )
            rows.append(
                f"SELECT customer, {time} AS month, {asked} FROM {given.view} WHERE reason IS NULL"
            )
        flags = [f"h{i}" for i in range(len(chunk))]
        source = rows[0]
        if len(rows) > 1:  # a month of a customer may stand in several files
            most = ", ".join(f"max({flag}) AS {flag}" for flag in flags)
            source = (
                f"SELECT customer, month, {most} FROM ({' UNION ALL '.join(rows)}) GROUP BY ALL"
            )
        held, known = masks(flags)
        panel, made = f"panel_{start}", f"changes_{start}"
        kind = "VIEW" if len(rows) == 1 else "TABLE"
        db.execute(
            f"CREATE {kind} {panel} AS SELECT customer, month, {held} AS held, {known} AS known "
            f"FROM ({source})"
        )
        stage_changes(db, panel, chunk, made)
        queries.append(
            f'SELECT {CUSTOMER} AS customer, {PRODUCT} AS product, "{TIME}" AS t, {KIND} AS kind, '
            f'{AMOUNT} AS amount, 0 AS part, "{ORDER}" AS row FROM {made}'
        )
    return queries


def _opened(wide: Sequence[Given]) -> list[str]:
    """Queries of the products whose day of taking tables tell, each once a customer and day."""
    told = dict[str, list[str]]()
    for given in wide:
        for i, column in enumerate(given.table.having("opened")):
            told.setdefault(column.name, []).append(
                f"SELECT customer, o{i} AS t, row FROM {given.view} "
                f"WHERE reason IS NULL AND o{i} IS NOT NULL"
            )
    return [
        f"SELECT customer, {text(name)} AS product, t, {text(ACQUIRED)} AS kind, "
        f"NULL::DOUBLE AS amount, 0 AS part, min(row) AS row FROM ({' UNION ALL '.join(rows)}) "
        "GROUP BY customer, t"
        for name, rows in told.items()
    ]


def stage_links(db: duckdb.DuckDBPyConnection, every: Sequence[Given], out: Path) -> None:
    """Write links between customers, if a table has some."""
    parts = [
        f"SELECT customer AS {SOURCE}, target AS {TARGET}, 'link' AS {KIND}, "
        f"1.0::FLOAT AS {WEIGHT} FROM {g.view} WHERE reason IS NULL"
        for g in every
        if g.table.kind == "links"
    ] or [
        f"SELECT '' AS {SOURCE}, '' AS {TARGET}, '' AS {KIND}, 0.0::FLOAT AS {WEIGHT} WHERE false"
    ]
    write_query(db, " UNION ALL ".join(parts) + " ORDER BY ALL", out)


def stage_prices(db: duckdb.DuckDBPyConnection, every: Sequence[Given], out: Path) -> None:
    """Write price series, if a table has some."""
    parts = []
    for given in every:
        if given.table.kind != "prices":
            continue
        series = [("product", "amount")]
        if wide_prices(given.table):
            decimal = given.raw.format.decimal
            series = [
                (text(c.name), sql.number(f"c{given.table.index(c)}", decimal))
                for c in given.table.having("price")
            ]
        parts += [
            f'SELECT {product} AS {PRODUCT}, "time" AS "{TIME}", {price} AS price '
            f"FROM {given.view} WHERE reason IS NULL AND ({price}) IS NOT NULL"
            for product, price in series
        ]
    if parts:
        write_query(db, " UNION ALL ".join(parts) + " ORDER BY 1, 2", out)
