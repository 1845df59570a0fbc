"""Forecasts of take-up against what was then acquired, on the period held out for the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from finrec.pipeline import answering
from finrec.pipeline.standing import batch_size
from finrec.schema import CUSTOMER, DROPPED, HELD, KIND, NAME, PRODUCT, TIME, DataError
from finrec.scorer import cohort
from finrec.serving import policy as rules
from finrec.serving.campaign import Forecast, spread_of, take_up
from finrec.serving.recommender import Recommender, offerable
from finrec.serving.worth import Activity
from finrec.split import split
from finrec.training import calibrate

MOST = 50_000  # customers
_spread: dict[tuple[str, str, int], float] = {}


@dataclass(frozen=True)
class Backtest:
    """What was forecast for a window of the held-out period, and what happened.

    Args:
        frame: product_id, name, expected, low, high, happened, inside, one row a product.
        total: forecast for all products together.
        happened: customers whose next acquisition fell within the window.
        since: first day of the window.
        window: days.
        spread: of the factor by which products' demand as a whole missed its forecast.
        sentence: for people.
    """

    frame: pd.DataFrame
    total: Forecast
    happened: int
    since: pd.Timestamp
    window: int
    spread: float
    sentence: str


def backtest(run: str | Recommender, level: float = 0.9) -> Backtest:
    """Forecast what everybody known before the test period takes next, and count what they took.

    Raises:
        DataError: when the run was tested without dates (leave one out).
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    if recommender.run.settings.protocol != "R2":
        raise DataError("A forecast needs a date to be made at; this run was tested without dates.")
    window = rules.load().value.window_days
    parts = split(recommender.dataset, "R2")
    since = parts.test.until
    known = parts.test.train
    people = np.array(sorted(known[CUSTOMER].unique()), dtype=object)
    if len(people) > MOST:
        people = np.sort(np.random.default_rng(0).choice(people, MOST, replace=False))
    table, n = parts.customers, len(parts.catalogue)
    everybody = cohort(people, known, table, parts.catalogue, since, parts.links)
    active = Activity.fit(everybody, window).chance(everybody)
    size = batch_size(recommender)
    chances = np.zeros((len(people), n), np.float32)
    for start in range(0, len(people), size):
        rows = np.arange(start, min(start + size, len(people)))
        some = everybody.take(rows)
        may = offerable(some, n, parts.repeatable)
        found = calibrate.probabilities(
            recommender.scorer.score(some), may, recommender.run.provenance["temperature"]
        )
        chances[rows] = found * active[rows, None]
    events = recommender.dataset.events
    later = events[
        (events[TIME] >= since)
        & (events[TIME] < since + pd.Timedelta(days=window))
        & ~events[KIND].isin([DROPPED, HELD])
        & events[CUSTOMER].isin(people)
    ]
    first = later.sort_values(TIME, kind="stable").drop_duplicates(CUSTOMER)
    count = np.bincount(parts.catalogue.index(first[PRODUCT]), minlength=n)
    expected = chances.sum(0, dtype=np.float64)
    variance = (chances * (1 - chances)).sum(0, dtype=np.float64)
    # The spread that widens a product's interval is measured on the other products.
    half = np.arange(n) % 2
    own = [spread_of(*(x[half != h] for x in (expected, variance, count))) for h in (0, 1)]
    told = [take_up(chances[:, j], level, spread=own[j % 2]) for j in range(n)]
    frame = pd.DataFrame(
        {"expected": expected, "low": [t.low for t in told], "high": [t.high for t in told]}
    )
    goods = parts.catalogue.table
    frame.insert(0, PRODUCT, goods[PRODUCT].to_numpy())
    frame.insert(1, NAME, goods[NAME].to_numpy())
    frame["happened"] = count
    frame["inside"] = (count >= frame["low"]) & (count <= frame["high"])
    total = take_up(np.minimum(chances.sum(1), 1.0), level)
    spread = spread_of(expected, variance, count)
    inside = float(frame["inside"].mean())
    sentence = (
        f"From {since:%Y-%m-%d}, {total.expected:,.0f} customers were expected to take something "
        f"within {window} days ({total.low:,} to {total.high:,}); {len(first):,} did. Of "
        f"{n} products {inside:.0%} lie within their {level:.0%} interval."
    )
    return Backtest(frame, total, len(first), since, window, spread, sentence)


def spread(recommender: Recommender) -> float | None:
    """How far products' demand strays from its forecast; None for a run tested without dates."""
    if recommender.run.settings.protocol != "R2":
        return None
    key = (recommender.run.id, recommender.snapshot.ref, rules.load().value.window_days)
    if key not in _spread:
        _spread[key] = backtest(recommender).spread
    return _spread[key]
