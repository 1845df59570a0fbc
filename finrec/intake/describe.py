"""Customers and products of uploaded files: their attributes brought together by id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from finrec.datasets.large import name as quoted
from finrec.datasets.large import text, write_query
from finrec.intake import sql
from finrec.intake.convert import Given, pretty
from finrec.intake.mapping import Column, Mapping, wide_prices
from finrec.schema import CUSTOMER, DESCRIPTION, NAME, PRODUCT

ABOUT_CUSTOMER = ("attribute", "text")
CUSTOMERS = {CUSTOMER}  # columns that the tables have anyway
PRODUCTS = {PRODUCT, NAME, DESCRIPTION}


def stage_customers(
    db: duckdb.DuckDBPyConnection, every: Sequence[Given], mapping: Mapping, out: Path
) -> None:
    """Write one row a customer of any table, each attribute as last known."""
    people = [
        f"SELECT DISTINCT {role} AS id FROM {g.view} WHERE reason IS NULL"
        for g in every
        for role in ("customer", "target")
        if g.has(role) and g.table.kind not in ("ignore", "products", "prices")
    ] or ["SELECT '' AS id WHERE false"]
    db.execute(f"CREATE TEMP TABLE people AS {' UNION '.join(people)}")
    parts = [g for g in every if g.table.kind in ("customers", "holdings", "events")]
    joined, columns = _attributes(db, parts, "customer", ABOUT_CUSTOMER, mapping, "people")
    listed = "".join(f", {value} AS {quoted(_free(n, CUSTOMERS))}" for n, value in columns.items())
    write_query(db, f"SELECT p.id AS {CUSTOMER}{listed} FROM people AS p{joined} ORDER BY 1", out)


def stage_products(
    db: duckdb.DuckDBPyConnection, every: Sequence[Given], mapping: Mapping, out: Path
) -> None:
    """Write one row a product of any table, named and described as far as the files do."""
    wide = [g.table for g in every if g.table.kind == "holdings"]
    held = {c.name for t in wide for role in ("holding", "opened") for c in t.having(role)}
    held |= {c.name for g in every if wide_prices(g.table) for c in g.table.having("price")}
    ids = [
        f"SELECT DISTINCT product AS id FROM {g.view} WHERE reason IS NULL"
        for g in every
        if g.table.kind in ("events", "products", "prices") and g.has("product")
    ] + [f"SELECT {text(name)} AS id" for name in sorted(held)]
    db.execute(f"CREATE TEMP TABLE listed AS {' UNION '.join(ids)}")
    shown = ", ".join(f"({text(n)}, {text(pretty(n))})" for n in sorted(held)) or "('', '')"
    db.execute(f"CREATE TEMP TABLE shown AS SELECT * FROM (VALUES {shown}) AS v(id, name)")
    parts = [g for g in every if g.table.kind in ("products", "events")]
    joined, columns = _attributes(
        db, parts, "product", ("name", "text", "product attribute"), mapping, "listed"
    )
    names = [g.column("name") for g in parts if g.has("name")]
    texts = [c.name for g in parts if g.table.kind == "products" for c in g.table.having("text")]
    called, told = _taken(columns, names), _taken(columns, texts)
    name = f"coalesce({', '.join([*called, 's.name', 'p.id'])})"
    description = f"concat_ws('. ', {', '.join(told)})" if told else "''"
    rest = "".join(f", {value} AS {quoted(_free(n, PRODUCTS))}" for n, value in columns.items())
    write_query(
        db,
        f"SELECT p.id AS {PRODUCT}, {name} AS {NAME}, {description} AS {DESCRIPTION}{rest} "
        f"FROM listed AS p LEFT JOIN shown AS s ON s.id = p.id{joined} ORDER BY 1",
        out,
    )


def _taken(columns: dict[str, str], names: Sequence[str]) -> list[str]:
    """Take the columns of these names, however they are spelt, out of ``columns``."""
    wanted = {n.lower() for n in names}
    return [columns.pop(n) for n in [c for c in columns if c.lower() in wanted]]


def _free(name: str, reserved: set[str]) -> str:
    """The name, unless the table's own columns have it; SQL does not tell case apart."""
    return f"{name} (attribute)" if name.lower() in reserved else name


