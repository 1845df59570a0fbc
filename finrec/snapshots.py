"""Immutable, versioned copies of data sets: Parquet under ``data/<name>/<hash>/``.

A snapshot is written to a temporary folder, flushed to disk and renamed, so that it is there
whole or not at all; its name is a hash of its content, so that the same data ingested twice is
one snapshot, and every process may read without a lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec import config
from finrec.schema import DataError, Dataset, DatasetInfo, validated

MANIFEST = "snapshot.json"
HASH_LENGTH = 12


@dataclass(frozen=True)
class Snapshot:
    """A data set on disk.

    Args:
        path: its folder.
        info: what :class:`finrec.schema.DatasetInfo` says of it.
        rows: number of rows by table.
        created: ISO time (UTC) of writing.
        lineage: source files with sizes and hashes, mapping, who.
    """

    path: Path
    info: DatasetInfo
    rows: Mapping[str, int]
    created: str
    lineage: Mapping[str, Any]

    @property
    def ref(self) -> str:
        """``name@hash``, what commands and run settings call it."""
        return f"{self.path.parent.name}@{self.path.name}"

    def load(self) -> Dataset:
        """Read it into memory, every table whole."""
        tables = {name: pd.read_parquet(self.path / f"{name}.parquet") for name in self.rows}
        named = {k: tables.pop(k) for k in ("customers", "products", "events", "links")}
        return Dataset(self.info, candidates=tables.pop("candidates", None), extra=tables, **named)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Run SQL over its tables, named as in :class:`Dataset`; values only as ``?`` parameters.

        The connection is in memory, may read this folder and nothing else, and can't change that.
        """
        with connect(self.path) as db:
            for name in self.rows:
                file = str(self.path / f"{name}.parquet").replace("'", "''")
                db.execute(f"CREATE VIEW {_quoted(name)} AS SELECT * FROM read_parquet('{file}')")
            return db.execute(sql, list(parameters)).df()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def connect(*readable: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that may read these folders only, with its configuration locked."""
    db = duckdb.connect()
    folders = ", ".join("'" + str(p.resolve()).replace("'", "''") + "/'" for p in readable)
    db.execute(f"SET allowed_directories = [{folders}]")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db


def write(dataset: Dataset, lineage: Mapping[str, Any] | None = None) -> Snapshot:
    """Check a data set and keep it; writing the same content again returns the first copy.

    Raises:
        DataError: when the data set breaks a promise of its schema, or the disk is full.
    """
    validated(dataset)
    folder = config.data_dir() / dataset.info.name
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        digest = hashlib.sha256(json.dumps(asdict(dataset.info), sort_keys=True).encode())
        rows = {}
        for name, frame in sorted(dataset.tables().items()):
            rows[name] = len(frame)
            file = staging / f"{name}.parquet"
            pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), file)
            digest.update(name.encode() + _content_hash(file))
        target = folder / digest.hexdigest()[:HASH_LENGTH]
        if (target / MANIFEST).exists():
            return read(target)
        manifest = {
            "info": asdict(dataset.info),
            "rows": rows,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "lineage": dict(lineage or {}),
        }
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str))
        publish(staging, target)
        return read(target)
    except OSError as error:
        raise DataError(
            f"The snapshot could not be written to {folder}: {error.strerror or error}; "
            "free space or permissions there and try again."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(staging: Path, target: Path) -> None:
    """Flush every file of a folder to disk, then rename the folder to its final name."""
    for file in staging.iterdir():
        _fsync(file)
    _fsync(staging)
    staging.chmod(0o755)
    os.replace(staging, target)
    _fsync(target.parent)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _content_hash(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def file_lineage(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, size in bytes and SHA-256 of source files, for a snapshot's lineage."""
    return [
        {"file": p.name, "bytes": p.stat().st_size, "sha256": _content_hash(p).hex()}
        for p in paths
        if p.is_file()
    ]


def read(path: Path) -> Snapshot:
    """The snapshot in a folder.

    Raises:
        DataError: when the folder is none.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        fields = manifest["info"]
        for name in ("ks", "split", "notes"):
            fields[name] = tuple(fields[name])
        return Snapshot(
            path, DatasetInfo(**fields), manifest["rows"], manifest["created"], manifest["lineage"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path.name} is not a readable snapshot: {error}.") from error


def snapshots() -> list[Snapshot]:
    """All snapshots, newest first; folders that are none are passed over."""
    found = [read(file.parent) for file in config.data_dir().glob(f"*/*/{MANIFEST}")]
    return sorted(found, key=lambda s: (s.created, s.ref), reverse=True)


def find(ref: str) -> Snapshot:
    """The snapshot called ``name`` (its newest), ``name@hash`` or by the start of its hash.

    Raises:
        DataError: when there is none, or more than one would fit.
    """
    every = snapshots()
    name, _, start = ref.partition("@")
    fits = [s for s in every if s.path.parent.name == name and s.path.name.startswith(start)]
    if fits and not start:
        return fits[0]
    fits = fits or [s for s in every if ref and s.path.name.startswith(ref)]
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(s.ref for s in every[:8]) or "none yet"
    problem = "fits more than one snapshot" if fits else "is not a snapshot"
    raise DataError(f"{ref!r} {problem}; there are: {known}. Make one with `finrec ingest`.")
