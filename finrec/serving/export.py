"""Write a table to a file that is safe to open in a spreadsheet.

A text cell that a spreadsheet would run as a formula (it begins with = + - @, tab or return) gets
an apostrophe in front; numbers stay numbers, negative ones too. Parquet holds text as it is: no
spreadsheet runs it.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from finrec.schema import DataError

SUFFIXES = (".csv", ".xlsx", ".parquet")
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
MOST_XLSX_ROWS = 1_048_575


def check(path: Path) -> None:
    """Refuse early what can't be written.

    Raises:
        DataError: for an unknown suffix or a folder that is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path.name}: a file must end in {', '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise DataError(f"The folder {path.parent} does not exist; create it or choose another.")


def safe_text(value: Any) -> Any:
    """The value, with an apostrophe in front if it is text that would run as a formula."""
    if isinstance(value, str) and value.lstrip(" \n\u00a0").startswith(DANGEROUS):
        return "'" + value
    return value


def safe(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with every text cell and column name made safe."""
    out = frame.copy()
    for name in out.columns:
        column = out[name]
        if not (
            pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
        ):
            out[name] = column.astype(object).map(safe_text)
    return out.rename(columns={c: safe_text(c) for c in out.columns})


def to_bytes(frame: pd.DataFrame, suffix: str) -> bytes:
    """The file's content, for a download button.

    Raises:
        DataError: for an unknown suffix, or more rows than a sheet holds.
    """
    suffix = suffix.lower()
    if suffix == ".csv":
        return ("\ufeff" + safe(frame).to_csv(index=False, lineterminator="\r\n")).encode()
    buffer = io.BytesIO()
    if suffix == ".xlsx":
        if len(frame) > MOST_XLSX_ROWS:
            raise DataError(
                f"A sheet holds {MOST_XLSX_ROWS:,} rows, the table has {len(frame):,}; "
                "write .csv or .parquet."
            )
        options = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
        with pd.ExcelWriter(buffer, engine="xlsxwriter", engine_kwargs=options) as writer:
            safe(frame).to_excel(writer, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(buffer, index=False)
    else:
        raise DataError(f"A file must end in {', '.join(SUFFIXES)}, not {suffix or 'nothing'!r}.")
    return buffer.getvalue()


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write the table whole or not at all; an older file of that name is replaced at the end.

    Raises:
        DataError: when it can't be written.
    """
    check(path)
    write_bytes(to_bytes(frame, path.suffix), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file whole or not at all; an older one of that name is replaced at the end.

    Raises:
        DataError: when it can't be written.
    """
    if not path.parent.is_dir():
        raise DataError(f"The folder {path.parent} does not exist; create it or choose another.")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise DataError(f"{path} can't be written: {error.strerror}.") from error
