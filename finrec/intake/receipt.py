"""What became of every row of uploaded files."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from finrec.intake.tables import Reject

COLUMNS = ("file", "row", "line", "column", "reason", "content")


@dataclass(frozen=True)
class FileReceipt:
    """One file: ``rows_in`` is ``loaded`` plus ``rejected``."""

    file: str
    kind: str
    rows_in: int
    loaded: int
    rejected: int
    blank_lines: int
    encoding: str
    separator: str
    decimal: str


@dataclass(frozen=True)
class Receipt:
    """What became of every row.

    Args:
        rows_in: data rows of all files.
        loaded: rows that the data set holds.
        rejected: rows that it doesn't; the two add up to ``rows_in``.
        reasons: reason to number of rows.
        files: the same, file by file.
        notes: what was changed or guessed, each a sentence.
        profile: of the data set (see :mod:`finrec.snapshots.quality`).
        rejects: file, row (data rows from 1), line (of the file, from 1), column, reason, content.
    """

    rows_in: int
    loaded: int
    rejected: int
    reasons: dict[str, int]
    files: tuple[FileReceipt, ...]
    notes: tuple[str, ...] = ()
    profile: dict[str, Any] = field(default_factory=dict)
    rejects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))

    def to_json(self) -> dict[str, Any]:
        """Everything but the rejected rows, as plain lists and dicts."""
        told = {k: v for k, v in vars(self).items() if k != "rejects"}
        return {**told, "files": [asdict(f) for f in self.files], "notes": list(self.notes)}

    @staticmethod
    def from_json(told: dict[str, Any], rejects: pd.DataFrame) -> Receipt:
        """Inverse of :meth:`to_json`, with the rejected rows."""
        files = tuple(FileReceipt(**f) for f in told["files"])
        return Receipt(**{**told, "files": files, "notes": tuple(told["notes"]),
                          "rejects": rejects})  # fmt: skip


def safe(cell: str) -> str:
    """A cell that a spreadsheet will not take for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def rejects_csv(rejects: list[Reject], content: bool = True) -> str:
    """The rejected rows as CSV, one line each, fit for a spreadsheet.

    Args:
        rejects: in the order of the files.
        content: whether the rows themselves are shown, customers' values included.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for r in rejects:
        shown = safe(r.content) if content else ""
        writer.writerow([safe(r.file), r.row, r.line, safe(r.column), r.reason, shown])
    return out.getvalue()
