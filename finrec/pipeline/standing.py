"""Where customers stand today: scores, chances, worth and the policy's gate, for every product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finrec import records
from finrec.pipeline import answering, best_offers
from finrec.schema import CUSTOMER, DESCRIPTION, NAME, PRODUCT, DataError
from finrec.scorer import Cohort
from finrec.serving import abstain
from finrec.serving import policy as rules
from finrec.serving.abstain import Abstention, Measured
from finrec.serving.columns import numbers, words
from finrec.serving.gate import Gate, gate
from finrec.serving.policy import Policy
from finrec.serving.recommender import Recommender
from finrec.serving.rerank import M, Weights, alike, candidates, rerank
from finrec.serving.worth import Activity, worth
from finrec.split import split
from finrec.topk import topk
from finrec.training import calibrate

MOST_FOR_ACTIVITY = 50_000
UNMEASURED = (
    "No customer of this data is seen to come back, so how likely one takes anything at all can't "
    "be measured: chances are of a product being the one, should the customer take something."
)
REMEMBERED = ("declined", "not_suitable", "not_now", "offered")
_activity: dict[tuple[str, int], Activity] = {}
_remembered: dict[str, tuple[str, pd.DataFrame]] = {}
_measured: dict[tuple[str, str], Measured] = {}


@dataclass(frozen=True)
class Standing:
    """Customers today. B customers, N products.

    Args:
        customers: as known now.
        scores: float32 [B, N].
        probability: chance that a product is the next one acquired, float32 [B, N].
        take_up: chance that it is acquired within the policy's window, float64 [B, N].
        value: expected worth of an offer, float64 [B, N].
        gate: what may be offered.
        policy: the rules.
        caveat: what to know of ``take_up``; empty where it is what it says.
    """

    customers: Cohort
    scores: np.ndarray
    probability: np.ndarray
    take_up: np.ndarray
    value: np.ndarray
    gate: Gate
    policy: Policy
    caveat: str


def stand(
    run: str | Recommender,
    customers: Sequence[str],
    policy: Policy | None = None,
    past: pd.DataFrame | None = None,
) -> Standing:
    """Where these customers stand with a run, by the policy given or the one in force.

    Raises:
        DataError: when the snapshot does not know a customer.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    chosen = rules.load() if policy is None else policy
    people = recommender.cohort(customers)
    may = recommender.offerable(people)
    if past is None:
        past = remembered()
    scores = recommender.scorer.score(people)
    probability = calibrate.probabilities(scores, may, recommender.run.provenance["temperature"])
    active = activity(recommender, chosen.value.window_days)
    take_up = probability * anything(recommender, people, chosen.value.window_days)[:, None]
    value = _worth(recommender, people, take_up, chosen, past)
    found = gate(chosen, people, recommender.catalogue, past, may)
    caveat = "" if active.measured or taught(recommender) else UNMEASURED
    return Standing(people, scores, probability, take_up, value, found, chosen, caveat)


def ordered(recommender: Recommender, at: Standing, allowed: np.ndarray, k: int) -> np.ndarray:
    """The lists of these customers, int64 [B, k], -1 where fewer are allowed.

    By probability, or as the policy's ``lists`` weigh worth and variety against it.
    """
    k = min(k, len(recommender.catalogue))
    asked = at.policy.lists
    weights = Weights(value=asked.value, variety=asked.variety, variety_by=asked.variety_by)
    if not weights.value and not weights.variety:
        return topk(at.probability, allowed, k)[0]
    table = recommender.catalogue.table
    columns = [str(c) for c in table if c not in (PRODUCT, NAME, DESCRIPTION)]
    given = candidates(at.probability, allowed, at.value, max(M, k))
    return rerank(given, k, len(table), weights, alike(table, columns))


