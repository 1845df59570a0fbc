"""A policy applied: every customer and product at once, and for each exclusion its rule.

What a rule needs and no column holds is told in ``not_checked``; nothing passes in silence.
Shapes: B customers, N products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from finrec.schema import CUSTOMER, DESCRIPTION, NAME, PRODUCT
from finrec.scorer import Catalogue, Cohort
from finrec.serving.columns import Columns, conditions

if TYPE_CHECKING:
    from finrec.serving.policy import Policy

STATES = ("ok", "warn", "needs advice", "blocked")
Part = Literal["held", "eligibility", "suitability"]
REFUSALS = {
    "declined": "declined this",
    "not_suitable": "was found not to suit by an adviser",
    "not_now": "said not now",
}
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Rule:
    """A rule that can bite.

    Args:
        code: short name, for records and files.
        sentence: for people.
        state: what it makes of an offer.
        part: ``held``, ``eligibility`` or ``suitability``.
    """

    code: str
    sentence: str
    state: str
    part: Part


@dataclass(frozen=True)
class Gate:
    """What may be offered to whom.

    Args:
        state: int8 [B, N], index into STATES.
        rule: int16 [B, N], index into ``rules`` of the strictest that bit; -1 where none did.
        rules: all that were applied.
        bits: uint64 [B, N], bit r set where rule r bit.
        not_checked: sentences on rules for which the data has no column.
        offer_up_to: index into STATES; what is stricter is not offered.
    """

    state: np.ndarray
    rule: np.ndarray
    rules: tuple[Rule, ...]
    bits: np.ndarray
    not_checked: tuple[str, ...]
    offer_up_to: int

    @property
    def allowed(self) -> np.ndarray:
        """What may be offered, bool [B, N]."""
        return self.state <= self.offer_up_to

    def up_to(self, state: str) -> np.ndarray:
        """What is no stricter than this state, and may be offered, bool [B, N]."""
        return self.state <= min(STATES.index(state), self.offer_up_to)

    def reasons(self, row: int, product: int) -> list[Rule]:
        """All rules that bit there, the strictest first."""
        bits = int(self.bits[row, product])
        found = [r for i, r in enumerate(self.rules) if bits >> i & 1]
        return sorted(found, key=lambda r: -STATES.index(r.state))


@dataclass(frozen=True)
class Verdict:
    """What the policy says of one customer and one product.

    Args:
        state: one of STATES.
        reasons: rules that bit, the strictest first.
        not_checked: sentences on rules for which nothing is known.
    """

    state: str
    reasons: tuple[Rule, ...]
    not_checked: tuple[str, ...]


class _Bench:
    """Collects which rule bites where."""

    def __init__(self, b: int, n: int) -> None:
        self.state = np.zeros((b, n), np.int8)
        self.rule = np.full((b, n), -1, np.int16)
        self.bits = np.zeros((b, n), np.uint64)
        self.rules: list[Rule] = []
        self.not_checked: list[str] = []

    def bite(self, code: str, sentence: str, state: str, part: Part, where: np.ndarray) -> None:
        """The rule bites where the mask, bool broadcast to [B, N], holds."""
        if state == "ok" or not where.any():
            return
        index = len(self.rules)
        self.rules.append(Rule(code, sentence, state, part))
        where = np.broadcast_to(where, self.state.shape)
        self.bits[where] |= np.uint64(1 << index)
        level = STATES.index(state)
        stricter = where & (self.state < level)
        self.state[stricter] = level
        self.rule[stricter] = index


def gate(
    policy: Policy,
    customers: Cohort,
    catalogue: Catalogue,
    past: pd.DataFrame,
    offerable: np.ndarray | None = None,
    now: pd.Timestamp | None = None,
) -> Gate:
    """Apply every rule of a policy to every customer and product.

    Args:
        policy: the rules.
        customers: B customers; what they hold is in their histories.
        catalogue: N products.
        past: records of earlier offers (``records.find``): customer_id, product_id, kind, time,
            and ``undone`` where known.
        offerable: bool [B, N], what the data itself allows to be offered again; None: all.
        now: when cooling off is judged, UTC; None: now.
    """
    bench = _Bench(len(customers), len(catalogue))
    people = Columns(
        customers.profile, policy.columns.customers, policy.levels, "customers", customers.asof
    )
    goods = Columns(catalogue.table, policy.columns.products, policy.levels, "products")
    held = customers.held(len(catalogue))
    bench.bite("held", "The customer holds this already.", policy.eligibility.held, "held", held)
    if offerable is not None:
        bench.bite(
            "had_before",
            "The customer has had this before, and it is not offered twice.",
            "blocked",
            "held",
            ~offerable & ~held,
        )
    _eligibility(bench, policy, people, goods, customers, past, now)
    _suitability(bench, policy, people, goods)
    for own in policy.rules:
        missing = [
            f"{own.code}: no column {c.column!r}"
            for c, columns in ((own.customers, people), (own.products, goods))
            if c is not None and c.column not in columns.frame.columns
        ]
        if missing:
            bench.not_checked += [f"{m}, not checked." for m in missing]
            continue
        where = conditions(own.customers, people)[:, None] & conditions(own.products, goods)
        bench.bite(own.code, own.sentence, own.state, "eligibility", where)
    bench.not_checked += sorted({*people.missing, *goods.missing})
    limit = STATES.index(policy.offer_up_to)
    told = tuple(dict.fromkeys(bench.not_checked))
    return Gate(bench.state, bench.rule, tuple(bench.rules), bench.bits, told, limit)


def _eligibility(
    bench: _Bench,
    policy: Policy,
    people: Columns,
    goods: Columns,
    customers: Cohort,
    past: pd.DataFrame,
    now: pd.Timestamp | None,
) -> None:
    rules = policy.eligibility

    def bite(code: str, sentence: str, state: str, where: np.ndarray) -> None:
        bench.bite(code, sentence, state, "eligibility", where)

    if rules.min_age is not None or rules.max_age is not None:
        age = people.age()
        low, high = rules.min_age or 0, 200 if rules.max_age is None else rules.max_age
        bite("too_young", f"The customer is under {low}.", "blocked", (age < low)[:, None])
        bite("too_old", f"The customer is over {high}.", "blocked", (age > high)[:, None])
        if people.found("age", "birth_date"):
            unknown = np.isnan(age)[:, None]
            bite("age_unknown", "The customer's age is not known.", policy.suitability.unknown,
                 unknown)  # fmt: skip
    if rules.residence:
        where = people.text("residence")
        if where is not None:
            outside = ~np.isin(where, [r.casefold() for r in rules.residence])
            places = ", ".join(rules.residence)
            bite("residence", f"The customer does not live in {places}.", "blocked",
                 outside[:, None])  # fmt: skip
    consent = people.flag("consent")
    if consent is not None:  # what isn't a clear yes is no consent
        bite("no_consent", "There is no consent to be approached with offers.", rules.no_consent,
             (consent != 1)[:, None])  # fmt: skip
    sale = goods.flag("on_sale")
    if sale is not None:
        bite("off_sale", "The product is not on sale.", "blocked", sale == 0)
    moment = customers.asof.astype("datetime64[s]")[:, None]
    begins, ends = goods.dates("sale_begins"), goods.dates("sale_ends")
    if begins is not None:
        bite("not_yet", "The product is not on sale yet.", "blocked", begins > moment)
    if ends is not None:
        bite("withdrawn", "The product is no longer on sale.", "blocked", ends <= moment)
    family = goods.text("family") if rules.cooling_off_scope == "family" else None
    for kind, days in rules.cooling_off.items():
        where = _resting(customers, goods.frame, past, kind, days, now, family)
        sentence = f"The customer {REFUSALS[kind]} less than {days} days ago."
        if kind == "not_suitable":
            sentence = f"An adviser found this not suitable less than {days} days ago."
        bite(f"cooling_off_{kind}", sentence, "blocked", where)


def _resting(
    customers: Cohort,
    products: pd.DataFrame,
    past: pd.DataFrame,
    kind: str,
    days: int,
    now: pd.Timestamp | None,
    family: np.ndarray | None,
) -> np.ndarray:
    """Where a refusal of this kind is so fresh that the product rests, bool [B, N]."""
    where = np.zeros((len(customers), len(products)), dtype=bool)
    if past.empty:
        return where
    moment = pd.Timestamp.now("UTC").tz_localize(None) if now is None else now
    recent = (past["kind"] == kind) & (past["time"] > moment - days * DAY)
    if "undone" in past:
        recent &= ~past["undone"].astype(bool)
    fresh = past[recent]
    column = pd.Index(products[PRODUCT]).get_indexer(pd.Index(fresh[PRODUCT]))
    ids = pd.Series(np.arange(len(customers)), index=pd.Index(customers.ids))
    rows_of = {c: g.to_numpy() for c, g in ids[ids.index.isin(fresh[CUSTOMER])].groupby(level=0)}
    for customer, product in zip(fresh[CUSTOMER], column, strict=True):
        rows = rows_of.get(customer)
        if product >= 0 and rows is not None:
            rested = [product] if family is None else np.flatnonzero(family == family[product])
            where[np.ix_(rows, rested)] = True
    return where


def _suitability(bench: _Bench, policy: Policy, people: Columns, goods: Columns) -> None:
    rules = policy.suitability
    risk, term = goods.number("risk"), goods.number("term_months")
    if risk is None:
        return
    investment = risk >= rules.from_risk

    def bite(code: str, sentence: str, state: str, where: np.ndarray) -> None:
        bench.bite(code, sentence, state, "suitability", where)

    def unknown(code: str, what: str, value: np.ndarray | None, products: np.ndarray) -> None:
        lacking = np.ones(len(people.frame), bool) if value is None else np.isnan(value)
        bite(f"{code}_unknown", f"The customer's {what} is not known, so it was not checked.",
             rules.unknown, lacking[:, None] & products)  # fmt: skip

    if np.isnan(risk).any():
        bite("risk_unknown", "The product's risk is not known, so it was not checked.",
             rules.unknown, np.isnan(risk)[None, :])  # fmt: skip
    if rules.risk_above_tolerance:
        tolerance = people.number("risk_tolerance")
        unknown("risk_tolerance", "risk tolerance", tolerance, investment)
        if tolerance is not None:
            over = np.ceil(risk - tolerance[:, None])
            most = len(rules.risk_above_tolerance)
            for i, state in enumerate(rules.risk_above_tolerance, 1):
                here = (over == i if i < most else over >= i) & investment
                by = f"{i} class{'es' * (i > 1)}{' or more' * (i == most)}"
                bite(f"risk_{i}_over", f"The product's risk is {by} above what the customer "
                     "tolerates.", state, here)  # fmt: skip
    if rules.term_beyond_horizon != "ok" and term is not None:
        horizon = people.number("horizon_months")
        unknown("horizon", "horizon", horizon, investment & (term > 0))
        if horizon is not None:
            bite("horizon", "The product runs longer than the customer's horizon.",
                 rules.term_beyond_horizon, (term > horizon[:, None]) & investment)  # fmt: skip
    if rules.oldest_at_end is not None and term is not None:
        end = people.age()[:, None] + term / 12
        bite("age_at_end", f"The customer would be over {rules.oldest_at_end} at the end of the "
             "term.", rules.beyond_oldest, end > rules.oldest_at_end)  # fmt: skip
    for what, steps in (("capacity", rules.capacity), ("knowledge", rules.knowledge)):
        if not steps:
            continue
        value = people.number(what)
        name = "ability to bear losses" if what == "capacity" else "knowledge and experience"
        unknown(what, name, value, risk >= min(s.risk for s in steps))
        for step in steps if value is not None else ():
            assert value is not None
            short = (value < step.least)[:, None] & (risk >= step.risk)
            bite(f"{what}_{step.risk:g}", f"The customer's {name} is below what risk class "
                 f"{step.risk:g} asks for.", step.state, short)  # fmt: skip
    flag = people.flag("vulnerable")
    if flag is not None:
        bite("vulnerable", "The customer is marked as vulnerable.", rules.vulnerable,
             (flag == 1)[:, None] & investment)  # fmt: skip


def test_it(policy: Policy, customer: Mapping[str, Any], product: Mapping[str, Any]) -> Verdict:
    """What the policy says of one customer and one product, given by their columns."""
    none = np.zeros(0, np.int64)
    asof = np.array([pd.Timestamp.now("UTC").timestamp()], dtype=np.int64)
    profile = pd.DataFrame([dict(customer)]).drop(columns=CUSTOMER, errors="ignore")
    one = Cohort(np.array(["?"], object), np.zeros(2, np.int64), none, none, none,
                 none.astype(np.float32), asof, profile)  # fmt: skip
    named = {PRODUCT: "?", NAME: "", DESCRIPTION: "", **product}
    past = pd.DataFrame({c: pd.Series(dtype="str") for c in (CUSTOMER, PRODUCT, "kind", "time")})
    found = gate(policy, one, Catalogue(pd.DataFrame([named])), past)
    return Verdict(STATES[found.state[0, 0]], tuple(found.reasons(0, 0)), found.not_checked)


test_it.__test__ = False  # type: ignore[attr-defined]  # the name is for people, not for pytest
