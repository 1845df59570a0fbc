"""What a nasty file is, and the small ones that others are made of."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import openpyxl
import pandas as pd

from finrec.intake import Limits
from tests.intake import here

HEAD = "customer_id,product,date,amount\n"
ROWS = "007,Gold card,2024-01-31,10.5\n8,Fund A,2024-02-29,20\n9,Fund A,2024-03-01,30\n"
GOOD = HEAD + ROWS


@dataclass(frozen=True)
class Nasty:
    """A file and what must come of it: ``loaded`` and ``rejected`` rows, or the error ``says``."""

    name: str
    content: bytes | Callable[[], bytes]
    loaded: int = 0
    rejected: int = 0
    says: str = ""
    reason: str = ""
    check: Callable[[here.Result], bool] | None = None
    limits: Limits = Limits()


def ids(*expected: str) -> Callable[[here.Result], bool]:
    return lambda r: sorted(r.tables["customers"]["customer_id"]) == sorted(expected)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def workbook(rows: list[list[object]], *more: str) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for title in more:
        book.create_sheet(title)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out)
    return out.getvalue()


def quoted_zip() -> bytes:
    """A zip whose entry claims to be encrypted."""
    content = bytearray(zipped(("a.csv", GOOD.encode())))
    content[6] |= 1
    at = content.find(b"PK\x01\x02")
    content[at + 8] |= 1
    return bytes(content)


WIDE = "customer_id,month,has_card,has_loan,has_fund\n"
CELLS: list[list[object]] = [
    ["customer_id", "product", "date", "amount"],
    ["007", "Gold card", "2024-01-31", 10.5],
    [8, "Fund A", pd.Timestamp("2024-02-29").to_pydatetime(), 20],
]
