"""The promises of a data set checked on Parquet files, without reading them into memory."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from finrec.schema import CUSTOMER, KIND, PRODUCT, REQUIRED, TIME, WEIGHT, DataError, Staged

ALWAYS = ("customers", "products", "events", "links")


def validated_staged(staged: Staged) -> Staged:
    """Check what :func:`finrec.schema.validated` checks, and return it.

    Raises:
        DataError: naming the table, the column and the remedy.
    """
    files = {file.stem: file for file in staged.folder.glob("*.parquet")}
    for table in ALWAYS:
        if table not in files:
            raise DataError(f"{staged.info.name} has no table {table}; write one, even if empty.")
    schemas = {}
    for table, file in files.items():
        schemas[table] = pq.read_schema(file)
        names = [str(n) for n in schemas[table].names]
        for column in REQUIRED.get(table, ()):
            if column not in names:
                raise DataError(
                    f"Table {table} of {staged.info.name} has no column {column}; it has "
                    f"{', '.join(names) or 'none'}. Add or map it."
                )
    if not pa.types.is_timestamp(schemas["events"].field(TIME).type):
        raise DataError("Table events: column time must hold dates; give it in ISO form.")
    with duckdb.connect() as db:
        for table, column in (("customers", CUSTOMER), ("products", PRODUCT)):
            kind = schemas[table].field(column).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise DataError(f"Table {table}: {column} must be text, so that 007 stays 007.")
            _present(db, files[table], table, column)
            twice = db.execute(
                f"SELECT {column} FROM read_parquet(?) GROUP BY ALL HAVING count(*) > 1 LIMIT 1",
                [str(files[table])],
            ).fetchall()
            if twice:
                raise DataError(
                    f"Table {table}: {column} {twice[0][0]!r} stands twice; keep one row for each."
                )
        for column in (CUSTOMER, PRODUCT, TIME, KIND):
            _present(db, files["events"], "events", column)
        unknown = db.execute(
            f"SELECT e.{PRODUCT} FROM read_parquet(?) AS e ANTI JOIN read_parquet(?) AS p "
            f"ON e.{PRODUCT} = p.{PRODUCT} LIMIT 1",
            [str(files["events"]), str(files["products"])],
        ).fetchall()
        strange = db.execute(
            f"SELECT {WEIGHT} FROM read_parquet(?) "
            f"WHERE NOT coalesce({WEIGHT} >= 0 AND isfinite({WEIGHT}), false) LIMIT 1",
            [str(files["links"])],
        ).fetchall()
    if strange:
        raise DataError(
            f"Table links: weight {strange[0][0]} can't be read; give a number of 0 or more."
        )
    if unknown:
        raise DataError(
            f"Table events: product {unknown[0][0]!r} is not in the table products; add it there "
            "or drop the event."
        )
    if not pq.ParquetFile(files["products"]).metadata.num_rows:
        raise DataError(f"{staged.info.name} has no products; nothing can be recommended.")
    return staged


def _present(db: duckdb.DuckDBPyConnection, file: Path, table: str, column: str) -> None:
    found = db.execute(
        f'SELECT count(*) FROM read_parquet(?) WHERE "{column}" IS NULL', [str(file)]
    ).fetchall()
    missing = int(found[0][0])
    if missing:
        raise DataError(
            f"Table {table}: {column} is empty in {missing} rows; fill it or drop the rows."
        )
