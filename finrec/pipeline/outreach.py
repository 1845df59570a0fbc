"""Offers behind the policy: who may be offered what, what to offer today, and what came of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finrec import records as store
from finrec import snapshots
from finrec.pipeline import answering
from finrec.pipeline.backtest import Backtest, backtest
from finrec.pipeline.campaigning import Plan, plan
from finrec.pipeline.feedback import Accepted, Estimates, feedback, off_policy, with_feedback
from finrec.pipeline.morning import Book, book, managers
from finrec.pipeline.nightly import (
    Batch,
    Cancelled,
    batch,
    batches,
    cancel_batch,
    delete_batch,
    resume_batch,
    start_batch,
    work_batch,
)
from finrec.pipeline.saved import (
    Outcome,
    campaigns,
    export_campaign,
    outcome,
    save_campaign,
)
from finrec.pipeline.standing import (
    Standing,
    abstention,
    ordered,
    segment,
    segments,
    stand,
)
from finrec.pipeline.tradeoff import trade_off
from finrec.records import KINDS
from finrec.schema import CUSTOMER, NAME, PRODUCT, DataError
from finrec.scorer import Catalogue, cohort
from finrec.serving import export, offpolicy
from finrec.serving import policy as rules
from finrec.serving.gate import STATES, Gate, Verdict
from finrec.serving.gate import gate as apply
from finrec.serving.policy import Policy
from finrec.serving.recommender import Recommender
from finrec.serving.topk import topk

__all__ = [
    "KINDS", "REASONS", "STATES", "Accepted", "Backtest", "Batch", "Book", "Cancelled", "Estimates",
    "Gate", "Offers", "Outcome", "Plan", "Policy", "Standing", "Verdict", "abstention", "backtest",
    "batch", "batches", "book", "campaigns", "cancel_batch", "check_policy", "default_policy_text",
    "delete_batch", "export_campaign", "export_records", "feedback", "find_records", "gate",
    "managers", "not_checked", "off_policy", "offers", "outcome", "plan", "policy", "policy_text",
    "record", "record_called", "record_exclusions", "record_shown",
    "records_decided", "records_written", "reset_policy", "resume_batch", "save_campaign",
    "save_policy", "segment", "segments", "stand", "start_batch", "test_policy", "trade_off",
    "undo", "verdict", "verify_records", "with_feedback", "work_batch",
]  # fmt: skip

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


@dataclass(frozen=True)
class Offers:
    """What to offer a customer today.

    Args:
        frame: rank, product_id, name, score, probability (if the customer takes something next),
            take_up (within the policy's window), value, state, reasons (sentences),
            propensity (chance of standing in the first place).
        nothing: why there is no offer today; empty where there is one.
        not_checked: rules for which nothing is known.
        caveat: what to know of ``take_up``; empty where it is what it says.
    """

    frame: pd.DataFrame
    nothing: str
    not_checked: tuple[str, ...]
    caveat: str = ""


def policy() -> Policy:
    """The policy in force."""
    return rules.load()


def policy_text() -> str:
    """The policy in force, as TOML."""
    own = rules.file()
    return own.read_text(encoding="utf-8") if own.exists() else rules.default_text()


def default_policy_text() -> str:
    """The built-in policy, as TOML."""
    return rules.default_text()


def check_policy(text: str, name: str = "policy.toml") -> Policy:
    """The policy that a text says.

    Raises:
        PolicyError: naming line, field and remedy.
    """
    return rules.parse(text, name)


def save_policy(text: str, who: str = "", note: str = "") -> Policy:
    """Put a policy in force, after checking it, and record who signed it off.

    Raises:
        PolicyError: when it is not valid; the one in force stays.
    """
    checked = rules.parse(text)
    file = rules.file()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".part-{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    os.replace(part, file)
    digest = hashlib.sha256(text.encode()).hexdigest()
    record("signed_off", who=who, note=note, detail={"policy": checked.title, "sha256": digest})
    return checked


def reset_policy(who: str = "") -> Policy:
    """Put the built-in policy in force again."""
    rules.file().unlink(missing_ok=True)
    record("signed_off", who=who, detail={"policy": "built-in policy"})
    return rules.load()


def test_policy(
    text: str | None, customer: Mapping[str, Any], product: Mapping[str, Any]
) -> Verdict:
    """What a policy (None: the one in force) says of attributes that you give."""
    return rules.test_it(rules.load() if text is None else rules.parse(text), customer, product)


test_policy.__test__ = False  # type: ignore[attr-defined]  # the name is for people, not for pytest


def not_checked(snapshot: str, text: str | None = None) -> tuple[str, ...]:
    """Rules of a policy (None: the one in force) for which a snapshot has no column."""
    chosen = rules.load() if text is None else rules.parse(text)
    data = snapshots.find(snapshot)
    products = data.query("SELECT * FROM products")
    people = data.query("SELECT * FROM customers LIMIT 1")
    events = data.query("SELECT * FROM events LIMIT 0")
    catalogue = Catalogue(products)
    one = cohort(people[CUSTOMER].to_numpy(), events, people, catalogue, pd.Timestamp.now("UTC"))
    return apply(chosen, one, catalogue, store.find(limit=0)).not_checked


def gate(run: str | Recommender, customers: Sequence[str], policy: Policy | None = None) -> Gate:
    """The policy applied to these customers and all products of a run."""
    return stand(run, customers, policy).gate


def verdict(run: str | Recommender, customer: str, product: str) -> Verdict:
    """What the policy in force says of one customer and one product of a run."""
    recommender = answering.load(run) if isinstance(run, str) else run
    found = stand(recommender, [customer]).gate
    position = recommender.catalogue.position(product)
    return Verdict(
        STATES[found.state[0, position]], tuple(found.reasons(0, position)), found.not_checked
    )


def offers(run: str | Recommender, customer: str, k: int = 5, seed: int | None = None) -> Offers:
    """What to offer a customer today, behind the policy and in its order.

    Args:
        run: name or loaded.
        customer: id.
        k: at most so many.
        seed: of exploration, where the policy has some; None: the same all day.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    at = stand(recommender, [customer])
    index = ordered(recommender, at, at.gate.allowed, k)
    if seed is None:
        today = f"{recommender.run.id} {customer} {datetime.now(UTC):%Y-%m-%d}"
        seed = int.from_bytes(hashlib.sha256(today.encode()).digest()[:8])
    index, propensity = offpolicy.explored(
        index, at.policy.value.explore, np.random.default_rng(seed)
    )
    chosen = index[0][index[0] >= 0]
    table = recommender.catalogue.table.iloc[chosen]
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, len(chosen) + 1),
            PRODUCT: table[PRODUCT].astype("str").to_numpy(),
            NAME: table[NAME].astype("str").to_numpy(),
            "score": at.scores[0, chosen],
            "probability": at.probability[0, chosen],
            "take_up": at.take_up[0, chosen],
            "value": at.value[0, chosen],
            "state": [STATES[s] for s in at.gate.state[0, chosen]],
            "reasons": [" ".join(r.sentence for r in at.gate.reasons(0, p)) for p in chosen],
            "propensity": propensity[0][: len(chosen)],
        }
    )
    judge = abstention(recommender, at.policy)
    best = float(frame["probability"].max()) if len(frame) else 0.0
    why = ""
    if judge is not None or frame.empty:
        reason = 1 if judge is None else int(judge.decide(at.probability, at.gate.allowed)[0])
        why = _nothing(reason) if judge is None else judge.sentence(reason, best)
    return Offers(frame, why, at.gate.not_checked, at.caveat)


def _nothing(reason: int) -> str:
    return "No offer today: nothing may be offered to this customer under the policy." * (
        reason == 1
    )


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


def record_shown(run: Recommender, customer: str, shown: Offers, who: str = "") -> int:
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
