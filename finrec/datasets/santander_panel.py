"""The full Santander file (``train_ver2.csv``, 13.6 million rows) streamed into a data set.

What is known of the file: cells are padded with blanks, ``NA`` and empty cells mean unknown,
some copies have dates as M/D/YYYY, some cells hold 1.0 for 1, seniority -999999 means unknown, a
few rows lack a product flag and a few lack nearly everything. ``test_ver2.csv`` has the same first
24 columns for one later month, without holdings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from finrec.datasets import large
from finrec.datasets.holdings import masks, stage_changes
from finrec.datasets.santander_products import (
    ATTRIBUTES,
    CUSTOMER_COLUMN,
    FIXED,
    MONTH_COLUMN,
    PRODUCTS,
)
from finrec.schema import ACQUIRED, CUSTOMER, EVER, KIND, ORDER, PROFILES, TIME, DataError

FEATURES = (MONTH_COLUMN, CUSTOMER_COLUMN, *ATTRIBUTES)
COLUMNS = (*FEATURES, *PRODUCTS)
OLDEST = 120


def columns_of(file: Path) -> list[str]:
    """The columns of a train or test file.

    Raises:
        DataError: when it is neither.
    """
    if file.suffix.lower() == ".parquet":
        named = [str(n) for n in pq.ParquetFile(file).schema_arrow.names]
    else:
        named = large.header(file)
    for column in FEATURES if not set(named) & set(PRODUCTS) else COLUMNS:
        if column not in named:
            raise DataError(
                f"{file.name} has no column {column}; it has {', '.join(named[:12])}. It must be "
                "train_ver2.csv (48 columns) or test_ver2.csv (24 columns) as Kaggle gave them."
            )
    if len(set(named)) < len(named):
        twice = next(c for c in named if named.count(c) > 1)
        raise DataError(f"{file.name}: column {twice} stands twice; keep one.")
    return named


def date_sql(column: str) -> str:
    """A date in ISO form or as M/D/YYYY; NULL for anything else."""
    cell = f"trim({large.name(column)})"
    return f"coalesce(try_cast({cell} AS DATE), try_strptime({cell}, '%m/%d/%Y')::DATE)"


def _flag(column: str) -> str:
    cell = large.name(column)
    # Nearly every cell is exactly 0 or 1; the rest is padded, 1.0 or unknown.
    return (
        f"(CASE {cell} WHEN '0' THEN 0 WHEN '1' THEN 1 ELSE "
        f"CASE try_cast(trim({cell}) AS DOUBLE) WHEN 0 THEN 0 WHEN 1 THEN 1 END END)"
    )


def stage(files: Sequence[Path], folder: Path) -> dict[str, Any]:
    """Write customers, events and links of the files into ``folder``; returns the receipt.

    Raises:
        DataError: when a file is not of this layout or no row of it can be used.
    """
    work = folder / ".work"
    work.mkdir()
    receipt: dict[str, Any] = {"rows_in": 0, "loaded": 0, "rejected": 0, "reasons": {}}
    with large.database(work) as db:
        try:
            parts = [_stage_rows(db, file, i, work, receipt) for i, file in enumerate(files)]
            _panel(db, parts, receipt)
            if not receipt["loaded"]:
                raise DataError(f"{files[0].name} has no row that can be used.")
            stage_changes(db, "panel", PRODUCTS, "events")
            large.write_query(
                db, f'SELECT * FROM events ORDER BY "{ORDER}"', folder / "events.parquet"
            )
            _customers(db, parts, folder / "customers.parquet")
            _profiles(db, parts, folder / f"{PROFILES}.parquet")
        except duckdb.OutOfMemoryException as error:
            raise DataError(f"Not enough memory or disk for {files[0].name}: {error}") from error
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{files[0].name} can't be read ({reason}); export it again as plain CSV."
            ) from error
    receipt["rejected"] = sum(receipt["reasons"].values())
    for left in work.iterdir():
        left.unlink()
    work.rmdir()
    return receipt


def _reject(receipt: dict[str, Any], reason: str, count: int) -> None:
    if count:
        receipt["reasons"][reason] = receipt["reasons"].get(reason, 0) + count


def _stage_rows(
    db: duckdb.DuckDBPyConnection, file: Path, number: int, work: Path, receipt: dict[str, Any]
) -> Path:
    """Read one file once: id, month, masks of holdings, and attributes as they stand."""
    source = large.unpacked(file, work)
    columns = columns_of(source)
    out = work / f"rows{number}.parquet"
    if set(PRODUCTS) <= set(columns):
        held, known = masks([f'"f{i}"' for i in range(len(PRODUCTS))])
    else:
        held, known = "0::BIGINT", "0::BIGINT"
    flags = [
        f'{_flag(p)} AS "f{i}"' for i, p in enumerate(PRODUCTS) if set(PRODUCTS) <= set(columns)
    ]
    attributes = ", ".join(large.name(c) for c in ATTRIBUTES)

    def copy(relation: str) -> int:
        inner = ", ".join([large.name(MONTH_COLUMN), large.name(CUSTOMER_COLUMN), *flags])
        found = db.execute(
            f"COPY (SELECT nullif(trim({large.name(CUSTOMER_COLUMN)}), '') AS customer, "
            f"{date_sql(MONTH_COLUMN)} AS month, {held} AS held, {known} AS known, {attributes} "
            f"FROM (SELECT {inner}, {attributes} FROM {relation})) "
            f"TO {large.text(str(out))} (FORMAT parquet, COMPRESSION snappy)"
        ).fetchall()
        return int(found[0][0])

    if source.suffix.lower() == ".parquet":
        receipt["rows_in"] += copy(f"read_parquet({large.text(str(source))})")
        return out
    lines = large.lines_below_header(source)
    kept = copy(large.csv_sql(source, columns))
    reasons = large.rejects(db)
    if reasons.get("invalid encoding"):
        kept = copy(large.csv_sql(source, columns, latin=True))
        reasons = large.rejects(db)
    receipt["rows_in"] += lines
    for reason, count in reasons.items():
        _reject(receipt, reason, count)
    lost = lines - kept - sum(reasons.values())
    _reject(receipt, "blank, or inside a quotation that does not end", lost)
    return out


def _panel(db: duckdb.DuckDBPyConnection, parts: Sequence[Path], receipt: dict[str, Any]) -> None:
    """Table ``panel``: one row a customer and month; unusable and repeated rows are counted."""
    union = " UNION ALL BY NAME ".join(
        f"SELECT customer, month, held, known, {i} AS part, file_row_number AS row "
        f"FROM read_parquet({large.text(str(part))}, file_row_number = true)"
        for i, part in enumerate(parts)
    )
    bad = db.execute(
        "SELECT count(*) FILTER (WHERE customer IS NULL), "
        "count(*) FILTER (WHERE customer IS NOT NULL AND "
        f"(month IS NULL)) FROM ({union})"
    ).fetchall()
    _reject(receipt, f"{CUSTOMER_COLUMN} is empty", bad[0][0])
    _reject(receipt, f"{MONTH_COLUMN} is no date", bad[0][1])
    db.execute(
        f"CREATE TEMP TABLE every AS SELECT * FROM ({union}) "
        "WHERE customer IS NOT NULL AND month IS NOT NULL"
    )
    counted = db.execute(
        "SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT customer, month FROM every)) "
        "FROM every"
    ).fetchall()
    total, distinct = counted[0]
    if distinct < total:
        _reject(receipt, "the same customer and month again", total - distinct)
        db.execute(
            "CREATE TEMP TABLE once AS SELECT customer, month, min((part, row)) AS first FROM every"
            " GROUP BY ALL"
        )
        db.execute(
            "CREATE TABLE panel AS SELECT e.* FROM every AS e JOIN once AS o "
            "ON e.customer = o.customer AND e.month = o.month AND (e.part, e.row) = o.first"
        )
        db.execute("DROP TABLE once")
        db.execute("DROP TABLE every")
    else:
        db.execute("ALTER TABLE every RENAME TO panel")
    receipt["loaded"] = distinct


def _customers(db: duckdb.DuckDBPyConnection, parts: Sequence[Path], out: Path) -> None:
    """Each customer's attributes as last known, one row a customer in the order of ids."""
    query = _attributes(db, parts, "max(month)", "latest")
    large.write_query(db, f"SELECT * FROM ({query}) ORDER BY {CUSTOMER}", out)


