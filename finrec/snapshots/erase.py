"""Erase a customer: rewrite every snapshot without them, flag models, and prove it by a rescan.

What a model learned from the customer stays in its weights; a run trained on a snapshot that held
the customer is flagged (``flags.json`` in its folder), so that it can be trained again. Neither
lineage, flags nor the result repeats the id.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finrec import config
from finrec.schema import BASKET, CUSTOMER, SOURCE, TARGET, DataError, Staged
from finrec.snapshots import store
from finrec.snapshots.store import Snapshot

ID_COLUMNS = (CUSTOMER, SOURCE, TARGET)
FLAGS = "flags.json"
DISTINCTIVE = 5  # a shorter id, like 12, stands in any file; it is sought in customer columns only
NO_TEXT = {".safetensors", ".png"}  # hold no ids
PACKED = {".gz", ".zip", ".xlsx", ".xls", ".bz2", ".xz", ".zst"}


@dataclass(frozen=True)
class Erasure:
    """What was done, and what a rescan of all files found afterwards.

    Args:
        rewritten: snapshots as (old ref, new ref, rows removed).
        runs: trained runs and jobs that had learned from the customer, now flagged.
        scanned: number of files read again.
        left: files that still mention the customer, relative to the home folder.
        unread: files that could not be searched, such as packed uploads or a locked database.
    """

    rewritten: tuple[tuple[str, str, int], ...]
    runs: tuple[str, ...]
    scanned: int
    left: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def proven(self) -> bool:
        """Whether every file was read and none mentions the customer."""
        return not self.left and not self.unread


def erase(customer: str) -> Erasure:
    """Rewrite every snapshot that knows the customer, delete the old ones, flag models, rescan.

    Raises:
        DataError: when no snapshot knows the customer, or the disk is full.
    """
    rewritten, runs = [], dict[str, None]()
    for snapshot in store.snapshots():
        removed = sum(_count(file, customer) for file in snapshot.path.glob("*.parquet"))
        attached = any(_text_mentions(snapshot.path / a, customer) for a in snapshot.attachments)
        if removed or attached:
            new = _rewrite(snapshot, customer)
            # Before the old one goes: ended in between, the same command finds it and flags again.
            runs |= dict.fromkeys(_flag_runs({snapshot.ref: new.ref}))
            store.delete(snapshot)
            rewritten.append((snapshot.ref, new.ref, removed))
    if not rewritten and not mentions(customer)[1]:
        raise DataError("No snapshot and no file knows that customer; check the id.")
    scanned, left, unread = mentions(customer)
    return Erasure(tuple(rewritten), tuple(runs), scanned, left, unread)


def mentions(customer: str) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Read every file under data/ and models/ again: how many, which mention, which can't be read.

    Parquet and databases are searched column by column. Of an id shorter than ``DISTINCTIVE``
    only columns and fields of customers are searched.
    """
    scanned, left, unread = 0, [], []
    for file in _files():
        scanned += 1
        name = str(file.relative_to(config.home()))
        try:
            if file.suffix == ".parquet":
                found = bool(_count(file, customer, every_text=len(customer) >= DISTINCTIVE))
            elif file.suffix == ".duckdb":
                found = _database_mentions(file, customer)
            elif file.suffix in PACKED:
                unread.append(name)
                continue
            else:
                found = file.suffix not in NO_TEXT and _text_mentions(file, customer)
        except (OSError, pa.ArrowException, duckdb.Error):
            unread.append(name)
            continue
        if found:
            left.append(name)
    return scanned, tuple(left), tuple(unread)


def _files() -> Iterator[Path]:
    for root in (config.data_dir(), config.models_dir()):
        yield from sorted(f for f in root.rglob("*") if f.is_file() and not f.is_symlink())


def _count(file: Path, customer: str, every_text: bool = False) -> int:
    """Rows of a table in which the customer stands."""
    parquet = pq.ParquetFile(file)
    columns = [
        f.name
        for f in parquet.schema_arrow
        if f.name in ID_COLUMNS or (every_text and _is_text(f.type))
    ]
    if not columns:
        return 0
    return sum(
        int(pc.sum(_stands(batch, columns, customer)).as_py() or 0)
        for batch in parquet.iter_batches(columns=columns)
    )


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _stands(batch: pa.RecordBatch, columns: list[str], customer: str) -> pa.Array:
    """Whether any of the columns holds the id, bool [rows]."""
    found = pa.array([False] * 0)
    for i, column in enumerate(columns):
        equal = pc.fill_null(
            pc.equal(batch.column(column).cast(pa.large_string()), customer), False
        )
        found = equal if i == 0 else pc.or_(found, equal)
    return found


def _text_mentions(file: Path, customer: str) -> bool:
    content = file.read_bytes()
    word = re.escape(customer.encode())
    if len(customer) >= DISTINCTIVE:
        pattern = rb"(?<![\w.-])" + word + rb"(?![\w-])"
    else:
        pattern = rb'"(?:customer|customer_id)"\s*:\s*"?' + word + rb'"?\s*[,}\]]'
    return re.search(pattern, content) is not None


