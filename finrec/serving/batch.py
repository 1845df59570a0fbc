"""Score everybody in parts: progress, a result file that is there whole or not at all, resumable.

A batch is a folder: ``job.json`` (what it was told), ``parts/`` (one Parquet file a part, each
written atomically), ``results.parquet`` or ``results.csv`` at the end. The working process holds a
lock on ``lock``; whether it lives is read off that lock. A part that is there is not done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec import locks
from finrec.schema import CUSTOMER, DataError
from finrec.serving import export

State = Literal["waiting", "running", "done", "cancelled", "failed", "stopped"]
Progress = Callable[[int, int], None]
SUFFIXES = (".parquet", ".csv")


class Cancelled(Exception):
    """Someone asked the batch to stop; what is done stays."""


def create(folder: Path, told: dict[str, Any], ids: Sequence[str]) -> None:
    """Make a batch's folder.

    Raises:
        DataError: when it is there already, or its result could not be written.
    """
    if told["suffix"] not in SUFFIXES:
        raise DataError(f"A batch writes {' or '.join(SUFFIXES)}, not {told['suffix']!r}.")
    try:
        (folder / "parts").mkdir(parents=True)
    except FileExistsError as error:
        raise DataError(
            f"There is a batch {folder.name!r} already; choose another name."
        ) from error
    _write_json(folder / "job.json", {**told, "customers": len(ids), "ids": _digest(ids)})


def read(folder: Path) -> dict[str, Any]:
    """What a batch was told, and ``state``, ``done`` (customers), ``message``, ``file``.

    Raises:
        DataError: when there is no such batch.
    """
    try:
        told = dict(json.loads((folder / "job.json").read_text()))
    except (OSError, ValueError) as error:
        raise DataError(f"There is no batch {folder.name!r}; see the list of batches.") from error
    parts = len(list((folder / "parts").glob("*.parquet")))
    result = folder / f"results{told['suffix']}"
    message = _text(folder / "error")
    state: State = "stopped"
    if result.exists():
        state = "done"
    elif locks.locked(folder / "lock"):
        state = "running"
    elif (folder / "cancel").exists():
        state = "cancelled"
    elif message:
        state = "failed"
    elif not (folder / "lock").exists():
        state = "waiting"
    done = told["customers"] if state == "done" else min(parts * told["size"], told["customers"])
    file = str(result) if state == "done" else ""
    return {**told, "state": state, "done": done, "message": message, "file": file}


def work(
    folder: Path,
    ids: Sequence[str],
    score: Callable[[Sequence[str]], pd.DataFrame],
    progress: Progress = lambda done, total: None,
) -> Path:
    """Do what is left of a batch and write its result file.

    Args:
        folder: made by :func:`create`.
        ids: customers, the same and in the same order every time.
        score: rows of the result for some customers, the same columns every time.
        progress: told the customers done and in all.

    Raises:
        DataError: when another process works on it, or the customers are others than before.
        Cancelled: when a stop was asked for.
    """
    told = read(folder)
    if told["ids"] != _digest(ids):
        raise DataError(
            f"The customers of batch {folder.name!r} have changed since it began; start another."
        )
    taken = DataError(f"Another process works on batch {folder.name!r}.")
    with locks.alone(folder / "lock", taken):
        (folder / "error").unlink(missing_ok=True)
        try:
            files = _parts(folder, ids, score, progress, told["size"])
            result = _merge(folder, files, told["suffix"])
        except Cancelled:
            raise
        except Exception as error:
            (folder / "error").write_text(str(error) or type(error).__name__)
            raise
    shutil.rmtree(folder / "parts", ignore_errors=True)
    return result


def cancel(folder: Path) -> None:
    """Ask a batch to stop after its present part."""
    read(folder)
    (folder / "cancel").touch()


def resume(folder: Path) -> None:
    """Take a request to stop back.

    Raises:
        DataError: when the batch is done or running.
    """
    state = read(folder)["state"]
    if state in ("done", "running"):
        raise DataError(f"Batch {folder.name!r} is {state}; there is nothing to resume.")
    (folder / "cancel").unlink(missing_ok=True)
    (folder / "error").unlink(missing_ok=True)


def forget(folder: Path, customer: str) -> bool:
    """Take a customer out of a batch's files; returns whether they stood there."""
    found = False
    for file in (*sorted((folder / "parts").glob("*.parquet")), folder / "results.parquet"):
        if file.exists():
            frame = pd.read_parquet(file)
            theirs = frame[CUSTOMER].astype("str") == customer
            if theirs.any():
                export.write(frame[~theirs], file)
                found = True
    file = folder / "results.csv"
    if file.exists():
        frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        theirs = frame[CUSTOMER] == export.safe_text(customer)
        if theirs.any():
            export.write(frame[~theirs], file)
            found = True
    return found


def delete(folder: Path) -> None:
    """Delete a batch and its result.

    Raises:
        DataError: when it is running.
    """
    if read(folder)["state"] == "running":
        raise DataError(f"Batch {folder.name!r} is running; cancel it first.")
    shutil.rmtree(folder)


def _parts(
    folder: Path,
    ids: Sequence[str],
    score: Callable[[Sequence[str]], pd.DataFrame],
    progress: Progress,
    size: int,
) -> list[Path]:
    files = []
    for number, start in enumerate(range(0, max(len(ids), 1), size)):
        if (folder / "cancel").exists():
            raise Cancelled
        file = folder / "parts" / f"{number:06}.parquet"
        if not file.exists():
            export.write(score(ids[start : start + size]), file)
        files.append(file)
        progress(min(start + size, len(ids)), len(ids))
    return files


def _merge(folder: Path, files: Sequence[Path], suffix: str) -> Path:
    """One file of all parts, under its name only when it is whole."""
    part, result = folder / f".results{suffix}", folder / f"results{suffix}"
    if suffix == ".parquet":
        schema = pa.unify_schemas(
            [pq.read_schema(f).remove_metadata() for f in files], promote_options="permissive"
        )
        with pq.ParquetWriter(part, schema) as writer:
            for file in files:
                writer.write_table(pq.read_table(file).cast(schema))
    else:
        with part.open("wb") as stream:
            for number, file in enumerate(files):
                content = export.to_bytes(pd.read_parquet(file), ".csv")
                stream.write(content if number == 0 else content.split(b"\r\n", 1)[1])
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(part, result)
    return result


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _write_json(file: Path, told: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(told, indent=1))
    os.replace(part, file)
