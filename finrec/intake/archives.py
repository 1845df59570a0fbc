"""What a file is, by its first bytes, and the plain tables inside a gzip or zip.

Names in an archive are shown, never used as paths; everything unpacked goes to numbered files.
"""

from __future__ import annotations

import gzip
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from finrec.intake.limits import MIB, Limits
from finrec.schema import DataError

Kind = Literal["text", "xlsx", "parquet"]
FREE = 16 * MIB  # unpacked bytes before the ratio is looked at
_NOT_TABLES = {
    b"\xd0\xcf\x11\xe0": "an old Excel file; save it as .xlsx or CSV",
    b"%PDF": "a PDF; export the table as CSV",
    b"SQLite format 3": "a database; export the table as CSV",
    b"BZh": "packed with bzip2; pack it as .gz or .zip",
    b"\xfd7zXZ": "packed with xz; pack it as .gz or .zip",
    b"7z\xbc\xaf": "packed with 7z; pack it as .gz or .zip",
    b"Rar!": "packed with RAR; pack it as .gz or .zip",
    b"\x89PNG": "a picture; give a table",
    b"\x7fELF": "a program; give a table",
    b"MZ\x90": "a program; give a table",
}


@dataclass(frozen=True)
class Source:
    """One table to parse.

    Args:
        name: shown to people; never a path.
        path: plain file.
        kind: by content.
    """

    name: str
    path: Path
    kind: Kind


def shown(name: str) -> str:
    """A file name fit to be shown: no folders, no control or direction-changing characters."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
    return kept.strip()[:120] or "file"


def sources(files: list[Path], work: Path, limits: Limits) -> list[Source]:
    """Every table in these files, archives unpacked into ``work``.

    Raises:
        DataError: when a file is missing, too large, damaged or no table.
    """
    found: list[Source] = []
    left = [limits.unpacked_mib * MIB]
    for file in files:
        try:
            if not file.is_file():
                raise DataError(f"{shown(file.name)} is not there; choose it again.")
            if file.stat().st_size > limits.file_mib * MIB:
                raise DataError(
                    f"{shown(file.name)} is larger than {limits.file_mib} MiB; split it."
                )
            found += _inside(shown(file.name), file, work, limits, left, depth=0)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{shown(file.name)} can't be read ({error}); copy it again."
            ) from error
    names = [s.name for s in found]
    if len(set(names)) == len(names):
        return found
    return [
        Source(f"{s.name} ({i})" if names.count(s.name) > 1 else s.name, s.path, s.kind)
        for i, s in enumerate(found, start=1)
    ]


def _inside(
    name: str, file: Path, work: Path, limits: Limits, left: list[int], depth: int
) -> Iterator[Source]:
    with file.open("rb") as stream:
        start = stream.read(4096)
    if not start:
        raise DataError(f"{name} is empty; export it again.")
    for magic, what in _NOT_TABLES.items():
        if start.startswith(magic):
            raise DataError(f"{name} is {what}.")
    if start.startswith(b"PAR1"):
        yield Source(name, file, "parquet")
    elif start.startswith(b"\x1f\x8b"):
        _shallow(name, depth)
        out = _numbered(work)
        with gzip.open(file) as packed:
            _copy(packed, out, name, file.stat().st_size, limits, left)  # type: ignore[arg-type]
        inner = name[:-3] if name.lower().endswith(".gz") else name
        yield from _inside(inner, out, work, limits, left, depth + 1)
    elif start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _zipped(name, file, work, limits, left, depth)
    else:
        text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<table")):
            raise DataError(f"{name} is a web page or XML, not a table; export it as CSV.")
        if text.startswith((b'{"', b"[{", b"{\n", b"{\r")):
            raise DataError(f"{name} is JSON, not a table; export it as CSV.")
        yield Source(name, file, "text")


def _shallow(name: str, depth: int) -> None:
    if depth:
        raise DataError(f"{name} is an archive inside an archive; unpack it first.")


def _zipped(
    name: str, file: Path, work: Path, limits: Limits, left: list[int], depth: int
) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
            claimed = sum(e.file_size for e in entries)
            if "[Content_Types].xml" in (e.filename for e in entries):
                if not any(e.filename == "xl/workbook.xml" for e in entries):
                    raise DataError(f"{name} is an Office file but no workbook; save it as .xlsx.")
                _allowed(name, claimed, file.stat().st_size, limits, left)
                yield Source(name, file, "xlsx")
                return
            _shallow(name, depth)
            tables = [e for e in entries if not _hidden(e.filename)]
            if not tables:
                raise DataError(f"{name} holds no file; pack a table in it.")
            if len(tables) > limits.members:
                raise DataError(
                    f"{name} holds {len(tables)} files; at most {limits.members} are read."
                )
            for entry in tables:
                out = _numbered(work)
                with archive.open(entry) as packed:
                    _copy(packed, out, name, file.stat().st_size, limits, left)
                yield from _inside(shown(entry.filename), out, work, limits, left, depth + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise DataError(f"{name} can't be unpacked ({error}); pack it again.") from error


def _hidden(entry: str) -> bool:
    return any(p.startswith(".") and p not in (".", "..") or p == "__MACOSX"
               for p in entry.replace("\\", "/").split("/"))  # fmt: skip


def _numbered(work: Path) -> Path:
    return work / f"unpacked-{len(list(work.iterdir()))}"


def _copy(
    packed: IO[bytes], out: Path, name: str, size: int, limits: Limits, left: list[int]
) -> None:
    written = 0
    with out.open("wb") as target:
        while chunk := packed.read(MIB):
            written += len(chunk)
            _allowed(name, written, size, limits, left)
            target.write(chunk)
    left[0] -= written


def _allowed(name: str, unpacked: int, packed: int, limits: Limits, left: list[int]) -> None:
    if unpacked > left[0] or (unpacked > FREE and unpacked > limits.ratio * max(packed, 1)):
        raise DataError(
            f"{name} unpacks to far more than its {packed:,} bytes; that is no table that can be "
            "read. Give the table itself."
        )
