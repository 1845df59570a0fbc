"""SQL over a snapshot's Parquet files: DuckDB in memory, shut in the snapshot's folder.

Opening a database costs ten times a look-up in it, so the last few stay open. They hold views of
files and no rows: what is deleted from disk is gone for them, too.
"""

from __future__ import annotations

import atexit
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.compute as pc

KEPT = 4  # snapshots whose database stays open
_open: OrderedDict[tuple[Path, tuple[str, ...]], duckdb.DuckDBPyConnection] = OrderedDict()
_lock = Lock()
atexit.register(_open.clear)  # DuckDB complains of databases that outlive it


def connect(*readable: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that may read these folders only, with its configuration locked."""
    db = duckdb.connect()
    folders = ", ".join("'" + str(p.resolve()).replace("'", "''") + "/'" for p in readable)
    db.execute("SET enable_external_file_cache = false")  # no row outlives its file
    db.execute(f"SET allowed_directories = [{folders}]")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db


def query(
    folder: Path, tables: Iterable[str], sql: str, parameters: Sequence[Any] = ()
) -> pd.DataFrame:
    """Run SQL over the Parquet files of a folder; values only as ``?`` parameters.

    Args:
        folder: of a snapshot.
        tables: names of its files, without ending; views of that name.
        sql: reads them; it can neither write files nor read others.
        parameters: values in its order.
    """
    with _cursor(folder, tuple(tables)) as db:
        return db.execute(sql, list(parameters)).df()


def lists(
    folder: Path, tables: Iterable[str], sql: str, parameters: Sequence[Any] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """The lists of integers of a query's one column: length of each, and their values end to end.

    Args:
        folder: of a snapshot.
        tables: names of its files, without ending.
        sql: as in :func:`query`.
        parameters: values in its order.
    """
    with _cursor(folder, tuple(tables)) as db:
        answer = db.sql(sql, params=list(parameters)).to_arrow_table()
    found = answer.column(0).combine_chunks()
    counts = pc.list_value_length(found).to_numpy(zero_copy_only=False)
    return counts, found.flatten().to_numpy(zero_copy_only=False)


def _cursor(folder: Path, tables: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
    """A connection of one's own to the folder's database, which is opened where it is not yet."""
    key = (folder.resolve(), tables)
    with _lock:
        db = _open.get(key)
        if db is None:
            db = connect(folder)
            for name in tables:
                file = str(folder / f"{name}.parquet").replace("'", "''")
                db.execute(f"CREATE VIEW {_quoted(name)} AS SELECT * FROM read_parquet('{file}')")
            _open[key] = db
            while len(_open) > KEPT:
                _open.popitem(last=False)  # closes with the last who still asks it
        _open.move_to_end(key)
        return db.cursor()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
