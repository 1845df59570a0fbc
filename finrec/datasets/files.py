"""Read a source's tables with the same clear errors everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec.schema import DataError


def table(folder: Path | None, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """A Parquet or CSV table ``name`` (stem) of a folder, with at least these columns.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    if folder is None:
        raise DataError("This data set is read from a folder; give its path.")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the one that holds {name}.parquet.")
    both = (folder / f"{name}.parquet", folder / f"{name}.csv")
    file = next((f for f in both if f.exists()), None)
    if file is None:
        raise DataError(f"{folder.name} has no {name}.parquet or {name}.csv; check the path.")
    try:
        frame = pq.read_table(file).to_pandas() if file.suffix == ".parquet" else pd.read_csv(file)
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
