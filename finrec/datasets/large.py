"""Files too large for memory: an embedded DuckDB with limits, CSV read with every line counted."""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb
import pyarrow.parquet as pq

from finrec.schema import DataError

MEMORY_MIB = 1536  # DuckDB's own limit; it spills to the staging folder beyond that
CHUNK = 16 * 2**20
ROW_GROUP = 122_880
UNPACKED_MOST = 64 * 2**30
UNPACKED_RATIO = 200  # more than this from one byte is a zip bomb, not a table


@contextmanager
def database(folder: Path, memory_mib: int = MEMORY_MIB) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory that spills into ``folder`` when it needs more than ``memory_mib``."""
    db = duckdb.connect()
    try:
        db.execute(f"SET memory_limit = '{memory_mib}MiB'")
        db.execute(f"SET temp_directory = {text(str(folder))}")
        db.execute(f"SET threads = {os.cpu_count() or 1}")
        yield db
    finally:
        db.close()


def text(value: str) -> str:
    """A string as an SQL literal, where a parameter can't stand."""
    return "'" + value.replace("'", "''") + "'"


def name(column: str) -> str:
    """A column or table name in SQL."""
    return '"' + column.replace('"', '""') + '"'


@dataclass(frozen=True)
class Reading:
    """How one CSV file was read.

    Args:
        file: its name.
        lines: lines below the header.
        rejected: reason and number of lines that could not be split into the columns.
    """

    file: str
    lines: int
    rejected: dict[str, int]


def unpacked(path: Path, folder: Path) -> Path:
    """The one table in a zip, written into ``folder``; any other file as it is.

    Raises:
        DataError: when the zip holds no or several tables, is damaged or unpacks to too much.
    """
    if path.suffix.lower() != ".zip":
        return path
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [
                i
                for i in archive.infolist()
                if not i.is_dir() and not i.filename.startswith("__MACOSX")
            ]
            if len(inside) != 1:
                raise DataError(f"{path.name} holds {len(inside)} files; pack one table in it.")
            target = folder / "unpacked.csv"  # never a name from the archive
            most = min(UNPACKED_MOST, max(CHUNK, UNPACKED_RATIO * path.stat().st_size))
            with archive.open(inside[0]) as source, target.open("wb") as out:
                shutil.copyfileobj(source, _Capped(out, most, path.name), CHUNK)
            return target
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{path.name} can't be unpacked ({error}); pack it again.") from error


class _Capped(io.RawIOBase):
    """Writes through until more than ``most`` bytes have come."""

    def __init__(self, out: IO[bytes], most: int, file: str) -> None:
        super().__init__()
        self.out, self.left, self.file = out, most, file

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.left -= len(data)
        if self.left < 0:
            raise DataError(
                f"{self.file} unpacks to more than {UNPACKED_RATIO} times its size; "
                "give the table itself."
            )
        return self.out.write(data)


def opened(path: Path) -> IO[bytes]:
    """The bytes of a file, gzip taken off."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def header(path: Path) -> list[str]:
    """Column names of a comma-separated file, without a byte order mark and blanks around them."""
    try:
        with opened(path) as stream:
            first = stream.readline(CHUNK)
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} can't be read ({error}); copy it again.") from error
    line = first.decode("utf-8-sig", errors="replace").strip("\r\n")
    return [cell.strip() for cell in next(csv.reader([line]), [])]


def lines_below_header(path: Path) -> int:
    """Number of lines after the first, a last one without a line end included."""
    count, last = 0, b"\n"
    try:
        with opened(path) as stream:
            while chunk := stream.read(CHUNK):
                count += chunk.count(b"\n")
                last = chunk[-1:]
    except (OSError, EOFError) as error:
        raise DataError(
            f"{path.name} can't be read to its end ({error}); copy it again."
        ) from error
    return max(count + (last != b"\n") - 1, 0)


def csv_sql(path: Path, columns: Sequence[str], latin: bool = False) -> str:
    """``read_csv(…)`` of a file with exactly these columns, all as text, bad lines logged."""
    named = ", ".join(f"{text(c)}: 'VARCHAR'" for c in columns)
    return (
        f"read_csv({text(str(path))}, header = true, skip = 0, auto_detect = false, delim = ',', "
        f"quote = '\"', escape = '\"', columns = {{{named}}}, store_rejects = true, "
        f"rejects_limit = 0, encoding = '{'latin-1' if latin else 'utf-8'}', "
        "null_padding = false, parallel = true)"
    )


def rejects(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Reason and number of distinct lines that the last CSV scans logged; empties the log."""
    found = db.execute(
        "SELECT error_type::VARCHAR, count(DISTINCT line) FROM reject_errors GROUP BY ALL"
    ).fetchall()
    db.execute("DROP TABLE IF EXISTS reject_errors")
    db.execute("DROP TABLE IF EXISTS reject_scans")
    return {str(reason).lower(): int(count) for reason, count in found}


def write_query(db: duckdb.DuckDBPyConnection, sql: str, file: Path) -> int:
    """Stream the rows of a query into Parquet, in its order; returns their number.

    Row groups have a fixed size, so that the same rows give the same bytes on every machine.
    """
    reader = db.sql(sql).to_arrow_reader(ROW_GROUP)
    rows = 0
    with pq.ParquetWriter(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch, row_group_size=ROW_GROUP)
            rows += batch.num_rows
    return rows
