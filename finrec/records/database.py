"""The records' DuckDB file: its turns between processes, its birth and its rewriting."""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from finrec import config
from finrec.records.entries import COLUMNS, NUMBERS, TEXT
from finrec.schema import DataError

PATIENCE = 30.0  # seconds that a process waits for its turn
_TYPES = {c: "VARCHAR" for c in TEXT} | {n: "DOUBLE" for n in NUMBERS} | {"time": "TIMESTAMP"}
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entries (seq BIGINT PRIMARY KEY, "
    + ", ".join(f"{c} {_TYPES[c]}" for c in COLUMNS)
    + ", undoes VARCHAR, salt VARCHAR, digest VARCHAR, seal VARCHAR)"
)
_within = threading.RLock()  # threads of one process share DuckDB's instance of the file


def path() -> Path:
    """The database file; it appears with the first entry."""
    return config.data_dir() / "records.duckdb"


@contextmanager
def opened(write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database, when it is this process's turn."""
    file = path()
    with _within, _turn(file):
        if not write and not file.exists():
            with duckdb.connect() as empty:  # nothing recorded yet
                empty.execute(SCHEMA)
                yield empty
            return
        if not file.exists():
            _create(file)
        with _connected(file, write) as db:
            yield db


@contextmanager
def _turn(file: Path) -> Iterator[None]:
    """Hold the lock file; the system frees it when a process dies."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DataError(f"{file.parent} can't be written: {error.strerror}.") from error
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise _busy(file) from None
                time.sleep(0.005 + 0.02 * secrets.randbelow(100) / 100)
        yield
    finally:
        os.close(handle)


@contextmanager
def _connected(file: Path, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            db = duckdb.connect(str(file), config={"threads": 1})
            break
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise DataError(f"{file} can't be opened: {error}.") from error
            if time.monotonic() > until:
                raise _busy(file) from error
            time.sleep(0.05)
    try:
        yield db
    finally:
        db.close()


def _busy(file: Path) -> DataError:
    return DataError(
        f"{file} is in use by another program for more than {PATIENCE:.0f} seconds; "
        "close that program and try again."
    )


def _create(file: Path) -> None:
    """A new database appears whole: a process killed here leaves no half of one."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with duckdb.connect(str(part)) as db:
        db.execute(SCHEMA)
    os.replace(part, file)


def rewrite(db: duckdb.DuckDBPyConnection, query: str, values: dict[str, str]) -> None:
    """Replace the file, in one step, by another that holds the result of a query over ``entries``.

    What the query leaves out is in no freed block of the new file; a process killed on the way
    leaves the old one as it was.
    """
    file = path()
    for left in file.parent.glob(f".{file.name}.*"):  # of one that was killed
        left.unlink()
    part = file.with_name(f".{file.name}.{os.getpid()}")
    db.execute("CHECKPOINT")  # so that closing writes nothing by the old file's name
    quoted = str(part).replace("'", "''")
    db.execute(f"ATTACH '{quoted}' AS copy")
    db.execute(SCHEMA.replace("entries", "copy.entries", 1))
    db.execute(f"INSERT INTO copy.entries BY NAME {query}", values)
    db.execute("DETACH copy")
    os.replace(part, file)