def _profiles(db: duckdb.DuckDBPyConnection, parts: Sequence[Path], out: Path) -> None:
    """Attributes that change, as first known and as before the last two months of additions."""
    months = db.execute(
        f'SELECT DISTINCT "{TIME}" FROM events WHERE {KIND} = {large.text(ACQUIRED)} ORDER BY 1'
    ).fetchall()
    queries = [(f"TIMESTAMP {large.text(EVER)}", _attributes(db, parts, "min(month)", "first"))]
    if len(months) > 1:
        before = f"max(month) FILTER (month < DATE {large.text(str(months[-2][0].date()))})"
        queries.append(("known_at", _attributes(db, parts, before, "earlier")))
    fixed = ", ".join(ATTRIBUTES[c][0] for c in FIXED)
    union = " UNION ALL ".join(
        f'SELECT {CUSTOMER}, {since} AS "{TIME}", * EXCLUDE ({CUSTOMER}, {fixed}) FROM ({query})'
        for since, query in queries
    )
    large.write_query(db, f'SELECT * FROM ({union}) ORDER BY {CUSTOMER}, "{TIME}"', out)


def _attributes(
    db: duckdb.DuckDBPyConnection, parts: Sequence[Path], month: str, called: str
) -> str:
    """Query of the attributes in one row of each customer, that of the month told."""
    db.execute(
        f"CREATE TEMP TABLE {called} AS SELECT p.customer, p.month, p.part, p.row FROM panel AS p "
        f"JOIN (SELECT customer, {month} AS month FROM panel GROUP BY customer) AS w "
        "ON p.customer = w.customer AND p.month = w.month"
    )
    typed = ", ".join(f"{_typed(c, kind)} AS {ours}" for c, (ours, kind) in ATTRIBUTES.items())
    rows = " UNION ALL ".join(
        f"SELECT l.customer, l.month, r.* EXCLUDE (customer, month, held, known, file_row_number) "
        f"FROM read_parquet({large.text(str(part))}, file_row_number = true) AS r "
        f"JOIN {called} AS l ON l.part = {i} AND l.row = r.file_row_number"
        for i, part in enumerate(parts)
    )
    return f"SELECT customer AS {CUSTOMER}, month::TIMESTAMP AS known_at, {typed} FROM ({rows})"


def _typed(column: str, kind: str) -> str:
    cell = f"trim({large.name(column)})"
    known = f"nullif(nullif({cell}, ''), 'NA')"
    number = f"try_cast({cell} AS DOUBLE)"
    if kind == "text":
        return known
    if kind == "code":  # 1 and 1.0 are the same code
        return f"regexp_replace({known}, '\\.0$', '')"
    if kind == "date":
        return f"({date_sql(column)})::TIMESTAMP"
    most = OLDEST if kind == "years" else 1e12
    return f"CASE WHEN {number} BETWEEN 0 AND {most} THEN {number} END"
