"""Read a source's tables with the same clear errors everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec.schema import DataError

SEPARATORS = {".csv": ",", ".asc": ";", ".tsv": "\t", ".dat": "\t"}


def table(
    folder: Path | None, name: str, columns: Sequence[str], as_text: bool = False
) -> pd.DataFrame:
    """A Parquet or CSV table ``name`` (stem) of a folder, with at least these columns.

    Args:
        folder: where to look.
        name: file name without its ending.
        columns: what it must have.
        as_text: every cell as text, an empty one as "".

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    file = find(folder, name)
    if file is None:
        assert folder is not None
        raise DataError(f"{folder.name} has no {name}.parquet or {name}.csv; check the path.")
    try:
        if file.suffix == ".parquet":
            frame = pq.read_table(file).to_pandas()
            if as_text:
                frame = frame.astype("str").fillna("")
        elif as_text:
            frame = pd.read_csv(
                file, sep=SEPARATORS[file.suffix], dtype="str", keep_default_na=False
            )
        else:
            frame = pd.read_csv(file, sep=SEPARATORS[file.suffix])
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file.name} can't be read ({reason}); export it again.") from error
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise DataError(
            f"{file.name} lacks the column {missing[0]}; it has "
            f"{', '.join(map(str, frame.columns[:12]))}. Rename or add it."
        )
    if frame.empty:
        raise DataError(f"{file.name} has no rows below its header; export it again.")
    return frame


def find(folder: Path | None, name: str) -> Path | None:
    """The Parquet or CSV file of that stem in a folder, or None.

    Raises:
        DataError: when the folder is none.
    """
    if folder is None:
        raise DataError("This data set is read from a folder; give its path.")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the one that holds {name}.parquet.")
    possible = [folder / f"{name}{ending}" for ending in (".parquet", *SEPARATORS)]
    return next((f for f in possible if f.exists()), None)


def dates(frame: pd.DataFrame, column: str, file: str, form: str | None = None) -> pd.Series:
    """A column as dates.

    Raises:
        DataError: naming file, row (data rows count from 1) and the value that is no date.
    """
    values = pd.to_datetime(frame[column], errors="coerce", format=form)
    bad = frame.index[values.isna()]
    if len(bad):
        raise DataError(
            f"{file}, row {int(bad[0]) + 1}, column {column}: {frame[column].loc[bad[0]]!r} is no "
            f"date ({len(bad)} such rows); write dates as 2024-01-31."
        )
    return values


def numbers(frame: pd.DataFrame, column: str, file: str) -> pd.Series:
    """A column of text as float64; empty cells are NaN.

    Raises:
        DataError: naming file, row and the value that is no number.
    """
    cells = frame[column].astype("str").str.strip()
    values = pd.to_numeric(cells, errors="coerce")
    bad = frame.index[values.isna() & cells.notna() & ~cells.isin(["", "nan"])]
    if len(bad):
        raise DataError(
            f"{file}, row {int(bad[0]) + 1}, column {column}: {frame[column].loc[bad[0]]!r} is no "
            f"number ({len(bad)} such rows); correct it or leave it empty."
        )
    return values.astype("float64")
