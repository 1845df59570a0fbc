"""Offers behind the policy: who may be offered what, what to offer today, and what came of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from finrec.pipeline.recording import (
    KINDS,
    REASONS,
    export_records,
    find_answers,
    find_records,
    record,
    record_called,
    record_exclusions,
    record_shown,
    records_decided,
    records_written,
    undo,
    verify_records,
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
from finrec.schema import CUSTOMER, NAME, PRODUCT
from finrec.scorer import Catalogue, cohort
from finrec.serving import offpolicy
from finrec.serving import policy as rules
from finrec.serving.gate import STATES, Gate, Verdict
from finrec.serving.gate import gate as apply
from finrec.serving.policy import Policy
from finrec.serving.recommender import Recommender

__all__ = [
    "KINDS", "REASONS", "STATES", "Accepted", "Backtest", "Batch", "Book", "Cancelled", "Estimates",
    "Gate", "Offers", "Outcome", "Plan", "Policy", "Standing", "Verdict", "abstention", "backtest",
    "batch", "batches", "book", "campaigns", "cancel_batch", "check_policy", "default_policy_text",
    "delete_batch", "export_campaign", "export_records", "feedback", "find_answers",
    "find_records", "gate",
    "managers", "not_checked", "off_policy", "offers", "outcome", "plan", "policy", "policy_text",
    "record", "record_called", "record_exclusions", "record_shown",
    "records_decided", "records_written", "reset_policy", "resume_batch", "save_campaign",
    "save_policy", "segment", "segments", "stand", "start_batch", "test_policy", "trade_off",
    "undo", "verdict", "verify_records", "with_feedback", "work_batch",
]  # fmt: skip


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


def margins_built_in() -> bool:
    """Whether what products bring is still what the built-in policy invents."""
    own, built_in = rules.load().value, rules.parse(rules.default_text()).value
    return (own.margin, own.margin_otherwise) == (built_in.margin, built_in.margin_otherwise)


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
