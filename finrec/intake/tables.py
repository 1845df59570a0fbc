"""Any table as text cells: every row of the file is kept or rejected with a reason.

The result is Parquet with columns ``c0`` … as text (exactly as in the file but for blanks around a
cell), ``row`` (data rows from 1) and ``line`` (line of the file or row of the sheet, from 1).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from finrec.intake.archives import Source
from finrec.intake.formats import Format
from finrec.intake.limits import Limits
from finrec.schema import DataError

BATCH = 20_000
LONGEST_LINE = 2**24  # characters
SHOWN = 500  # characters of a rejected line that are kept
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Reject:
    """A row that was not loaded."""

    file: str
    row: int
    line: int
    column: str
    reason: str
    content: str


@dataclass
class Raw:
    """A table as text.

    Args:
        source: where it came from.
        format: how it is written (of a workbook only the sheet matters).
        columns: names from the header, made unique, in the order of c0, c1 …
        path: Parquet.
        rows_in: data rows, loaded and rejected; blank lines are none.
        blank: lines without content.
        rejects: what did not become a row.
        notes: what was changed on the way, each a sentence.
    """

    source: Source
    format: Format
    columns: list[str]
    path: Path
    rows_in: int = 0
    blank: int = 0
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class TableWriter:
    """Collects rows into Parquet and turns away what breaks a limit."""

    def __init__(self, raw: Raw, limits: Limits) -> None:
        self.raw, self.limits = raw, limits
        width = len(raw.columns)
        self.schema = pa.schema(
            [(f"c{i}", pa.string()) for i in range(width)]
            + [("row", pa.int64()), ("line", pa.int64())]
        )
        self.writer = pq.ParquetWriter(raw.path, self.schema)
        self.cells: list[list[str]] = []
        self.places: list[tuple[int, int]] = []

    def add(self, cells: list[str], line: int) -> None:
        """One row, or a rejection when it does not have as many cells as the table."""
        raw, width = self.raw, len(self.raw.columns)
        if len(cells) > width and not any(c.strip() for c in cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            reason = f"has {len(cells)} cells, the table {width} columns"
            self.reject("", reason, cells, line)
            return
        for name, cell in zip(raw.columns, cells, strict=True):
            if len(cell) > self.limits.cell:
                reason = f"cell has more than {self.limits.cell:,} characters"
                self.reject(name, reason, cells, line)
                return
            if not cell.isascii() and _SURROGATE.search(cell):
                self.reject(name, f"holds bytes that are not {raw.format.encoding}", cells, line)
                return
            if "\0" in cell:
                self.reject(name, "holds a NUL character", cells, line)
                return
        if cells == raw.columns and raw.format.header:
            self.reject("", "is the header again", cells, line)
            return
        self._count()
        self.cells.append(cells)
        self.places.append((raw.rows_in, line))
        if len(self.cells) >= BATCH:
            self._flush()

    def reject(self, column: str, reason: str, cells: Sequence[str], line: int) -> None:
        """Turn a row away."""
        self._count()
        content = self.raw.format.separator.join(c[:SHOWN] for c in cells[:100])[:SHOWN]
        readable = (
            content.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        )
        self.raw.rejects.append(
            Reject(self.raw.source.name, self.raw.rows_in, line, column, reason, readable)
        )

    def _count(self) -> None:
        self.raw.rows_in += 1
        if self.raw.rows_in > self.limits.rows:
            raise DataError(
                f"{self.raw.source.name} has more than {self.limits.rows:,} rows; split it."
            )

    def _flush(self) -> None:
        if not self.cells:
            return
        columns = list(zip(*self.cells, strict=True)) if self.raw.columns else []
        arrays = [pa.array([c.strip() for c in column], pa.string()) for column in columns]
        row, line = zip(*self.places, strict=True)
        arrays += [pa.array(row, pa.int64()), pa.array(line, pa.int64())]
        self.writer.write_batch(pa.record_batch(arrays, schema=self.schema))
        self.cells, self.places = [], []

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self.writer.close()


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
_SURROGATE = re.compile("[\ud800-\udfff]")


def named(cells: Sequence[str], file: str, limits: Limits) -> tuple[list[str], list[str]]:
    """Column names from a header, made unique, and notes on what was changed.

    Raises:
        DataError: when there are too many columns.
    """
    if len(cells) > limits.columns:
        raise DataError(
            f"{file} has {len(cells):,} columns; at most {limits.columns:,} are read. Choose the "
            "columns that matter."
        )
    names: list[str] = []
    taken: set[str] = set()
    notes = []
    for i, cell in enumerate(cells, start=1):
        plain = " ".join("".join(c if c.isprintable() else " " for c in cell).split())[:120]
        name = plain or f"column {i}"
        if not plain:
            notes.append(f"Column {i} has no name.")
        number = 2
        while name.lower() in taken:  # SQL does not tell case apart
            name, number = f"{plain or f'column {i}'} ({number})", number + 1
        if number > 2:
            notes.append(f"Column {plain!r} stands again as column {i}, called {name!r}.")
        names.append(name)
        taken.add(name.lower())
    return names, notes


def over(title: Sequence[str], file: str) -> list[str]:
    """A note on what stands above the header, if anything does."""
    if not title:
        return []
    rows = "1 row" if len(title) == 1 else f"{len(title)} rows"
    return [f"{rows} above the header of {file} left out: {' '.join(title[0].split())[:SHOWN]!r}."]


def read_text(
    source: Source, form: Format, out: Path, limits: Limits, most: int | None, progress: Progress
) -> Raw:
    """A text table; ``most`` data rows of it, or all.

    Raises:
        DataError: when it is empty or has too many rows or columns.
    """
    with source.path.open(encoding=form.encoding, errors="surrogateescape", newline="") as stream:
        records = _records(stream, form.separator, limits)
        title = [text for _, text, _ in islice((r for r in records if r[1].strip()), form.above)]
        first = next(((line, text, ok) for line, text, ok in records if text.strip()), None)
        if first is None:
            raise DataError(f"{source.name} holds nothing but blank lines; export it again.")
        line, text, complete = first
        cells = _cells(text, form.separator)
        if form.header:
            if not complete:
                raise DataError(
                    f"{source.name}, line {line}: a quotation in the header is not closed; fix it."
                )
            names, notes = named(cells, source.name, limits)
        else:
            names, notes = named([f"column {i}" for i in range(1, len(cells) + 1)], source.name,
                                 limits)  # fmt: skip
        raw = Raw(source, form, names, out, notes=[*over(title, source.name), *notes])
        writer = TableWriter(raw, limits)
        try:
            if not form.header:
                _take(writer, first, form.separator, records)
            for number, record in enumerate(records):
                if most is not None and raw.rows_in >= most:
                    break
                _take(writer, record, form.separator, records)
                if number % BATCH == 0:
                    progress(_position(stream))
        finally:
            writer.close()
    return raw


def _position(stream: TextIO) -> int:
    return stream.buffer.tell()


class _Records:
    """Records of a text: (line number of its first line, text, whether its quotations close)."""

    def __init__(self, stream: TextIO, separator: str, limits: Limits) -> None:
        self.stream, self.limits = stream, limits
        self.line = 0  # of the last line read
        self.waiting: list[str] = []  # lines given back
        sep = re.escape(separator)
        self.closed = re.compile(rf'(?:^|(?<={sep}))[ ]*"(?:[^"]|"")*"(?=[ ]*(?:{sep}|$))')
        self.opens = re.compile(rf'(?:^|(?<={sep}))[ ]*"')

    def __iter__(self) -> Iterator[tuple[int, str, bool]]:
        return self

    def __next__(self) -> tuple[int, str, bool]:
        line = self._read()
        if line is None:
            raise StopIteration
        first, text = self.line, line
        if '"' not in text or not self._open(text):
            return first, text, True
        parts = [line]
        size = len(line)
        while len(parts) < self.limits.lines and size < 4 * self.limits.cell:
            more = self._read()
            if more is None:
                break
            parts.append(more)
            size += len(more)
            if '"' in more and not self._open("".join(parts)):
                return first, "".join(parts), True
        self.give_back(parts[1:])
        return first, parts[0], False

    def give_back(self, lines: list[str]) -> None:
        """Read these lines again."""
        self.waiting = lines + self.waiting
        self.line -= len(lines)

    def _open(self, text: str) -> bool:
        return self.opens.search(self.closed.sub("", text.rstrip("\r\n"))) is not None

    def _read(self) -> str | None:
        if self.waiting:
            self.line += 1
            return self.waiting.pop(0)
        line = self.stream.readline(LONGEST_LINE)
        if not line:
            return None
        self.line += 1
        while len(line) == LONGEST_LINE and line[-1] not in "\r\n":  # one row, cut off
            rest = self.stream.readline(LONGEST_LINE)
            if len(rest) < LONGEST_LINE:
                break
        return line


def _records(stream: TextIO, separator: str, limits: Limits) -> _Records:
    return _Records(stream, separator, limits)


def _cells(text: str, separator: str) -> list[str]:
    plain = text.rstrip("\r\n")
    if '"' not in plain:
        return plain.split(separator)
    try:
        return next(csv.reader([plain], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # a NUL or a cell beyond csv's own limit
        return plain.split(separator)


def _take(
    writer: TableWriter, record: tuple[int, str, bool], separator: str, records: _Records
) -> None:
    line, text, complete = record
    if not text.strip():
        writer.raw.blank += 1
        return
    if not complete:
        writer.reject("", "a quotation is not closed", [text.rstrip("\r\n")], line)
        return
    cells = _cells(text, separator)
    lines = _physical(text)
    width = len(writer.raw.columns)
    if len(lines) > 1 and (
        len(cells) != width
        or (width > 2 and any(len(_cells(inner, separator)) == width for inner in lines[1:-1]))
    ):
        # The quotation ended by chance at another one, or holds whole rows: its first line is to
        # blame, and those after it are read as they stand.
        writer.reject("", "a quotation is not closed", [lines[0].rstrip("\r\n")], line)
        records.give_back(lines[1:])
        return
    writer.add(cells, line)


def _physical(text: str) -> list[str]:
    """The lines of a record, with their ends."""
    return _LINE.findall(text) if '"' in text else [text]
