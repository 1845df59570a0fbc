"""Monthly holdings become events: what was held at first, what was acquired and dropped since.

A panel has one row a customer and month with a flag for each product. A product held when the
customer is first seen gives an event ``held`` (since when is not known); a flag that turns from 0
to 1 between one row of the customer and the next gives ``acquired`` at the later month, 1 to 0
``dropped``. An unknown flag changes nothing: the next known one is compared with the last known
one. Where a customer is missing for some months, the change is dated when it was seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from finrec.datasets.large import text
from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    DROPPED,
    HELD,
    KIND,
    ORDER,
    PRODUCT,
    TIME,
)

MOST = 63  # flags in one mask


def masks(values: Sequence[str]) -> tuple[str, str]:
    """SQL of two bit masks from SQL of flags (1, 0 or NULL): which are 1, and which are known."""
    if len(values) > MOST:
        raise ValueError(f"{len(values)} flags do not fit in one mask of {MOST}")
    held = " + ".join(f"coalesce({v}, 0)::BIGINT * {1 << i}" for i, v in enumerate(values))
    known = " + ".join(f"({v} IS NOT NULL)::BIGINT * {1 << i}" for i, v in enumerate(values))
    every = " + ".join(values)  # NULL when one of them is
    full = (1 << len(values)) - 1
    return f"({held})", f"(CASE WHEN ({every}) IS NULL THEN {known} ELSE {full} END)"


def stage_changes(
    db: duckdb.DuckDBPyConnection, panel: str, products: Sequence[str], table: str
) -> None:
    """Make ``table`` (customer, month, product, kind, amount …) of a panel's changes.

    Args:
        db: where the panel is.
        panel: table or view with customer (text), month (date), held and known (masks of
            :func:`masks`, BIGINT); one row a customer and month.
        products: product id of each bit, in order.
        table: name of the new table: the schema's event columns in the order of customer, time,
            product.
    """
    full = (1 << len(products)) - 1
    listed = ", ".join(f"({i}, {text(p)})" for i, p in enumerate(products))
    bit = "(1::BIGINT << b.bit)"
    db.execute(f"CREATE TEMP TABLE bits AS SELECT * FROM (VALUES {listed}) AS v(bit, product)")
    db.execute(
        # Customers with an unknown flag somewhere go the long way, flag by flag.
        f"CREATE TEMP TABLE partial AS SELECT DISTINCT customer FROM {panel} WHERE known <> {full}"
    )
    db.execute(
        "CREATE TEMP TABLE seen AS SELECT customer, month, held, before FROM ("
        "SELECT customer, month, held, lag(held) OVER (PARTITION BY customer ORDER BY month) "
        f"AS before FROM {panel} WHERE customer NOT IN (SELECT customer FROM partial)) "
        "WHERE (before IS NULL AND held <> 0) OR held <> before"
    )
    db.execute(
        f"CREATE TABLE {table} AS WITH known AS ("
        f"SELECT customer, month, b.bit, b.product, (held & {bit}) <> 0 AS now "
        f"FROM {panel} AS p, bits AS b "
        f"WHERE customer IN (SELECT customer FROM partial) AND (p.known & {bit}) <> 0), "
        "compared AS (SELECT *, lag(now) OVER (PARTITION BY customer, bit ORDER BY month) AS before"
        " FROM known), changes AS ("
        "SELECT customer, month, bit, product, now, before FROM compared "
        "WHERE (before IS NULL AND now) OR now <> before "
        f"UNION ALL SELECT customer, month, b.bit, b.product, (held & {bit}) <> 0, "
        f"CASE WHEN before IS NULL THEN NULL ELSE (before & {bit}) <> 0 END "
        f"FROM seen, bits AS b WHERE (xor(held, coalesce(before, 0)) & {bit}) <> 0) "
        f'SELECT customer AS {CUSTOMER}, product AS {PRODUCT}, month::TIMESTAMP AS "{TIME}", '
        f"CASE WHEN before IS NULL THEN {text(HELD)} WHEN now THEN {text(ACQUIRED)} "
        f"ELSE {text(DROPPED)} END AS {KIND}, CAST('nan' AS DOUBLE) AS {AMOUNT}, "
        f'(row_number() OVER (ORDER BY customer, month, bit) - 1)::BIGINT AS "{ORDER}" '
        "FROM changes"
    )
    for used in ("bits", "partial", "seen"):
        db.execute(f"DROP TABLE {used}")
