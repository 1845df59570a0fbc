"""My book: which customers are worth a call today, with what, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from finrec import records
from finrec import snapshots as store
from finrec.pipeline import answering
from finrec.pipeline.standing import Standing, abstention, batch_size, families, remembered, stand
from finrec.schema import CUSTOMER, NAME, PRODUCT, TIME
from finrec.serving import policy as rules
from finrec.serving import triggers
from finrec.serving.gate import STATES
from finrec.serving.policy import Policy
from finrec.serving.recommender import Recommender

MOST = 20_000  # customers scored for a book; those with a trigger come first
SNOOZE_DAYS = 7  # a snooze without a date
DONE_DAYS = 14  # a call that was made rests so long
ADVICE = (1.0, 1.0, 0.8, 0.0)  # what is left of an offer's worth in each state
COLUMNS = (
    CUSTOMER, PRODUCT, NAME, "probability", "take_up", "value", "state", "rules", "trigger",
    "reason", "date", "priority",
)  # fmt: skip


@dataclass(frozen=True)
class Book:
    """Calls worth making today.

    Args:
        frame: COLUMNS, the most worthwhile first.
        considered: customers looked at.
        resting: of them, snoozed or called lately.
        abstained: of them, without an offer good enough.
        nothing: why the book is empty; empty where it is not.
        caveat: what to know of ``take_up``; empty where it is what it says.
    """

    frame: pd.DataFrame
    considered: int
    resting: int
    abstained: int
    nothing: str
    caveat: str = ""


def managers(run: str | Recommender) -> tuple[str, ...]:
    """Relationship managers that the customers table names; empty where it has no such column."""
    recommender = answering.load(run) if isinstance(run, str) else run
    column = _manager_column(recommender, rules.load())
    if column is None:
        return ()
    return tuple(sorted(recommender.dataset.customers[column].dropna().astype("str").unique()))


def _manager_column(recommender: Recommender, policy: Policy) -> str | None:
    named = policy.columns.customers.get("manager", ())
    return next((c for c in named if c in recommender.dataset.customers.columns), None)


def book(
    run: str | Recommender,
    customers: Sequence[str] | None = None,
    manager: str | None = None,
    limit: int = 25,
    before: str | None = None,
) -> Book:
    """The customers worth a call today: worth of the best offer, raised by what makes it timely.

    Args:
        run: name or loaded.
        customers: whose; None: the manager's, or everybody.
        manager: name in the customers table's column of managers.
        limit: at most so many calls.
        before: an earlier snapshot; attributes that changed since are life events.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    policy = rules.load()
    ids = _whose(recommender, policy, customers, manager)
    past = records.find(limit=None)
    past = past[~past["undone"].astype(bool)]
    resting = _resting(past)
    awake = [c for c in ids if c not in resting]
    found = _triggers(recommender, policy, past, awake, before)
    timely = set(found[CUSTOMER])
    if len(awake) > MOST:
        awake = sorted(awake, key=lambda c: c not in timely)[:MOST]
    first = found.drop_duplicates(CUSTOMER).set_index(CUSTOMER)
    parts, abstained, caveat = [], 0, ""
    judge = abstention(recommender, policy)
    memory = remembered()
    size = batch_size(recommender)
    for start in range(0, len(awake), size):
        at = stand(recommender, awake[start : start + size], policy, memory)
        caveat = at.caveat
        worth = at.value * np.asarray(ADVICE)[at.gate.state]
        worth = np.where(at.gate.allowed, worth, 0.0)
        best = worth.argmax(1)
        rows = np.arange(len(at.customers))
        strength = first["strength"].reindex(at.customers.ids).fillna(0.0).to_numpy(np.float64)
        priority = worth[rows, best] * (1 + strength)
        good = priority > policy.value.call_cost
        if judge is not None:  # something that happened is reason enough to call
            enough = (judge.decide(at.probability, at.gate.allowed) == 0) | (strength > 0)
            good &= enough
        abstained += int((~good).sum())
        for b in np.flatnonzero(good):
            parts.append(_line(recommender, at, int(b), int(best[b]), float(priority[b]), first))
    frame = pd.DataFrame(parts, columns=list(COLUMNS))
    frame = frame.sort_values(["priority", CUSTOMER], ascending=[False, True])
    nothing = ""
    if frame.empty:
        away = resting & set(ids)
        nothing = (
            "Nothing is worth a call today: "
            + (f"{len(away):,} {'customer is' if len(away) == 1 else 'customers are'} snoozed or "
               "called lately, and " if away else "")
            + f"no offer to {'the other' if away else 'any of'} {len(awake):,} is expected to "
            f"bring more than {policy.value.call_cost:g} {policy.value.currency}."
        )  # fmt: skip
    return Book(
        frame.head(limit).reset_index(drop=True), len(ids), len(resting & set(ids)), abstained,
        nothing, caveat,
    )  # fmt: skip


