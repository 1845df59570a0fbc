"""How a text table is written: encoding, separator, header and decimal sign, from its content."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finrec.intake.values import MONEY, in_plain_digits
from finrec.schema import DataError

SAMPLE = 2**18  # bytes looked at for separator and header
SEPARATORS = (",", ";", "\t", "|")
MOST_ABOVE = 20  # rows above a header
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Words with a letter beyond ASCII: not quotes, dashes, currency signs and blanks (cp1252).
_HIGH = rb"\x81\x83\x8a\x8c-\x90\x9a\x9c-\x9f\xc0-\xd6\xd8-\xf6\xf8-\xff"
_BEYOND = re.compile(rb"[A-Za-z" + _HIGH + rb"]*[" + _HIGH + rb"][A-Za-z" + _HIGH + rb"]*")
COMMA = re.compile(r"^[-+]?((\d{1,3}(\.\d{3})+|\d+),\d+|\d{1,3}(\.\d{3}){2,})$")
POINT = re.compile(r"^[-+]?((\d{1,3}(,\d{3})+|\d*)\.\d+|\d{1,3}(,\d{3}){2,})$")
EITHER = re.compile(r"^[-+]?[1-9]\d{0,2}[.,]\d{3}$")  # thousands or three decimals
NUMBER = re.compile(r"^[-+]?(\d[\d., ]*|\.\d+)(e[-+]?\d+)?$", re.IGNORECASE)
DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]\d.*)?$")


@dataclass(frozen=True)
class Format:
    """How one text table is written.

    Args:
        encoding: name as Python knows it.
        separator: between cells.
        header: whether the first row names the columns.
        decimal: ``.`` or ``,``.
        sheet: of a workbook; empty: its first sheet with content.
        above: rows above the header that are not blank: a title, the day of the report.
    """

    encoding: str = "utf-8"
    separator: str = ","
    header: bool = True
    decimal: str = "."
    sheet: str = ""
    above: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain dict."""
        return asdict(self)


