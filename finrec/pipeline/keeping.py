"""Which model is in use, and models that come and go as files."""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from finrec import config, records
from finrec import snapshots as store
from finrec.schema import CheckpointError, DataError
from finrec.training import checkpoint
from finrec.training import runs as run_store
from finrec.training.runs import Run

ACTIVE = "active.json"
NEEDED = ("config.json", "profile.json", "metrics.json", "provenance.json", "ids.parquet",
          "weights.safetensors", "features.safetensors")  # fmt: skip
ALLOWED = (*NEEDED, "per_case.parquet", "foretold.safetensors", "log.jsonl")
MOST_BYTES = 1024**3  # of one file, unpacked
MOST_PRODUCTS = 2_000_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def active(snapshot: str) -> str | None:
    """The run that was put into use for a data set (of any version), while it is there."""
    entry = _read().get(snapshot.partition("@")[0])
    name = str(entry["run"]) if isinstance(entry, Mapping) and "run" in entry else None
    return name if name and (config.models_dir() / name / run_store.SETTINGS).is_file() else None


def activated(snapshot: str) -> Mapping[str, Any]:
    """run, time, who, note of the model in use for a data set; empty where none is."""
    entry = _read().get(snapshot.partition("@")[0])
    return entry if isinstance(entry, Mapping) else {}


def _read() -> dict[str, Any]:
    file = config.models_dir() / ACTIVE
    found = checkpoint.read_json(file) if file.is_file() else {}
    if not isinstance(found, dict):
        raise CheckpointError(f"models/{ACTIVE} can't be read: delete it and promote a run again.")
    return found


def promote(run: str, note: str, who: str = "") -> None:
    """Put a run into use for its data set; the note is kept as a sign-off in the records.

    Args:
        run: its id.
        note: why, in the words of whoever signs.
        who: signs; empty: the account that runs the app.

    Raises:
        CheckpointError: when there is no such run.
        DataError: without a note.
    """
    found = run_store.find(run)
    if not note.strip():
        raise DataError("A model is put into use with a note; say why it may be used.")
    before = active(found.settings.snapshot)
    records.append(
        pd.DataFrame(
            [
                {
                    "kind": "signed_off", "who": who, "run": found.id, "note": note.strip(),
                    "snapshot": found.settings.snapshot,
                    "detail": {"what": "model put into use", "before": before or ""},
                }
            ]
        )
    )  # fmt: skip
    entry = {
        "run": found.id,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": who,
        "note": note.strip(),
    }
    name = found.settings.snapshot.partition("@")[0]
    checkpoint.write_json(config.models_dir() / ACTIVE, _read() | {name: entry})


def stale(run: Run) -> str | None:
    """The snapshot that is newer than the one a run learned from, of the same data set."""
    name = run.settings.snapshot.partition("@")[0]
    versions = [s for s in store.snapshots() if s.ref.partition("@")[0] == name]
    if not versions:
        return None
    newest = max(versions, key=lambda s: s.created)
    return newest.ref if newest.ref != run.settings.snapshot else None


def pack(run: str) -> bytes:
    """A run as a ZIP file, to be brought in elsewhere."""
    found = run_store.find(run)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ALLOWED:
            if (found.path / name).is_file():
                packed.write(found.path / name, f"{found.id}/{name}")
    return out.getvalue()


def bring_in(content: bytes, name: str) -> Run:
    """Take in a run from a ZIP file, after every check; nothing in it is ever executed.

    Only the files of a run, by their names; no path, link or oversized file; settings that are
    valid; arrays whose shapes fit the settings and each other. A run of the same name stays.

    Args:
        content: of the ZIP file.
        name: of the file, for messages and, without its ending, for the run.

    Raises:
        CheckpointError: naming what is wrong and what to do.
    """
    try:
        packed = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{name} is no ZIP file; save a run on the Train page.") from error
    with packed:
        members = _members(packed, name)
        folders = {Path(m.filename).parent.name for m in members.values()} - {""}
        title = folders.pop() if folders else Path(name).stem
        if not NAME.fullmatch(title) or title in ("jobs", "texts"):
            raise CheckpointError(f"{name}: {title!r} can't be the name of a run; rename it.")
        target = config.models_dir() / title
        if target.exists():
            raise CheckpointError(f"{name}: there is a run {title} already; delete or rename it.")
        config.models_dir().mkdir(parents=True, exist_ok=True)
        store.sweep(config.models_dir())
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=config.models_dir()))
        try:
            for file, member in members.items():
                _unpack(packed, member, staging / file, name)
            _fits(staging, name)
            store.publish(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return run_store.read(target)


def _members(packed: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The files by their plain names; every other thing is refused."""
    found: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for member in packed.infolist():
        if member.is_dir():
            continue
        parts = member.filename.split("/")
        odd = "\\" in member.filename or len(parts) > 2 or ".." in parts or parts[0] == ""
        kind = stat.S_IFMT(member.external_attr >> 16)
        if odd or kind not in (0, stat.S_IFREG) or parts[-1] not in ALLOWED or parts[-1] in found:
            raise CheckpointError(
                f"{name} holds {member.filename!r}, which is no file of a run; a run has only "
                f"{', '.join(ALLOWED)}."
            )
        if member.file_size > MOST_BYTES or member.flag_bits & 1:
            raise CheckpointError(
                f"{name}: {parts[-1]} is encrypted or larger than {MOST_BYTES >> 20} MiB; "
                "copy the run's folder into models/ instead."
            )
        folders.add("/".join(parts[:-1]))
        found[parts[-1]] = member
    missing = [f for f in NEEDED if f not in found]
    if missing or len(folders) > 1:
        what = f"lacks {', '.join(missing)}" if missing else "holds more than one folder"
        raise CheckpointError(f"{name} {what}; save a whole run on the Train page.")
    return found


def _unpack(packed: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, name: str) -> None:
    """Write one file; what unpacks to more than it says is refused."""
    left = member.file_size
    try:
        with packed.open(member) as source, file.open("wb") as target:
            while block := source.read(min(1 << 20, left + 1)):
                left -= len(block)
                if left < 0:
                    raise CheckpointError(f"{name}: {file.name} is larger than it says.")
                target.write(block)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise CheckpointError(f"{name}: {file.name} can't be unpacked: {error}.") from error
    os.chmod(file, 0o644)


def _fits(folder: Path, name: str) -> None:
    """Read it as a run: settings first, then sizes, then shapes; only then the network."""
    try:
        run = run_store.read(folder)
        products = pq.ParquetFile(folder / "ids.parquet").metadata.num_rows
        with safe_open(folder / "weights.safetensors", framework="pt") as weights:
            shape = tuple(weights.get_slice("embedding").get_shape())
    except (OSError, SafetensorError, pa.ArrowException, CheckpointError) as error:
        raise CheckpointError(f"{name} is no run that can be used: {error}") from error
    width = run.settings.model.width
    if products > MOST_PRODUCTS or shape != (products, width):
        raise CheckpointError(
            f"{name}: the weights are for {shape}, its products and settings for "
            f"{(products, width)}; save the run again."
        )
    try:
        run.scorer()
    except CheckpointError as error:
        raise CheckpointError(f"{name} is no run that can be used: {error}") from error
    except (RuntimeError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{name}: its files don't fit each other: {reason}") from error


__all__ = ["active", "activated", "bring_in", "pack", "promote", "stale"]