def _whose(
    recommender: Recommender,
    policy: Policy,
    customers: Sequence[str] | None,
    manager: str | None,
) -> list[str]:
    if customers is not None:
        return list(customers)
    table = recommender.dataset.customers
    column = _manager_column(recommender, policy)
    if manager is not None and column is not None:
        return list(table.loc[table[column].astype("str") == manager, CUSTOMER])
    return sorted(recommender.known)


def _resting(past: pd.DataFrame) -> set[str]:
    """Customers snoozed until later, or called within DONE_DAYS."""
    now = pd.Timestamp.now("UTC").tz_localize(None)
    done = past[(past["kind"] == "done") & (past["time"] > now - pd.Timedelta(days=DONE_DAYS))]
    found = set(done[CUSTOMER])
    snoozed = past[past["kind"] == "snoozed"]
    told = [json.loads(d) if d else {} for d in snoozed["detail"]]
    until = pd.to_datetime(pd.Series([t.get("until") for t in told]), errors="coerce")
    until = until.fillna(snoozed["time"].reset_index(drop=True) + pd.Timedelta(days=SNOOZE_DAYS))
    found |= set(snoozed[CUSTOMER][(until > now).to_numpy()])
    return found


def _triggers(
    recommender: Recommender,
    policy: Policy,
    past: pd.DataFrame,
    ids: Sequence[str],
    before: str | None,
) -> pd.DataFrame:
    data = recommender.dataset
    mine = set(ids)
    terms = policy.columns.products.get("term_months", ())
    term = next((c for c in terms if c in data.products.columns), None)
    earlier = None if before is None else store.find(before).load().customers
    found = triggers.find(
        data.events[data.events[CUSTOMER].isin(mine)],
        data.customers[data.customers[CUSTOMER].isin(mine)],
        data.products,
        past,
        data.events[TIME].max() + pd.Timedelta(days=1),
        term,
        _matures(recommender, policy),
        earlier,
        {str(k): v for k, v in policy.eligibility.cooling_off.items()},
    )
    return found[found[CUSTOMER].isin(mine)]


def _matures(recommender: Recommender, policy: Policy) -> set[str] | None:
    """Products of the families whose end is a reason to call; None where that is not said."""
    family = families(recommender, policy)
    if family is None or not policy.value.maturing:
        return None
    named = [f.casefold() for f in policy.value.maturing]
    return set(recommender.catalogue.ids[np.isin(family, named)])


def _line(
    recommender: Recommender,
    at: Standing,
    row: int,
    product: int,
    priority: float,
    first: pd.DataFrame,
) -> tuple[object, ...]:
    table = recommender.catalogue.table
    customer = str(at.customers.ids[row])
    trigger, reason = "", ""
    date: Any = pd.NaT
    if customer in first.index:
        told = first.loc[customer]
        trigger, reason, date = str(told["trigger"]), str(told["sentence"]), told["date"]
    if not reason:
        chance = float(at.probability[row, product])
        reason = f"If the customer takes something next, it is this with {chance:.0%}."
    sentences = " ".join(r.sentence for r in at.gate.reasons(row, product))
    return (
        customer,
        str(table[PRODUCT].iloc[product]),
        str(table[NAME].iloc[product]),
        float(at.probability[row, product]),
        float(at.take_up[row, product]),
        float(at.value[row, product]),
        STATES[at.gate.state[row, product]],
        sentences,
        trigger,
        reason,
        date,
        priority,
    )