def _attributes(
    db: duckdb.DuckDBPyConnection,
    parts: Sequence[Given],
    key: str,
    roles: tuple[str, ...],
    mapping: Mapping,
    known: str,
) -> tuple[str, dict[str, str]]:
    """Joins and, by name, the SQL of each attribute; a name in several tables is taken once."""
    joins = ""
    values: dict[str, list[tuple[str, str]]] = {}
    spelt: dict[str, str] = {}
    for number, given in enumerate(parts):
        columns = described_by(given, key, roles)
        if not columns:
            continue
        _note_unreadable(db, given, columns, mapping)
        alias = f"{known}_{number}"
        order = '"time", row' if given.has("date") else "row"
        cells = ", ".join(f"c{given.table.index(c)}" for c in columns)
        moment = '"time"::TIMESTAMP' if given.has("date") else "'infinity'::TIMESTAMP"
        db.execute(
            f"CREATE TEMP TABLE {alias} AS SELECT {key} AS id, {moment} AS moment, {cells} "
            f"FROM {given.view} WHERE row IN (SELECT arg_max(row, ({order})) FROM {given.view} "
            f"WHERE reason IS NULL GROUP BY {key})"
        )
        joins += f" LEFT JOIN {alias} ON {alias}.id = p.id"
        decimal = given.raw.format.decimal
        for column in columns:
            cell = f"{alias}.c{given.table.index(column)}"
            value = sql.attribute(cell, column, decimal, mapping.ages)
            name = spelt.setdefault(column.name.lower(), column.name)
            values.setdefault(name, []).append((f"{alias}.moment", value))
    return joins, {name: _latest(found) for name, found in values.items()}


def _latest(found: Sequence[tuple[str, str]]) -> str:
    """SQL of the value known last in several tables, of moment and value each.

    A table without dates says what is so now; of tables of one moment the first one counts.
    """
    if len(found) == 1:
        return found[0][1]
    told = ", ".join(
        f"{{'m': {moment}, 'n': {-n}, 'v': {value}}}" for n, (moment, value) in enumerate(found)
    )
    return f"list_reverse_sort(list_filter([{told}], lambda x: x.v IS NOT NULL))[1].v"


def described_by(given: Given, key: str, roles: tuple[str, ...] = ABOUT_CUSTOMER) -> list[Column]:
    """Columns of a table that describe its customers or its products."""
    return [
        c
        for role in roles
        for c in given.table.having(role)
        if role != "text" or (key == "product") == (given.table.kind == "products")
    ]


def _note_unreadable(
    db: duckdb.DuckDBPyConnection, given: Given, columns: Sequence[Column], mapping: Mapping
) -> None:
    """Say how many cells of a column count as unknown because they can't be what it holds."""
    decimal = given.raw.format.decimal
    typed = [c for c in columns if c.type != "text"]
    if not typed:
        return
    counted = ", ".join(
        "count(*) FILTER (WHERE "
        f"{sql.unreadable(f'c{given.table.index(c)}', c, decimal, mapping.ages)})"
        for c in typed
    )
    found = db.execute(f"SELECT {counted} FROM {given.view} WHERE reason IS NULL").fetchall()
    for column, count in zip(typed, found[0], strict=True):
        if count:
            what = "no believable age" if sql.is_age(column.name) else f"no {column.type}"
            cells = "cell is" if count == 1 else "cells are"
            given.notes.append(
                f"{given.raw.source.name}, column {column.name}: {count:,} {cells} {what} and "
                "counted as unknown."
            )
