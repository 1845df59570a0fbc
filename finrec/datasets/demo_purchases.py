"""Purchases of the demo bank: who acts when, and what each then chooses, day after day."""

from __future__ import annotations

import heapq
from datetime import date

import numpy as np
import pandas as pd

from finrec.datasets import demo_behaviour as behaviour
from finrec.datasets.demo_people import HOUSEHOLD, STYLES, People
from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    KIND,
    ORDER,
    PRODUCT,
    SOURCE,
    TARGET,
    TIME,
    DataError,
)

MOST_EACH = 15  # purchases of one customer
RANDOM_SHARE = 0.15  # purchases that follow nothing at all
TALK_DAYS = 42.0  # for so long a purchase influences linked customers
TALK_GAIN = {HOUSEHOLD: 2.4, "referral": 1.8}
FADE_DAYS = 150.0  # of what follows what
LONG_AGO = -400.0  # day given to what was held before the window
STYLE_GAIN = 1.5


def purchases(
    rng: np.random.Generator, crowd: People, catalogue: pd.DataFrame, n: int
) -> pd.DataFrame:
    """Exactly n purchases in order of time, with the columns of ``Dataset.events``.

    Args:
        rng: source of chance.
        crowd: C customers.
        catalogue: N products with the generator's own columns.
        n: number of purchases.
    """
    plan = _Plan(rng, crowd, _counts(rng, crowd.activity, _most(catalogue), n))
    choice = _Choice(rng, crowd, catalogue)
    rows: list[tuple[int, int, float]] = []
    for _ in range(n):
        customer, day = plan.next()
        product = choice.of(customer, day)
        rows.append((customer, product, day))
        plan.after(customer, day, choice.matures(product, day), choice.talked_to(customer))
    who = np.array([r[0] for r in rows], dtype=np.int64)
    what = np.array([r[1] for r in rows], dtype=np.int64)
    minutes = np.array([_minute(r[2]) for r in rows], dtype="timedelta64[m]")
    events = pd.DataFrame(
        {
            CUSTOMER: crowd.table[CUSTOMER].to_numpy()[who],
            PRODUCT: catalogue[PRODUCT].to_numpy()[what],
            TIME: (np.datetime64(behaviour.FIRST_DAY, "us") + minutes).astype("datetime64[us]"),
            KIND: ACQUIRED,
            AMOUNT: _amounts(rng, catalogue["type"].to_numpy()[what], crowd.income[who]),
        }
    ).astype({CUSTOMER: "str", PRODUCT: "str", KIND: "str"})
    events[ORDER] = events.groupby(CUSTOMER).cumcount().astype("int64")
    return events


def _minute(day: float) -> int:
    """Minutes since the first midnight; the fraction of a day falls between 8:00 and 20:00."""
    whole = int(day)
    return whole * 1440 + 480 + int((day - whole) * 720)


def _most(catalogue: pd.DataFrame) -> int:
    return min(MOST_EACH, int((catalogue["launched"] == "").sum()))


def _counts(rng: np.random.Generator, activity: np.ndarray, most: int, n: int) -> np.ndarray:
    """Purchases of each customer: n in all, in proportion to activity, none above ``most``."""
    if n > most * len(activity):
        raise DataError(
            f"{n:,} purchases are too many for {len(activity):,} customers who take at most "
            f"{most} products each; ask for fewer."
        )
    counts = np.zeros(len(activity), dtype=np.int64)
    while counts.sum() < n:
        room = activity * (counts < most)
        counts += rng.multinomial(n - counts.sum(), room / room.sum())
        counts = np.minimum(counts, most)
    return counts


