"""What is done, shown and answered, written into the records, and read from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from finrec import records as store
from finrec.pipeline.standing import stand
from finrec.records import KINDS as KINDS
from finrec.schema import CUSTOMER, PRODUCT, DataError
from finrec.serving import export
from finrec.serving.recommender import Recommender
from finrec.topk import topk

REASONS: dict[str, dict[str, str]] = {
    "not_now": {
        "no_time": "No time at present",
        "no_money": "No money for it at present",
        "wait_rates": "Waits for other rates or prices",
        "other_plans": "Has other plans first",
    },
    "not_suitable": {
        "has_elsewhere": "Has the like at another bank",
        "too_risky": "Too risky for the customer",
        "too_long": "Ties money for too long",
        "no_need": "The customer does not need it",
        "does_not_understand": "The customer does not understand it",
    },
    "declined": {
        "price": "Too dear",
        "terms": "Dislikes the terms",
        "competitor": "Prefers a competitor",
        "no_interest": "No interest",
    },
}

ANSWERS = ("offered", "not_now", "not_suitable", "accepted", "declined", "snoozed", "done")
_answered: dict[str, tuple[str, frozenset[str]]] = {}


class Listed(Protocol):
    """A list that was shown (:class:`finrec.pipeline.outreach.Offers`)."""

    @property
    def frame(self) -> pd.DataFrame:
        """rank, product_id, score, probability, propensity."""


def record(
    kind: str,
    customer: str = "",
    product: str = "",
    run: str | Recommender = "",
    **more: Any,
) -> int:
    """Record what was done or answered.

    Args:
        kind: of KINDS.
        customer: id.
        product: id.
        run: name, or loaded (then its snapshot is recorded, too).
        **more: who, rank, score, probability, propensity, reason_code, note, channel, campaign,
            detail, snapshot, time; a snooze has ``detail={"until": "2026-01-31"}``.

    Raises:
        DataError: when it makes no sense.
    """
    row = {"kind": kind, CUSTOMER: customer, PRODUCT: product, **more}
    if isinstance(run, Recommender):
        row |= {"run": run.run.id, "snapshot": run.snapshot.ref}
    elif run:
        row["run"] = run
    if kind in REASONS and row.get("reason_code") not in (None, "", *REASONS[kind]):
        raise DataError(
            f"{row['reason_code']!r} is no reason for {kind}; use {', '.join(REASONS[kind])}."
        )
    return store.append(pd.DataFrame([row]))


def record_shown(run: Recommender, customer: str, shown: Listed, who: str = "") -> int:
    """Record every offer of a list that a person was shown, with place and propensity.

    Each is recorded once a day for the same person, customer, product and run; returns how many
    were new.
    """
    columns = ["rank", PRODUCT, "score", "probability"]
    frame = shown.frame[columns].assign(kind="shown", who=who, run=run.run.id)
    # What is logged is the decision for the first place; the others are noted with their place.
    frame["propensity"] = shown.frame["propensity"].where(shown.frame["rank"] == 1)
    frame[CUSTOMER] = customer
    return store.append_once(frame.assign(snapshot=run.snapshot.ref), _midnight())


def record_called(run: Recommender, calls: pd.DataFrame, who: str = "") -> int:
    """Record the offers of a morning's calls as shown; as :func:`record_shown`."""
    frame = calls[[CUSTOMER, PRODUCT, "probability"]].assign(
        kind="shown", who=who, run=run.run.id, snapshot=run.snapshot.ref, channel="book"
    )
    return store.append_once(frame, _midnight())


def _midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def record_exclusions(run: Recommender, customers: Sequence[str], k: int = 5, who: str = "") -> int:
    """Record which of the model's own best k the policy kept back, each with its rule."""
    at = stand(run, customers)
    data_allows = run.offerable(at.customers)
    index, _ = topk(at.probability, data_allows, min(k, len(run.catalogue)))
    rows = []
    for b, place in zip(*np.nonzero(index >= 0), strict=True):
        product = int(index[b, place])
        if not at.gate.allowed[b, product]:
            reasons = at.gate.reasons(int(b), product)
            rows.append(
                {
                    "kind": "excluded", CUSTOMER: at.customers.ids[b],
                    PRODUCT: run.catalogue.ids[product], "who": who, "run": run.run.id,
                    "snapshot": run.snapshot.ref, "rank": place + 1,
                    "probability": at.probability[b, product],
                    "reason_code": reasons[0].code, "note": reasons[0].sentence,
                    "detail": {"rules": [r.code for r in reasons]},
                }
            )  # fmt: skip
    return store.append(pd.DataFrame(rows))


def find_records(
    text: str = "",
    kinds: Sequence[str] = (),
    since: datetime | None = None,
    customer: str | None = None,
    limit: int | None = 500,
) -> pd.DataFrame:
    """Records, newest first; see :func:`finrec.records.find`."""
    return store.find(text, kinds, since, customer, limit)


def find_answers(customer: str, limit: int = 50) -> pd.DataFrame:
    """What a customer was offered and answered, newest first.

    The file is asked only about customers of whom something is known to be recorded.
    """
    key = f"{store.path()} {store.decided()}"
    have = _answered.get("last")
    if have is None or have[0] != key:
        have = _answered["last"] = (key, store.customers(ANSWERS))
    return store.find(kinds=ANSWERS, customer=customer, limit=limit if customer in have[1] else 0)


def export_records(path: Path, who: str = "", **sought: Any) -> int:
    """Write records to a CSV, XLSX or Parquet file and record that; returns how many."""
    found = store.find(**{"limit": None, **sought})
    export.write(found, path)
    record("exported", who=who, detail={"records": len(found), "file": path.name})
    return len(found)


def undo(entry: str, who: str = "", note: str = "") -> int:
    """Take a record back by another; see :func:`finrec.records.undo`."""
    return store.undo(entry, who, note)


def records_decided() -> str:
    """Changes when a record may change what is offered; see :func:`finrec.records.decided`."""
    return store.decided()


def records_written() -> str:
    """Changes with every record."""
    return store.written()


def verify_records() -> store.Verification:
    """Whether the records are as they were written."""
    return store.verify()
