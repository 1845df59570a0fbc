"""Workbooks (XLSX) and Parquet files as tables of text cells."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import zipfile
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.utils.exceptions import InvalidFileException

from finrec.intake.archives import Source
from finrec.intake.formats import MOST_ABOVE, Format, above
from finrec.intake.limits import Limits
from finrec.intake.tables import Progress, Raw, TableWriter, named, over
from finrec.schema import DataError

_BROKEN = (
    zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError,
    AttributeError, OSError, IndexError,
)  # fmt: skip
LOOKED_AT = 3 * MOST_ABOVE  # first rows, to find the header
EXACT = 2**53  # beyond it a spreadsheet has already rounded a whole number


def read_workbook(
    source: Source, form: Format, out: Path, limits: Limits, most: int | None, progress: Progress
) -> Raw:
    """One sheet of a workbook, with the stored values of formulas.

    Raises:
        DataError: when it is damaged, has no such sheet, or only empty ones.
    """
    try:
        values = openpyxl.load_workbook(source.path, read_only=True, data_only=True)
        formulas = openpyxl.load_workbook(source.path, read_only=True, data_only=False)
        sheets = {s.title: s for s in values.worksheets}
        if form.sheet and form.sheet not in sheets:
            raise DataError(
                f"{source.name} has no sheet {form.sheet!r}; it has {', '.join(sheets) or 'none'}."
            )
        for title, sheet in sheets.items():
            if form.sheet and title != form.sheet:
                continue
            sheet.reset_dimensions()
            formulas[title].reset_dimensions()
            raw = _sheet(source, title, sheet, formulas[title], out, limits, most, progress)
            if raw is not None:
                others = [t for t in sheets if t != title]
                if others:
                    raw.notes.append(
                        f"Of {source.name} the sheet {title!r} was read, not {', '.join(others)}."
                    )
                return raw
    except DataError:
        raise
    except _BROKEN as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{source.name} is a damaged workbook ({reason}); save it again."
        ) from error
    raise DataError(f"{source.name} has no sheet with a table; export it again.")


def _sheet(
    source: Source,
    title: str,
    values: Any,
    formulas: Any,
    out: Path,
    limits: Limits,
    most: int | None,
    progress: Progress,
) -> Raw | None:
    both = zip(_rows(values, limits, source), _rows(formulas, limits, source), strict=False)
    rows = enumerate(both, start=1)
    first = list(islice(rows, LOOKED_AT))
    while first and not any(_trimmed(shown) for _, (shown, _) in first):  # blank so far
        first = list(islice(rows, LOOKED_AT))
    filled = [(i, texts) for i, (_, (shown, _)) in enumerate(first) if (texts := _trimmed(shown))]
    if not filled:
        return None
    skipped = above([texts for _, texts in filled])
    names, notes = named(filled[skipped][1], source.name, limits)
    told = [" ".join(filter(None, texts)) for _, texts in filled[:skipped]]
    form = Format(sheet=title, above=skipped)
    raw = Raw(source, form, names, out, notes=[*over(told, source.name), *notes])
    left = chain(first[filled[skipped][0] + 1 :], rows)
    writer = TableWriter(raw, limits)
    try:
        for line, (shown, written) in left:
            if most is not None and raw.rows_in >= most:
                break
            cells = [_text(v) for v in shown]
            cells += [""] * (len(names) - len(cells))
            problem = _problem(names, shown, written)
            if problem:
                writer.reject(*problem, cells, line)
            elif any(cells):
                writer.add(cells, line)
            else:
                raw.blank += 1
            if line % 1000 == 0:
                progress(line)
    finally:
        writer.close()
    return raw


def _trimmed(shown: tuple[Any, ...]) -> list[str]:
    """The cells of a row as text, without empty ones at its end."""
    texts = [_text(v) for v in shown]
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _rows(sheet: Any, limits: Limits, source: Source) -> Iterator[tuple[Any, ...]]:
    for row in sheet.iter_rows(values_only=True):
        if len(row) > limits.columns + 1000:
            raise DataError(
                f"{source.name} has {len(row):,} columns; at most {limits.columns:,} are read."
            )
        yield row


def _problem(
    names: list[str], shown: tuple[Any, ...], written: tuple[Any, ...]
) -> tuple[str, str] | None:
    """Column and reason when a cell has no value that can be trusted."""
    for i, value in enumerate(shown[: len(names)]):
        formula = written[i] if i < len(written) else None
        if value is None and isinstance(formula, str) and formula.startswith("="):
            return names[i], "a formula without a stored value; open and save the workbook"
        if isinstance(value, str) and re.fullmatch(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)",
                                                   value):  # fmt: skip
            return names[i], f"a formula that failed ({value})"
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > EXACT:
            return names[i], "a number too long for a spreadsheet, so it was rounded; store as text"
    return None


def _text(value: Any) -> str:
    """A cell's value as text: whole numbers without a point, dates in ISO form."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) <= EXACT else repr(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | dict):
        return json.dumps(value, default=str)
    return str(value)


def read_parquet(
    source: Source, out: Path, limits: Limits, most: int | None, progress: Progress
) -> Raw:
    """A Parquet file; whatever type a column has, its cells become text.

    Raises:
        DataError: when it is damaged or has nested columns.
    """
    try:
        file = pq.ParquetFile(source.path)
        schema = file.schema_arrow
        nested = next((f for f in schema if pa.types.is_nested(f.type)), None)
        if nested is not None:
            raise DataError(
                f"{source.name}, column {nested.name}: holds {nested.type}, not single values; "
                "flatten it."
            )
        names, notes = named([str(n) for n in schema.names], source.name, limits)
        raw = Raw(source, Format(), names, out, notes=notes)
        writer = TableWriter(raw, limits)
        line = 0
        try:
            for batch in file.iter_batches(batch_size=10_000):
                columns = [_column(batch.column(i)) for i in range(batch.num_columns)]
                for cells in zip(*columns, strict=True):
                    line += 1
                    writer.add(list(cells), line)
                    if most is not None and raw.rows_in >= most:
                        return raw
                progress(line)
        finally:
            writer.close()
        return raw
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{source.name} is a damaged Parquet file ({reason}); export it again."
        ) from error


def _column(array: pa.Array) -> list[str]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return [_text(v) for v in array.to_pylist()]
