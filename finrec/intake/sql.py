"""Cells of text as typed values, in DuckDB's SQL; the same rules as finrec.intake.values."""

from __future__ import annotations

from collections.abc import Iterable

from finrec.datasets.large import text
from finrec.intake.mapping import Column
from finrec.intake.values import MONEY, NO, OTHERS, PLAIN, SHEET_DAYS, UNKNOWN, UNKNOWN_NUMBER, YES

FIRST_YEAR, LAST_YEAR = 1900, 2199
BEFORE_1970 = 25_569  # days that a spreadsheet counts up to 1970-01-01


def among(cell: str, words: Iterable[str]) -> str:
    """Whether a cell is one of these (lower case) words."""
    return f"lower({cell}) IN ({', '.join(text(w) for w in sorted(words))})"


def known(cell: str) -> str:
    """The cell as text, NULL where it says that nothing is known."""
    return f"CASE WHEN {among(cell, UNKNOWN)} THEN NULL ELSE {cell} END"


def unknown_number(cell: str) -> str:
    """Whether a cell of a number or a date says that nothing is known."""
    return f"({cell} IS NULL OR {among(cell, UNKNOWN_NUMBER)})"


def in_plain_digits(cell: str) -> str:
    """The cell with digits of other scripts (full width, Arabic, …) as 0 to 9."""
    return f"translate({cell}, {text(OTHERS)}, {text(PLAIN)})"


def number(cell: str, decimal: str) -> str:
    """The number in a cell as DOUBLE, NULL where there is none."""
    plain = f"regexp_replace({in_plain_digits(cell)}, {text(MONEY.pattern)}, '', 'g')"
    bare = f"trim({plain}, '()')"
    if decimal == ",":
        comma = r"[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
        digits = (
            f"CASE WHEN regexp_full_match({bare}, '{comma}') "
            f"THEN replace(replace({bare}, '.', ''), ',', '.') ELSE {bare} END"
        )
    else:
        thousands = r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?"
        digits = (
            f"CASE WHEN regexp_full_match({bare}, '{thousands}') THEN replace({bare}, ',', '') "
            f"ELSE {bare} END"
        )
    shape = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
    cast = f"try_cast({digits} AS DOUBLE)"
    value = f"CASE WHEN regexp_full_match({digits}, '{shape}') AND isfinite({cast}) THEN {cast} END"
    # Only cells that aren't plain numbers pay for the long way.
    signed = f"(CASE WHEN {plain} LIKE '(%)' THEN -1 ELSE 1 END) * ({value})"
    plain_shape = r"-?\d{1,15}" if decimal == "," else r"-?\d{1,15}(\.\d{1,15})?"
    return (
        f"(CASE WHEN regexp_full_match({cell}, '{plain_shape}') THEN try_cast({cell} AS DOUBLE) "
        f"ELSE {signed} END)"
    )


def date(cell: str, formats: tuple[str, ...]) -> str:
    """The moment in a cell as TIMESTAMP, NULL where there is none or it is out of all reason."""
    tries = []
    cell = in_plain_digits(cell)
    for form in (*formats, *(() if "iso" in formats else ("iso",))):
        if form == "iso":
            if not set(formats) & {"%Y%m%d", "%Y%m", "seconds", "milliseconds", "spreadsheet"}:
                # A cast to TIMESTAMP would drop the zone, one WITH TIME ZONE assume the machine's.
                zoned = f"try_cast({cell} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
                plain = f"try_cast({cell} AS TIMESTAMP)"
                offset = r".*\d{2}:\d{2}.*([Zz]|[+-]\d{2}(:?\d{2})?)"
                tries.append(
                    f"(CASE WHEN regexp_full_match({cell}, '{offset}') THEN {zoned} "
                    f"ELSE {plain} END)"
                )
        elif form == "spreadsheet":
            days = f"try_cast({cell} AS DOUBLE)"
            inside = f"{days} BETWEEN {SHEET_DAYS[0]} AND {SHEET_DAYS[1]}"
            micros = f"round(({days} - {BEFORE_1970}) * 86400) * 1000000"
            tries.append(f"(CASE WHEN {inside} THEN make_timestamp(({micros})::BIGINT) END)")
        elif form in ("seconds", "milliseconds"):
            scale = 1_000_000 if form == "seconds" else 1_000
            tries.append(f"make_timestamp(try_cast({cell} AS BIGINT) * {scale})")
        else:
            tries.append(f"try_strptime({cell}, {text(form)})")
    found = f"coalesce({', '.join(tries)})" if len(tries) > 1 else tries[0]
    return f"(CASE WHEN year({found}) BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN {found} END)"


def flag(cell: str, blank_means_no: bool, decimal: str = ".") -> str:
    """Whether a holding cell says yes (1), no (0) or nothing (NULL); a number but 0 says yes."""
    blank = "0" if blank_means_no else "NULL"
    amount = f"({number(cell, decimal)})"
    return (
        f"(CASE WHEN {cell} = '1' THEN 1 WHEN {cell} = '0' THEN 0 "
        f"WHEN {among(cell, YES)} THEN 1 WHEN {among(cell, NO)} THEN 0 "
        f"WHEN {unknown_number(cell)} THEN {blank} "
        f"WHEN {amount} <> 0 THEN 1 WHEN {amount} = 0 THEN 0 END)"
    )


def attribute(cell: str, column: Column, decimal: str, oldest: float) -> str:
    """An attribute as its type says, coarsened where asked."""
    if column.type == "number":
        value = f"(CASE WHEN {unknown_number(cell)} THEN NULL ELSE {number(cell, decimal)} END)"
        if is_age(column.name):
            value = f"(CASE WHEN {value} BETWEEN 0 AND {oldest} THEN {value} END)"
        return f"floor({value} / {column.coarsen}) * {column.coarsen}" if column.coarsen else value
    if column.type == "date":
        value = date(cell, column.formats)
        return f"date_trunc({text(column.coarsen)}, {value})" if column.coarsen else value
    value = known(cell)
    if column.coarsen.startswith("first "):
        return f"left({value}, {int(column.coarsen.split()[1])})"
    return value


def unreadable(cell: str, column: Column, decimal: str, oldest: float) -> str:
    """Whether a cell says something that its type can't hold, so that it counts as unknown."""
    value = attribute(cell, column, decimal, oldest)
    return f"(NOT {unknown_number(cell)} AND ({value}) IS NULL)"


def is_age(name: str) -> bool:
    """Whether a column is an age in years."""
    return name.lower().replace("_", " ").split()[-1:] in (["age"], ["edad"], ["alter"], ["years"])