class _Plan:
    """When each customer acts next; dates move with maturities, changes in life, and talk."""

    def __init__(self, rng: np.random.Generator, crowd: People, counts: np.ndarray) -> None:
        self._rng = rng
        passed = np.concatenate([[0.0], np.cumsum(behaviour.traffic())])
        first = np.maximum(crowd.joined, 0)
        self._planned: list[list[float]] = []
        for customer, count in enumerate(counts):
            low = passed[first[customer]]
            drawn = np.interp(rng.uniform(low, 1.0, count), passed, np.arange(behaviour.DAYS + 1))
            drawn = np.minimum(drawn, behaviour.DAYS - 0.001)
            if count and 0 < crowd.joined[customer]:
                drawn[0] = min(first[customer] + rng.exponential(8.0), drawn.max())
            elif count and crowd.moves[customer] < behaviour.DAYS and rng.random() < 0.5:
                drawn[0] = _inside(crowd.moves[customer] + rng.uniform(5, 75))
            self._planned.append(sorted(drawn.tolist()))
        self._queue = [(days[0], c) for c, days in enumerate(self._planned) if days]
        heapq.heapify(self._queue)

    def next(self) -> tuple[int, float]:
        """The next customer to act, and the day (with a fraction)."""
        while True:
            day, customer = heapq.heappop(self._queue)
            planned = self._planned[customer]
            if planned and planned[0] == day:  # else it was moved since
                planned.pop(0)
                return customer, day

    def after(
        self, customer: int, day: float, maturity: float | None, friends: list[tuple[int, str]]
    ) -> None:
        """Move later dates because of what just happened."""
        planned, rng = self._planned[customer], self._rng
        if planned and maturity is not None and rng.random() < 0.6:
            planned[-1] = _inside(maturity + rng.uniform(0, 12))
        elif planned and rng.random() < 0.4:  # one thing leads to another
            planned[0] = min(planned[0], day + 1 + rng.exponential(30.0))
        planned.sort()
        if planned:
            heapq.heappush(self._queue, (planned[0], customer))
        for friend, kind in friends:
            waiting = self._planned[friend]
            if waiting and rng.random() < (0.35 if kind == HOUSEHOLD else 0.2):
                sooner = day + rng.uniform(2, TALK_DAYS - 5)
                if sooner < waiting[0]:
                    waiting[0] = sooner
                    heapq.heappush(self._queue, (sooner, friend))


def _inside(day: float) -> float:
    return float(min(day, behaviour.DAYS - 0.001))


class _Choice:
    """Which product a customer takes on a day: appeal, season, past, talk, and chance."""

    def __init__(self, rng: np.random.Generator, crowd: People, catalogue: pd.DataFrame) -> None:
        self._rng, self._crowd = rng, crowd
        segments = catalogue["segment"].tolist()
        launched = [date.fromisoformat(d) if d else None for d in catalogue["launched"]]
        self._stages = behaviour.appeal_by_stage(segments)
        self._days = behaviour.calendar(segments, launched)
        self._follows = behaviour.follow_matrix(segments)
        self._enough = behaviour.enough_matrix(segments)
        self._standing = _standing(crowd, catalogue)
        self._accounts = (catalogue["type"] == "account").to_numpy()
        deposit = (catalogue["type"] == "term deposit").to_numpy()
        term = catalogue["term"].to_numpy()
        self._until = np.where(deposit, term * 30.44, 0.0)  # days before what follows follows
        self._past: list[list[tuple[int, float]]] = [[] for _ in range(len(crowd.table))]
        self._acquired: list[set[int]] = [set() for _ in range(len(crowd.table))]
        self._hold_before(catalogue)
        row = {c: i for i, c in enumerate(crowd.table[CUSTOMER])}
        self._friends: list[list[tuple[int, str]]] = [[] for _ in range(len(crowd.table))]
        for a, b, kind in crowd.links[[SOURCE, TARGET, KIND]].itertuples(index=False):
            self._friends[row[a]].append((row[b], kind))
            self._friends[row[b]].append((row[a], kind))

    def _hold_before(self, catalogue: pd.DataFrame) -> None:
        """What customers of long standing already hold; it shapes demand and is never shown."""
        known = np.flatnonzero((self._crowd.joined < 0) & (self._crowd.stage > 0))
        old = (catalogue["launched"] == "").to_numpy()
        for segment, share in behaviour.HELD_BEFORE.items():
            inside = np.flatnonzero((catalogue["segment"] == segment).to_numpy() & old)
            if not len(inside):
                continue
            pull = catalogue["pull"].to_numpy()[inside]
            holders = known[self._rng.random(len(known)) < share]
            held = self._rng.choice(inside, size=len(holders), p=pull / pull.sum())
            for customer, product in zip(holders, held, strict=True):
                self._past[customer].append((int(product), LONG_AGO))

    def of(self, customer: int, day: float) -> int:
        """Choose, and remember the choice."""
        crowd, rng = self._crowd, self._rng
        stage = crowd.stage[customer] + (day >= crowd.moves[customer])
        past = self._past[customer]
        odds = self._standing[customer] + self._stages[stage] + self._days[int(day)]
        if past:
            index = np.array([p for p, _ in past])
            waited = day - np.array([d for _, d in past]) - self._until[index]
            fresh = np.where(waited >= 0, np.exp(-np.maximum(waited, 0) / FADE_DAYS), 0.0)
            odds += (self._follows[index] * fresh[:, None]).max(axis=0)
            odds -= self._enough[index].max(axis=0)
        elif crowd.joined[customer] > 0:
            odds += np.where(self._accounts, behaviour.NEWCOMER_GAIN, 0.0)
        for friend, kind in self._friends[customer]:
            for product, when in self._past[friend]:
                if 0 <= day - when <= TALK_DAYS:
                    odds[product] += TALK_GAIN[kind]
        allowed = np.isfinite(odds)
        allowed[[p for p, _ in past]] = False
        if not allowed.any():  # tiny catalogues only
            allowed = np.isfinite(self._days[int(day)])
            allowed[list(self._acquired[customer])] = False
        if rng.random() < RANDOM_SHARE:
            odds = np.zeros_like(odds)
        odds = np.where(allowed, np.nan_to_num(odds, neginf=-50.0), -np.inf)
        chance = np.cumsum(np.exp(odds - odds[allowed].max()))
        product = int(np.searchsorted(chance, rng.random() * chance[-1], side="right"))
        past.append((product, day))
        self._acquired[customer].add(product)
        return product

    def matures(self, product: int, day: float) -> float | None:
        """Day on which a term deposit taken today ends, if within the window."""
        end = day + self._until[product]
        return float(end) if day < end < behaviour.DAYS else None

    def talked_to(self, customer: int) -> list[tuple[int, str]]:
        """Linked customers and the kind of link."""
        return self._friends[customer]