def _database_mentions(file: Path, customer: str) -> bool:
    with duckdb.connect(str(file), read_only=True) as db:
        columns = db.execute(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns "
            "WHERE data_type = 'VARCHAR'"
        ).fetchall()
        for schema, table, column in columns:
            if len(customer) < DISTINCTIVE and column not in (*ID_COLUMNS, "customer"):
                continue
            where, name, cell = (
                '"' + str(n).replace('"', '""') + '"' for n in (schema, table, column)
            )
            query = f"SELECT 1 FROM {where}.{name} WHERE {cell} = ? OR contains({cell}, ?) LIMIT 1"
            quoted = json.dumps(customer)  # inside a JSON text
            if db.execute(query, [customer, quoted]).fetchall():
                return True
    return False


def _rewrite(snapshot: Snapshot, customer: str) -> Snapshot:
    """The snapshot without the customer, and without what was offered at their baskets."""
    baskets = _baskets(snapshot, customer)
    staging = Path(tempfile.mkdtemp(prefix=store.STAGING, dir=config.data_dir()))
    try:
        for file in sorted(snapshot.path.glob("*.parquet")):
            parquet = pq.ParquetFile(file)
            names = set(parquet.schema_arrow.names)
            columns = [c for c in ID_COLUMNS if c in names]
            with pq.ParquetWriter(staging / file.name, parquet.schema_arrow) as writer:
                for batch in parquet.iter_batches():
                    keep = pa.array([True] * len(batch))
                    if columns:
                        keep = pc.invert(_stands(batch, columns, customer))
                    if baskets and file.stem == "candidates":
                        theirs = pc.is_in(batch.column(BASKET), pa.array(sorted(baskets)))
                        keep = pc.and_(keep, pc.invert(theirs))
                    writer.write_batch(batch.filter(keep))
        lineage: dict[str, Any] = dict(snapshot.lineage)
        lineage["replaces"] = [*lineage.get("replaces", ()), snapshot.ref]
        lineage["erased"] = int(lineage.get("erased", 0)) + 1
        attachments = {
            name: _without(snapshot.path / name, customer) for name in snapshot.attachments
        }
        return store.write(Staged(snapshot.info, staging), lineage, attachments)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _baskets(snapshot: Snapshot, customer: str) -> set[str]:
    file = snapshot.path / "events.parquet"
    if BASKET not in pq.read_schema(file).names:
        return set()
    found = pq.read_table(file, columns=[BASKET], filters=[(CUSTOMER, "=", customer)])
    return {str(b) for b in found.column(BASKET).to_pylist()}


def _without(file: Path, customer: str) -> bytes:
    """An attachment without what mentions the customer: its rows of a CSV, else all of it."""
    if not _text_mentions(file, customer):
        return file.read_bytes()
    if file.suffix != ".csv":
        return b""
    word = re.compile(rf"(?<![\w.-]){re.escape(customer)}(?![\w-])")
    out = io.StringIO()
    with file.open(newline="", encoding="utf-8") as stream:
        kept = (row for row in csv.reader(stream) if not any(word.search(c) for c in row))
        csv.writer(out).writerows(kept)
    return out.getvalue().encode()


def _learned(replaced: dict[str, str]) -> dict[Path, str]:
    """Runs and jobs that learned from one of these snapshots, each with its ref.

    Also those that began with the layers of such a run.
    """
    models = config.models_dir()
    told: dict[Path, dict[str, Any]] = {}
    for file in [*sorted(models.glob("*/config.json")), *sorted(models.glob("jobs/*/job.json"))]:
        if file.parent.name.startswith("."):
            continue
        try:
            read = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
        told[file.parent] = read.get("settings") or read
    found = {at: str(s["snapshot"]) for at, s in told.items() if s.get("snapshot") in replaced}
    began_with = {at: (s.get("train") or {}).get("start_from") for at, s in told.items()}
    while True:
        refs = {at.name: ref for at, ref in found.items()}
        more = {at: refs[run] for at, run in began_with.items() if run in refs and at not in found}
        if not more:
            return found
        found |= more


def _flag_runs(replaced: dict[str, str]) -> Iterator[str]:
    """Write FLAGS beside every run and job that learned from one of these snapshots."""
    for folder, ref in _learned(replaced).items():
        file = folder / FLAGS
        flags = json.loads(file.read_text()) if file.exists() else []
        yield folder.name
        if any(f["snapshot"] == ref and f["now"] == replaced[ref] for f in flags):
            continue
        flags.append(
            {
                "flag": "erased customer",
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "snapshot": ref,
                "now": replaced[ref],
                "message": "A customer whose data this model learned from has been erased; "
                "train it again on the snapshot without them.",
            }
        )
        part = file.with_suffix(f".part-{os.getpid()}")
        part.write_text(json.dumps(flags, indent=1))
        os.replace(part, file)
