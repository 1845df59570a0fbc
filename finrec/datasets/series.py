"""Time series as Quandl (now Nasdaq Data Link) serves them: CSV, JSON and XML.

Every form gives one :class:`Series`: a table of dates and numbers with the columns that stand in
the file, oldest first.
"""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finrec.schema import TIME, DataError

MOST_BYTES = 256 * 2**20
PRICES = ("adj. close", "adj close", "adj_close", "close", "settle", "last", "price", "value",
          "rate", "index")  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One time series.

    Args:
        code: its code, or the file's name.
        name: for people.
        description: may be empty.
        values: TIME (datetime64, unique, rising) and one float64 column a field.
    """

    code: str
    name: str
    description: str
    values: pd.DataFrame

    def price(self) -> str:
        """The field to take as the price: adjusted close, else close, … else the only one."""
        fields = [c for c in self.values.columns if c != TIME]
        plain = {str(c).strip().lower(): c for c in fields}
        for wanted in PRICES:
            if wanted in plain:
                return plain[wanted]
        if len(fields) != 1:
            raise DataError(
                f"{self.code} has no column that is a price; it has {', '.join(map(str, fields))}. "
                "Name one close, price or value."
            )
        return str(fields[0])


def read(file: Path) -> Series:
    """A series from a CSV, JSON or XML file.

    Raises:
        DataError: naming the file, row and column.
    """
    if file.stat().st_size > MOST_BYTES:
        raise DataError(f"{file.name} is larger than {MOST_BYTES // 2**20} MiB; split it.")
    raw = file.read_bytes()
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name} is not UTF-8 text; export it as UTF-8.") from error
    ending = file.suffix.lower()
    if ending == ".json":
        return _from_json(file, content)
    if ending == ".xml":
        return _from_xml(file, content)
    if ending == ".csv":
        return _from_csv(file, content)
    raise DataError(f"{file.name}: a series is a CSV, JSON or XML file.")


def from_table(file: str, code: str, frame: pd.DataFrame) -> Series:
    """A series from a table whose first column is the date."""
    return _made(file, code, code, "", [str(c) for c in frame.columns], frame)


def _from_csv(file: Path, content: str) -> Series:
    try:
        frame = pd.read_csv(io.StringIO(content), dtype="str", keep_default_na=False)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file.name} can't be read as CSV ({reason}); export it again.") from error
    return _made(file.name, file.stem, file.stem, "", list(frame.columns), frame)


def _from_json(file: Path, content: str) -> Series:
    try:
        told = json.loads(content)
        body: dict[str, Any] = told
        for key in ("dataset", "dataset_data", "datatable"):
            body = body.get(key) or body
        names = body.get("column_names") or [c["name"] for c in body["columns"]]
        frame = pd.DataFrame(body["data"], columns=names)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{file.name} is not a time series in JSON ({error}); it needs column_names and data."
        ) from error
    code = str(body.get("dataset_code") or file.stem)
    described = str(body.get("description") or "")
    return _made(file.name, code, str(body.get("name") or code), described, names, frame)


def _from_xml(file: Path, content: str) -> Series:
    if re.search(r"<!(DOCTYPE|ENTITY)", content, re.IGNORECASE):
        raise DataError(f"{file.name} declares entities, which are not read; remove the DOCTYPE.")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise DataError(f"{file.name} is not XML ({error}); export it again.") from error
    body = next((e for e in root.iter() if e.tag in ("dataset", "dataset-data")), root)
    names = [(e.text or "").strip() for e in body.iterfind("column-names/column-name")]
    rows = [[(c.text or "").strip() for c in row] for row in body.iterfind("data/datum")]
    bad = next((i for i, row in enumerate(rows, 1) if len(row) != len(names)), None)
    if not names or not rows or bad:
        where = f", row {bad}: {len(rows[bad - 1])} cells" if bad else ""
        raise DataError(
            f"{file.name}{where}: not a time series in XML with {len(names)} column-names and as "
            "many cells in each row of data."
        )

    def told(tag: str) -> str:
        return (body.findtext(tag) or "").strip()

    code = told("dataset-code") or file.stem
    frame = pd.DataFrame(rows, columns=names)
    return _made(file.name, code, told("name") or code, told("description"), names, frame)


def _made(
    file: str, code: str, name: str, description: str, names: list[str], frame: pd.DataFrame
) -> Series:
    if len(names) < 2 or frame.empty:
        raise DataError(f"{file} has no row with a date and a value; export it again.")
    if len(set(names)) < len(names):
        raise DataError(f"{file}: a column stands twice; rename one.")
    times = pd.to_datetime(frame.iloc[:, 0], errors="coerce", format="mixed").dt.as_unit("ns")
    bad = np.flatnonzero(times.isna())
    if len(bad):
        raise DataError(
            f"{file}, row {bad[0] + 1}, column {names[0]}: {frame.iloc[bad[0], 0]!r} is no date; "
            "write dates as 2024-01-31."
        )
    values = pd.DataFrame({TIME: times.to_numpy()})
    for i, column in enumerate(names[1:], start=1):
        cells = frame.iloc[:, i]
        numbers = pd.to_numeric(cells, errors="coerce")
        blank = cells.isna() | cells.astype("str").str.strip().isin(["", ".", "NA", "nan", "None"])
        wrong = np.flatnonzero((numbers.isna() & ~blank).to_numpy())
        if len(wrong) and len(wrong) < len(cells) - int(blank.sum()):
            raise DataError(
                f"{file}, row {wrong[0] + 1}, column {column}: {cells.iloc[wrong[0]]!r} is no "
                "number; correct it or leave it empty."
            )
        if not len(wrong):  # a column of text is no part of a series
            values[column] = numbers.to_numpy(dtype=np.float64)
    if values[TIME].duplicated().any():
        row = int(np.flatnonzero(values[TIME].duplicated())[0]) + 1
        raise DataError(f"{file}, row {row}: the date {times.iloc[row - 1]:%Y-%m-%d} stands twice.")
    return Series(code, name, description, values.sort_values(TIME, ignore_index=True))
