"""Mapped tables of text become the tables of a data set; what can't be used is listed by row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from finrec.datasets.large import text
from finrec.intake import sql
from finrec.intake.mapping import Mapping, Table, wide_prices
from finrec.intake.tables import SHOWN, Raw, Reject
from finrec.intake.values import BUY, SELL
from finrec.schema import ACQUIRED, DROPPED, HELD, RATED, TRADED


@dataclass
class Given:
    """One parsed file with its meaning.

    Args:
        raw: its cells.
        table: what they mean.
        view: name of its rows in the database; ``reason`` there is NULL for a row that is used.
        loaded: rows used.
        notes: what counts as unknown, each a sentence.
    """

    raw: Raw
    table: Table
    view: str
    loaded: int = 0
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def cell(self, role: str) -> str:
        """SQL of the cell of the column with that role."""
        return f"c{self.table.index(self.table.having(role)[0])}"

    def has(self, role: str) -> bool:
        """Whether the table has such a column."""
        return bool(self.table.having(role))

    def column(self, role: str) -> str:
        """Name of the column with that role."""
        return self.table.having(role)[0].name


def stage_rows(db: duckdb.DuckDBPyConnection, given: Given, mapping: Mapping, today: str) -> None:
    """Make the table ``given.view``: customer, product, target, time, amount, kind, cells, reason.

    Args:
        db: where it is made.
        given: a parsed file.
        mapping: what to do with doubtful rows.
        today: ISO date; an event after it is in the future.
    """
    table, decimal = given.table, given.raw.format.decimal
    typed = {"customer": "NULL", "product": "NULL", "target": "NULL", "time": "NULL::TIMESTAMP",
             "amount": "NULL::DOUBLE", "kind": "NULL"}  # fmt: skip
    problems: list[tuple[str, str, str]] = []  # condition, column, reason
    for role in ("customer", "product", "target"):
        if given.has(role):
            cell = given.cell(role)
            typed[role] = sql.known(cell)
            problems.append((f"{typed[role]} IS NULL", given.column(role), f"{role} is empty"))
    if given.has("date"):
        cell = given.cell("date")
        typed["time"] = sql.date(cell, table.having("date")[0].formats)
        problems.append((sql.unknown_number(cell), given.column("date"), "date is empty"))
        problems.append(('"time" IS NULL', given.column("date"), "is no date"))
        if mapping.future == "reject" and table.kind in ("events", "holdings"):
            late = f"\"time\" > TIMESTAMP '{today}' + INTERVAL 1 DAY"
            problems.append((late, given.column("date"), "date is in the future"))
    for column in table.having("price") if wide_prices(table) else []:
        cell = f"c{table.index(column)}"
        wrong = f"(NOT {sql.unknown_number(cell)} AND ({sql.number(cell, decimal)}) IS NULL)"
        problems.append((wrong, column.name, "is no number"))
    for role in ("amount", "price"):
        if given.has(role) and not wide_prices(table):
            cell = given.cell(role)
            value = sql.number(cell, decimal)
            typed["amount"] = f"CASE WHEN {sql.unknown_number(cell)} THEN NULL ELSE {value} END"
            wrong = f"(amount IS NULL AND NOT {sql.unknown_number(cell)})"
            problems.append((wrong, given.column(role), "is no number"))
            if role == "price":
                problems.append(("amount IS NULL", given.column(role), "price is empty"))
            elif mapping.negative == "reject":
                problems.append(("amount < 0", given.column(role), "amount is negative"))
    if given.has("kind"):
        cell = given.cell("kind")
        typed["kind"] = (
            f"CASE WHEN {sql.among(cell, BUY)} THEN {text(ACQUIRED)} "
            f"WHEN {sql.among(cell, SELL)} THEN {text(DROPPED)} "
            f"ELSE coalesce({sql.known(cell)}, {text(ACQUIRED)}) END"
        )
    elif table.kind == "events":
        typed["kind"] = text(ACQUIRED)
    flags = []
    for i, column in enumerate(table.having("holding") if table.kind == "holdings" else []):
        cell = f"c{table.index(column)}"
        flags.append(f"{sql.flag(cell, table.blank_means_no, decimal)}::TINYINT AS f{i}")
        wrong = f"(f{i} IS NULL AND NOT {sql.unknown_number(cell)})"
        problems.append((wrong, column.name, "is neither yes nor no"))
    for i, column in enumerate(table.having("opened") if table.kind == "holdings" else []):
        cell = f"c{table.index(column)}"
        flags.append(f"{sql.date(cell, column.formats)} AS o{i}")
        wrong = f"(o{i} IS NULL AND NOT {sql.unknown_number(cell)})"
        problems.append((wrong, column.name, "is no date"))
        if mapping.future == "reject":
            late = f"o{i} > TIMESTAMP '{today}' + INTERVAL 1 DAY"
            problems.append((late, column.name, "date is in the future"))
    selected = ", ".join([f'{v} AS "{k}"' for k, v in typed.items()] + flags)
    cases = " ".join(f"WHEN {c} THEN {n}" for n, (c, _, _) in enumerate(problems, start=1))
    reason = f"CASE {cases} END" if cases else "NULL"
    db.execute(
        f"CREATE TABLE {given.view} AS SELECT *, ({reason})::INTEGER AS reason FROM ("
        f"SELECT {selected}, * FROM read_parquet({text(str(given.raw.path))}))"
    )
    labels = {n: (column, why) for n, (_, column, why) in enumerate(problems, start=1)}
    _reject_repeated(db, given, mapping, labels)
    _collect_rejects(db, given, labels)
    _note_rounded_ids(db, given)
    _note_kinds(db, given)


def _note_kinds(db: duckdb.DuckDBPyConnection, given: Given) -> None:
    """Say which words for what was done are neither taking nor giving up, so count as taking."""
    if not given.has("kind"):
        return
    told = ", ".join(text(k) for k in (ACQUIRED, DROPPED, HELD, RATED, TRADED))
    found = db.execute(
        f"SELECT kind, count(*) FROM {given.view} WHERE reason IS NULL AND kind NOT IN ({told}) "
        "GROUP BY kind ORDER BY count(*) DESC, kind"
    ).fetchall()
    if found:
        shown = ", ".join(f"{kind} ({count:,} rows)" for kind, count in found[:5])
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        given.notes.append(
            f"{given.raw.source.name}, column {given.column('kind')}: {shown}{more} count as "
            "taking the product; where that is wrong, leave those rows out, or write sell."
        )


def _note_rounded_ids(db: duckdb.DuckDBPyConnection, given: Given) -> None:
    """Say when ids look as if a spreadsheet had shortened them; they are kept as they stand."""
    for role in ("customer", "product", "target"):
        if not given.has(role):
            continue
        found = db.execute(
            f"SELECT count(*), min({role}) FROM {given.view} "
            f"WHERE reason IS NULL AND regexp_full_match({role}, '\\d([.,]\\d+)?[eE]\\+\\d+')"
        ).fetchall()
        count, first = found[0]
        if count:
            given.notes.append(
                f"{given.raw.source.name}, column {given.column(role)}: {count:,} ids like {first} "
                "look shortened by a spreadsheet, so different ones may have become the same; "
                "export the column as text."
            )


def _reject_repeated(
    db: duckdb.DuckDBPyConnection,
    given: Given,
    mapping: Mapping,
    labels: dict[int, tuple[str, str]],
) -> None:
    """Rows that say again, or against, what an earlier row of the file said."""
    kind, key, why, column = given.table.kind, "", "", ""
    if kind == "customers":
        key, why, column = "customer", "the same customer again", given.column("customer")
    elif kind == "products":
        key, why, column = "product", "the same product again", given.column("product")
    elif kind == "holdings":
        key, column = 'customer, "time"', given.column("customer")
        why = (
            "the same customer and month again" if given.has("date") else "the same customer again"
        )
    elif kind == "prices":
        key, why, column = (
            'product, "time"',
            _again(given.table),
            given.column("date"),
        )
    elif kind == "events" and mapping.duplicates == "reject":
        cells = ", ".join(f"c{i}" for i in range(len(given.raw.columns)))
        key, why = cells, "the same row again"
    if not key:
        return
    number = len(labels) + 1
    labels[number] = (column, why)
    repeated = db.execute(
        f"SELECT count(*) - count(DISTINCT ({key})) FROM {given.view} WHERE reason IS NULL"
    ).fetchall()
    if repeated[0][0]:
        db.execute(
            f"UPDATE {given.view} SET reason = {number} WHERE reason IS NULL AND row NOT IN ("
            f"SELECT min(row) FROM {given.view} WHERE reason IS NULL GROUP BY {key})"
        )


def _collect_rejects(
    db: duckdb.DuckDBPyConnection, given: Given, labels: dict[int, tuple[str, str]]
) -> None:
    cells = ", ".join(f"c{i}" for i in range(min(len(given.raw.columns), 100)))
    rows = db.execute(
        f"SELECT row, line, reason, left(concat_ws({text(given.raw.format.separator)}, {cells}), "
        f"{SHOWN}) FROM {given.view} WHERE reason IS NOT NULL ORDER BY row"
    ).fetchall()
    for row, line, number, content in rows:
        column, why = labels[number]
        given.rejects.append(Reject(given.raw.source.name, row, line, column, why, content))
    found = db.execute(f"SELECT count(*) FROM {given.view} WHERE reason IS NULL").fetchall()
    given.loaded = int(found[0][0])


def reject_unknown_products(db: duckdb.DuckDBPyConnection, every: Sequence[Given]) -> None:
    """Turn events away whose product no products file lists, if there is one."""
    listed = [g.view for g in every if g.table.kind == "products"]
    if not listed:
        return
    union = " UNION ALL ".join(f"SELECT product FROM {v} WHERE reason IS NULL" for v in listed)
    for given in every:
        if given.table.kind != "events":
            continue
        number = 10_000
        db.execute(
            f"UPDATE {given.view} SET reason = {number} WHERE reason IS NULL AND product NOT IN ("
            f"{union})"
        )
        seen = {r.row for r in given.rejects}
        label = {number: (given.column("product"), "product is not in the file of products")}
        before, given.rejects = given.rejects, []
        db.execute(f"CREATE TEMP TABLE fresh AS SELECT * FROM {given.view} WHERE reason = {number}")
        whole, given.view = given.view, "fresh"
        _collect_rejects(db, given, label)
        given.view = whole
        db.execute("DROP TABLE fresh")
        given.rejects = before + [r for r in given.rejects if r.row not in seen]
        found = db.execute(f"SELECT count(*) FROM {given.view} WHERE reason IS NULL").fetchall()
        given.loaded = int(found[0][0])


def _again(table: Table) -> str:
    return "the same date again" if wide_prices(table) else "the same product and date again"


def pretty(column: str) -> str:
    """A product's name from its column: of ``has_credit_card`` and ``saldo_credit_card`` alike."""
    plain = re.sub(r"^(ind|has|holds|prod|product)_|_(fin_)?ult1$|_flag$", "", column)
    plain = plain.replace("_", " ")
    plain = re.sub(r" (opened|opening|open|start|since)?( ?(on|date|at))?$", "", plain,
                   flags=re.IGNORECASE) or plain  # fmt: skip
    plain = re.sub(r"^(saldo|solde|balance|bal) | (balance|saldo)$", "", plain, flags=re.IGNORECASE)
    plain = plain.strip() or column
    return plain[0].upper() + plain[1:]