def _standing(crowd: People, catalogue: pd.DataFrame) -> np.ndarray:
    """Log-odds that do not change with time, float64 [C, N]; minus infinity: not eligible."""
    age = crowd.table["age"].to_numpy()[:, None]
    segment, kind = catalogue["segment"].to_numpy(), catalogue["type"].to_numpy()
    risk = catalogue["risk"].to_numpy(dtype=np.float64)
    pull = behaviour.PULL_POWER * np.log(catalogue["pull"].to_numpy(dtype=np.float64))
    odds = np.tile(pull, (len(age), 1))
    style = np.array([STYLES.index(s) for s in catalogue["style"]])
    odds += STYLE_GAIN * ((crowd.style[:, None] == style) & (style > 0))
    appetite = crowd.appetite[:, None]
    invests = np.isin(kind, ["bond", "fund"]) | np.isin(segment, ["pension_plan", "annuity"])
    odds += np.where(invests, 0.6 - 0.35 * (risk - appetite) ** 2, 0.0)
    safe = np.isin(kind, ["term deposit"]) | np.isin(segment, ["notice", "home_savings"])
    odds += np.where(safe, 0.35 * (3.5 - appetite), 0.0)
    wealth = np.log(crowd.income / 40_000)[:, None]
    dear = np.isin(segment, ["premium_account", "premium_card", "pension_topup", "bond_corp"])
    odds += np.where(dear | (style == STYLES.index("premium")), 1.3 * wealth, 0.0)
    odds[(segment == "youth_account") & (age > 29)] = -np.inf
    odds[(segment == "annuity") & (age < 50)] = -np.inf
    odds[np.isin(segment, ["pension_plan", "disability"]) & (age > 62)] = -np.inf
    return odds


def _amounts(rng: np.random.Generator, kind: np.ndarray, income: np.ndarray) -> np.ndarray:
    """EUR: first payment, deposit or yearly premium; deposits in round hundreds."""
    median = np.array([behaviour.AMOUNTS[k] for k in kind])
    drawn = median * (income / 40_000) ** 0.6 * rng.lognormal(0, 0.6, len(kind))
    round_sum = np.isin(kind, ["term deposit", "bond", "fund", "savings"])
    return np.where(round_sum, np.maximum(np.round(drawn, -2), 100.0), np.round(drawn, 2))
