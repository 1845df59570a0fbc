"""Looking after data: what is in a snapshot, how two differ, deleting one, erasing a customer."""

from __future__ import annotations

from datetime import UTC, datetime

from finrec import records
from finrec import snapshots as store
from finrec.pipeline.nightly import forget_customer
from finrec.schema import DataError
from finrec.snapshots import Comparison, Erasure, Quality
from finrec.snapshots.erase import mentions


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
    """Erase a customer from snapshots, records and batches, with a proof; flag models.

    Raises:
        DataError: when nothing here knows the customer.
    """
    gone = records.erase(customer) + forget_customer(customer)
    try:
        return store.erase(customer)
    except DataError:
        if not gone:
            raise
        return Erasure((), (), *mentions(customer))