def batch_size(recommender: Recommender) -> int:
    """Customers to take at once, so that a matrix over all products stays within some 30 MB."""
    return int(np.clip(8_000_000 // len(recommender.catalogue), 256, 16_384))


def remembered() -> pd.DataFrame:
    """Records that the gate and fatigue depend on, those taken back left out.

    Read again only when one of them may have changed, whoever changed it; looking changes nothing.
    """
    file = records.path()
    if not file.exists():
        return records.find(limit=0)
    key = f"{file} {records.decided()}"
    have = _remembered.get("last")
    pending = file.with_name(f"{file.name}.wal").exists()  # what a killed process committed
    if have is None or have[0] != key or pending:
        found = records.find(kinds=REMEMBERED, limit=None)
        have = _remembered["last"] = (key, found[~found["undone"].astype(bool)])
    return have[1]


def activity(recommender: Recommender, window: int) -> Activity:
    """How likely customers of a snapshot acquire anything; measured once a snapshot."""
    key = (recommender.snapshot.ref, window)
    if key not in _activity:
        everybody = np.array(sorted(recommender.known), dtype=object)
        if len(everybody) > MOST_FOR_ACTIVITY:
            drawn = np.random.default_rng(0).choice(len(everybody), MOST_FOR_ACTIVITY, False)
            everybody = everybody[np.sort(drawn)]
        people = recommender.cohort(list(everybody), on_disk=True)
        _activity[key] = Activity.fit(people, window)
    return _activity[key]


def anything(recommender: Recommender, people: Cohort, window: int) -> np.ndarray:
    """Chance that each customer takes anything within so many days, float64 [B].

    The network's own, where that was the best on validation; else, and for customers without
    events, what customers alike did (:class:`Activity`).
    """
    found = activity(recommender, window).chance(people)
    if not taught(recommender):
        return found
    told = recommender.scorer.chance(people, window, recommender.run.provenance["intensity"])
    return np.where(np.isnan(told), found, told)


def taught(recommender: Recommender) -> bool:
    """Whether the network says how likely anything is taken, better than counting does."""
    known = recommender.scorer.network.timing is not None
    return known and "intensity" in recommender.run.provenance


def _worth(
    recommender: Recommender,
    people: Cohort,
    take_up: np.ndarray,
    policy: Policy,
    past: pd.DataFrame,
) -> np.ndarray:
    told = policy.value
    oldest = pd.Timestamp.now("UTC").tz_localize(None) - pd.Timedelta(days=told.fatigue_days)
    lately = past[(past["kind"] == "offered") & (past["time"] > oldest)]
    offered = lately[CUSTOMER].value_counts().reindex(people.ids, fill_value=0).to_numpy()
    owned = codes = None
    family = families(recommender, policy)
    if family is not None and told.saturation < 1:
        codes, names = pd.factorize(family)
        owned = np.zeros((len(people), len(names)), np.float32)
        row, product = people.taken(repeatable=True)
        np.add.at(owned, (row, codes[product]), 1)
        owned[:, names == ""] = 0  # of an unknown family nothing is known to be alike
    later = None
    if family is not None and told.lifetime:
        later = np.zeros(len(family))
        for name, value in told.lifetime.items():
            later[family == name.casefold()] = value
    return worth(
        take_up,
        margins(recommender, policy),
        offered,
        told.fatigue,
        owned,
        told.saturation,
        later,
        codes,
    )


def families(recommender: Recommender, policy: Policy) -> np.ndarray | None:
    """Family of each product, object [N]; None where no column says it."""
    table = recommender.catalogue.table
    for name in policy.columns.products.get("family", ()):
        if name in table.columns and table[name].nunique() <= 200:
            return words(table[name])
    return None


def margins(recommender: Recommender, policy: Policy) -> np.ndarray:
    """What one of each product brings, float64 [N]: its column, else its family's, else all's."""
    table = recommender.catalogue.table
    margin = np.full(len(table), policy.value.margin_otherwise)
    family = families(recommender, policy)
    if family is not None:
        for name, value in policy.value.margin.items():
            margin[family == name.casefold()] = value
    for name in policy.columns.products.get("margin", ()):
        if name in table.columns:
            own = numbers(table[name], {})
            return np.where(np.isnan(own), margin, own)
    return margin


def abstention(run: str | Recommender, policy: Policy | None = None) -> Abstention | None:
    """The threshold below which nothing is offered; None where the policy asks for none.

    Chosen on validation cases alone, from what the run kept of them when it was trained. A run
    without that is measured anew where its network has not learned from them (tested by leaving
    one out); where it has, there is no measure and nothing is offered.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    target = (rules.load() if policy is None else policy).value.right
    if target <= 0:
        return None
    kept = recommender.run.provenance.get("best_offers")
    if kept is not None:
        return abstain.choose(abstain.Measured.read(kept), target)
    if recommender.run.settings.protocol != "R1":  # has learned from its validation cases
        return abstain.unmeasured(target)
    key = (recommender.run.id, recommender.snapshot.ref)
    if key not in _measured:
        parts = split(recommender.dataset, recommender.run.settings.protocol)
        _measured[key] = best_offers.measured(
            recommender.scorer, parts.valid.cases, len(parts.catalogue), parts.repeatable,
            recommender.run.provenance["temperature"],
        )  # fmt: skip
    return abstain.choose(_measured[key], target)


def segments(run: str | Recommender) -> dict[str, tuple[str, ...]]:
    """Attributes in words by which customers can be picked, each with its values."""
    recommender = answering.load(run) if isinstance(run, str) else run
    table = recommender.dataset.customers
    found = {}
    for column in table.columns:
        if column != CUSTOMER and pd.api.types.is_string_dtype(table[column]):
            values = sorted(table[column].dropna().unique())
            if 1 < len(values) <= 60:
                found[str(column)] = tuple(map(str, values))
    return found


def segment(
    run: str | Recommender,
    only: dict[str, Sequence[str]] | None = None,
    between: dict[str, tuple[float, float]] | None = None,
) -> list[str]:
    """Customers whose attributes are among these values and within these bounds (inclusive).

    Raises:
        DataError: when the customers table lacks a column.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    table = recommender.dataset.customers
    keep = np.ones(len(table), dtype=bool)
    for column in [*(only or {}), *(between or {})]:
        if column not in table.columns:
            raise DataError(
                f"Customers of {recommender.snapshot.ref} have no column {column!r}; "
                f"they have {', '.join(map(str, table.columns[1:]))}."
            )
    for column, values in (only or {}).items():
        keep &= table[column].astype("str").isin(list(values)).to_numpy()
    for column, (low, high) in (between or {}).items():
        keep &= pd.to_numeric(table[column], errors="coerce").between(low, high).to_numpy()
    return list(table.loc[keep, CUSTOMER])
