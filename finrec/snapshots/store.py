"""Immutable, versioned copies of data sets: Parquet under ``data/<name>/<hash>/``.

A snapshot is written to a temporary folder, flushed to disk and renamed, so that it is there
whole or not at all; its name is a hash of its content, so that the same data ingested twice is
one snapshot, and every process may read without a lock.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec import config
from finrec.schema import DataError, Dataset, DatasetInfo, Staged, validated
from finrec.snapshots import querying
from finrec.snapshots.staged import validated_staged

MANIFEST = "snapshot.json"
HASH_LENGTH = 12
WRITING, STAGING, DELETING = ".writing-", ".staging-", ".deleting-"
STALE = 24 * 3600  # seconds after which an unfinished folder was left by a killed process
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A data set on disk.

    Args:
        path: its folder.
        info: what :class:`finrec.schema.DatasetInfo` says of it.
        rows: number of rows by table.
        created: ISO time (UTC) of writing.
        lineage: source files with sizes and hashes, mapping, receipt, ``who`` wrote it,
            ``replaces`` (refs of snapshots that it stands in for).
        attachments: further files of the folder (receipt, rejected rows), by name.
    """

    path: Path
    info: DatasetInfo
    rows: Mapping[str, int]
    created: str
    lineage: Mapping[str, Any]
    attachments: tuple[str, ...] = field(default=())

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

        The database is in memory, may read this folder and nothing else, and can't change that.
        """
        return querying.query(self.path, self.rows, sql, parameters)

    def lists(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Lengths and values of a query's one column of lists of integers; see :meth:`query`."""
        return querying.lists(self.path, self.rows, sql, parameters)


@contextmanager
def staging() -> Iterator[Path]:
    """An empty folder on the disk of the snapshots, for a source that streams; gone afterwards."""
    root = config.data_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=root))
    except OSError as error:
        raise _unwritable(root, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write(
    dataset: Dataset | Staged,
    lineage: Mapping[str, Any] | None = None,
    attachments: Mapping[str, bytes] | None = None,
) -> Snapshot:
    """Check a data set and keep it; writing the same content again returns the first copy.

    Args:
        dataset: in memory, or staged as Parquet files, which are moved away.
        lineage: where it came from.
        attachments: further files to lie beside the tables; they don't change its hash.

    Raises:
        DataError: when the data set breaks a promise of its schema, or the disk is full.
    """
    if isinstance(dataset, Staged):
        validated_staged(dataset)
    else:
        validated(dataset)
    folder = config.data_dir() / dataset.info.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        staging = Path(tempfile.mkdtemp(prefix=WRITING, dir=folder))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        if isinstance(dataset, Staged):
            for file in dataset.folder.glob("*.parquet"):
                shutil.move(file, staging / file.name)
        else:
            for name, frame in dataset.tables().items():
                table = pa.Table.from_pandas(frame, preserve_index=False)
                pq.write_table(table, staging / f"{name}.parquet")
        told = dict(lineage or {})
        if isinstance(dataset, Staged) and dataset.receipt:
            told.setdefault("receipt", dict(dataset.receipt))
        return _keep(dataset.info, staging, told, attachments or {})
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _keep(
    info: DatasetInfo, staging: Path, lineage: dict[str, Any], attachments: Mapping[str, bytes]
) -> Snapshot:
    """Name a folder of tables by its content and publish it."""
    digest = hashlib.sha256(json.dumps(asdict(info), sort_keys=True).encode())
    rows = {}
    for file in sorted(staging.glob("*.parquet")):
        rows[file.stem] = pq.ParquetFile(file).metadata.num_rows
        digest.update(file.stem.encode() + _content_hash(file))
    target = staging.parent / digest.hexdigest()[:HASH_LENGTH]
    if (target / MANIFEST).exists():
        return read(target)
    lineage.setdefault("who", _who())
    manifest = {
        "info": asdict(info),
        "rows": rows,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "lineage": lineage,
        "attachments": sorted(attachments),
    }
    for name, content in attachments.items():
        (staging / name).write_bytes(content)
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str))
    publish(staging, target)
    return read(target)


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"The snapshot could not be written to {folder}: {error.strerror or error}; "
        "free space or permissions there and try again."
    )


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"uid {os.getuid()}"


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left in a folder while they wrote or deleted."""
    for prefix in (WRITING, STAGING, DELETING):
        for left in folder.glob(f"{prefix}*"):
            try:
                old = time.time() - left.stat().st_mtime > STALE
            except FileNotFoundError:  # another process finished it meanwhile
                continue
            if old:
                shutil.rmtree(left, ignore_errors=True)


def delete(snapshot: Snapshot) -> None:
    """Remove a snapshot; it is gone for every reader at once."""
    try:
        discard(snapshot.path)
    except OSError as error:
        raise DataError(f"{snapshot.ref} could not be deleted: {error.strerror}.") from error


def discard(folder: Path) -> None:
    """Remove a folder by way of a rename, so that a kill leaves it whole or gone."""
    doomed = folder.with_name(f"{DELETING}{folder.name}-{os.getpid()}")
    os.replace(folder, doomed)
    shutil.rmtree(doomed, ignore_errors=True)
    _fsync(doomed.parent)


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
            path,
            DatasetInfo(**fields),
            manifest["rows"],
            manifest["created"],
            manifest["lineage"],
            tuple(manifest.get("attachments", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path.name} is not a readable snapshot: {error}.") from error


def snapshots() -> list[Snapshot]:
    """All snapshots, newest first; folders that are none, or damaged, are passed over."""
    found = []
    for file in config.data_dir().glob(f"*/*/{MANIFEST}"):
        if file.parent.name.startswith("."):
            continue  # being written or deleted
        try:
            found.append(read(file.parent))
        except DataError as error:
            log.warning("%s is passed over: %s", file.parent.name, error)
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
    if not fits and start:  # rewritten without an erased customer: the successor stands in
        fits = [s for s in every if ref in s.lineage.get("replaces", ())]
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(s.ref for s in every[:8]) or "none yet"
    problem = "fits more than one snapshot" if fits else "is not a snapshot"
    raise DataError(f"{ref!r} {problem}; there are: {known}. Make one with `finrec ingest`.")
