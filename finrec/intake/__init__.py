"""An analyst's own files: what they mean is proposed, checked, and every row accounted for.

:func:`propose` guesses a :class:`Mapping`, a person corrects it, :func:`preview` shows what it
gives, :func:`read` or :func:`ingest_uploaded` make the data set. All parsing is done by a process
of its own, bounded in memory and time.
"""

from finrec.intake.limits import Limits
from finrec.intake.mapping import Column, Mapping, Table
from finrec.intake.receipt import Receipt
from finrec.intake.uploaded import Preview, ingest_uploaded, preview, propose, read

__all__ = [
    "Column",
    "Limits",
    "Mapping",
    "Preview",
    "Receipt",
    "Table",
    "ingest_uploaded",
    "preview",
    "propose",
    "read",
]
