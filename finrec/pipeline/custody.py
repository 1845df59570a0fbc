"""Looking after data: what is in a snapshot, how two differ, deleting one, erasing a customer."""

from __future__ import annotations

from datetime import UTC, datetime

from finrec import snapshots as store
from finrec.snapshots import Comparison, Erasure, Quality


def quality(ref: str) -> Quality:
    """A snapshot's profile: gaps, outliers, repeats, dates, balance."""
    return store.quality(store.find(ref).path, datetime.now(UTC).date().isoformat())


def compare(before: str, after: str) -> Comparison:
    """What changed from one snapshot to another."""
    return store.compare(store.find(before), store.find(after))


def delete(ref: str) -> None:
    """Delete a snapshot for good; models trained on it stay but can't answer."""
    store.delete(store.find(ref))


def erase(customer: str) -> Erasure:
    """Erase a customer from every snapshot, with a proof, and flag the models that saw them."""
    return store.erase(customer)
