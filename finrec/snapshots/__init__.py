"""Immutable, versioned copies of data sets: kept, listed, compared, deleted, and erased from."""

from finrec.snapshots.compare import Comparison, compare
from finrec.snapshots.erase import Erasure, erase, mentions
from finrec.snapshots.pseudonyms import pseudonymise_files, pseudonymised, read_key
from finrec.snapshots.quality import Quality, quality
from finrec.snapshots.querying import connect
from finrec.snapshots.store import (
    Snapshot,
    delete,
    discard,
    file_lineage,
    find,
    publish,
    read,
    snapshots,
    staging,
    sweep,
    write,
)

__all__ = [
    "Comparison",
    "Erasure",
    "Quality",
    "Snapshot",
    "compare",
    "connect",
    "delete",
    "discard",
    "erase",
    "file_lineage",
    "find",
    "mentions",
    "pseudonymise_files",
    "pseudonymised",
    "publish",
    "quality",
    "read",
    "read_key",
    "snapshots",
    "staging",
    "sweep",
    "write",
]