def encoding_of(file: Path, name: str) -> str:
    """The encoding that reads most of the file; UTF-8 where both would do.

    Raises:
        DataError: when it is no text, or in an encoding that can't be told.
    """
    with file.open("rb") as stream:
        start = stream.read(SAMPLE)
        for mark, encoding in _BOMS:
            if start.startswith(mark):
                return encoding
        nul = start.count(b"\0")
        if nul > 0.2 * len(start):
            even, odd = start[0::2].count(b"\0"), start[1::2].count(b"\0")
            if max(even, odd) > 5 * min(even, odd):
                return "utf-16-be" if even > odd else "utf-16-le"
        control = sum(start.count(bytes([c])) for c in range(32) if c not in (9, 10, 12, 13, 0))
        if control + nul > 0.05 * len(start):
            ending = Path(name).suffix.lower()
            if ending in (".xlsx", ".parquet"):
                raise DataError(
                    f"{name} is no {ending} file inside, or it is damaged; save or export it again."
                )
            raise DataError(f"{name} is not text; give CSV, XLSX or Parquet.")
        # Lines beyond ASCII vote: a few bad lines don't make a UTF-8 file another encoding.
        good = bad = 0
        stream.seek(0)
        while chunk := stream.readlines(SAMPLE):
            if b"".join(chunk).isascii():
                continue
            for line in chunk:
                if not line.isascii():
                    try:
                        line.decode("utf-8")
                        good += 1
                    except UnicodeDecodeError:
                        bad += 1
            if good + bad > 100_000:
                break
    if good >= bad:
        return "utf-8"
    if not _western(start):
        raise DataError(
            f"{name} is neither UTF-8 nor in a Western encoding (Shift-JIS, GB18030 or "
            'windows-1251, say); save it as UTF-8, in a spreadsheet as "CSV UTF-8".'
        )
    undefined = any(bytes([c]) in start for c in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    return "latin-1" if undefined else "cp1252"


def _western(start: bytes) -> bool:
    """Whether letters beyond ASCII stand among others, as in Latin script, not by themselves.

    Any bytes are text in a Western encoding: Japanese or Russian would become signs that nobody
    can read, and that nothing matches.
    """
    words = [word for word in _BEYOND.findall(start) if len(word) > 1]  # an "à" says nothing
    letters = sum(map(len, words))
    return sum(c >= 0x80 for word in words for c in word) <= letters / 2


def format_of(file: Path, name: str) -> Format:
    """Guess everything about a text table.

    Raises:
        DataError: when it is no text.
    """
    encoding = encoding_of(file, name)
    with file.open("rb") as stream:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(stream.read(SAMPLE))
    lines = re.split(r"\r\n|\n|\r", text)
    lines = [line for line in (lines[:-1] if len(lines) > 1 else lines) if line.strip()][:500]
    separator = _separator(lines)
    rows = parsed(lines, separator)
    skipped = above(rows)
    header = _has_header(rows[skipped:])
    return Format(encoding, separator, header, _decimal(rows, separator), above=skipped)


def parsed(lines: list[str], separator: str) -> list[list[str]]:
    """Rows of sample lines; a damaged one is split at separators."""
    rows = []
    for line in lines:
        try:
            rows.append(next(csv.reader([line], delimiter=separator), []))
        except csv.Error:
            rows.append(line.split(separator))
    return [[cell.strip() for cell in row] for row in rows]


def above(rows: list[list[str]]) -> int:
    """How many of the first rows stand above the table: few cells filled, then a full row.

    Args:
        rows: that are not blank, of text cells.
    """
    usual = Counter(len(row) for row in rows).most_common(1)[0][0] if rows else 0
    for place, row in enumerate(rows[: MOST_ABOVE + 1]):
        filled = sum(bool(cell) for cell in row)
        if filled > usual / 2:
            return place if usual > 1 else 0
    return 0


def _separator(lines: list[str]) -> str:
    """The one that splits most lines into the same number of cells, more than one."""
    best, rank = ",", (0.0, 0)
    for separator in SEPARATORS:
        widths = Counter(len(row) for row in parsed(lines, separator))
        width, count = max(widths.items(), key=lambda w: (w[1], w[0]), default=(1, 0))
        share = count / max(len(lines), 1)
        if width > 1 and (round(share, 1), width) > rank:
            best, rank = separator, (round(share, 1), width)
    return best


def _kind(cell: str) -> str:
    if not cell:
        return "empty"
    if DATE.match(cell):
        return "date"
    return "number" if NUMBER.match(cell) else "text"


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: text, distinct, unlike what stands below it."""
    if not rows:
        return True
    first, rest = rows[0], rows[1:]
    kinds = [_kind(cell) for cell in first]
    if any(kind in ("number", "date") for kind in kinds):
        # A name may be a number (2019) only if nearly everything else is a name.
        if sum(kind == "text" for kind in kinds) < 0.8 * len(kinds):
            return False
    if not rest:
        return True
    below = list(zip(*(row for row in rest if len(row) == len(first)), strict=False))
    if not below:
        return True
    for name, cells in zip(first, below, strict=False):
        if name and any(_kind(c) in ("number", "date") for c in cells) and _kind(name) == "text":
            return True
    return not any(name and name in cells for name, cells in zip(first, below, strict=False))


def _decimal(rows: list[list[str]], separator: str) -> str:
    """The sign that is surely the decimal one; of 1.500 and 1,500 nobody knows."""
    cells = [MONEY.sub("", in_plain_digits(cell)) for row in rows for cell in row]
    sure = [c for c in cells if not EITHER.match(c)]
    comma = sum(bool(COMMA.match(c)) for c in sure)
    point = sum(bool(POINT.match(c)) for c in sure)
    if comma or point:
        return "," if comma > point and (separator != "," or comma > 2 * point) else "."
    # Without any sure one: where cells stand between semicolons, a comma is the decimal sign.
    return "," if separator == ";" and len(sure) < len(cells) else "."
