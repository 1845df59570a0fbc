"""Immutable, versioned copies of data sets: kept, listed, compared, deleted, and erased from."""

from finrec.snapshots.compare import Comparison, compare
from finrec.snapshots.erase import Erasure, erase, mentions
from finrec.snapshots.pseudonyms import pseudonymised, read_key
from finrec.snapshots.store import (
    Snapshot,
    connect,
    delete,
    file_lineage,
    find,
    publish,
    read,
    snapshots,
    staging,
    write,
)

__all__ = [
    "Comparison",
    "Erasure",
    "Snapshot",
    "compare",
    "connect",
    "delete",
    "erase",
    "file_lineage",
    "find",
    "mentions",
    "pseudonymised",
    "publish",
    "read",
    "read_key",
    "snapshots",
    "staging",
    "write",
]
