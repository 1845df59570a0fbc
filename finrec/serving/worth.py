"""What an offer is worth: the chance that it is taken up, times what it brings, tempered.

The model's probability says which product, if the customer acquires one next. How likely that is
at all within a window is read off the customers' own past: how often customers with as recent and
as many events acquired something within a window as long. It is what customers do by themselves;
what an offer adds to it is known only after a trial with a control group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finrec.scorer import SECONDS_PER_DAY, TAKEN, Cohort

RECENCY = (30, 90, 180, 365, 730)  # days since the last acquisition, upper ends of bins
FREQUENCY = (0, 1, 2, 4)  # acquisitions within the last two years, upper ends of bins
PRIOR = 20.0  # customers that the overall rate counts for in each bin


@dataclass(frozen=True)
class Activity:
    """How likely customers acquire anything within a window.

    Args:
        rates: float64 [recency bins, frequency bins].
        window: days.
        overall: rate over all customers.
        measured: False where no customer was ever seen to come back; all rates are 1 then.
    """

    rates: np.ndarray
    window: int
    overall: float
    measured: bool = True

    @classmethod
    def fit(cls, customers: Cohort, window: int) -> Activity:
        """Measure on the window before the cohort's moment.

        Args:
            customers: with their whole histories.
            window: days.
        """
        before = customers.asof - window * SECONDS_PER_DAY
        recency, frequency, known = _bins(customers, before)
        later = np.isin(customers.kinds, TAKEN)
        later &= customers.times >= before[customers.rows()]
        came = np.bincount(customers.rows()[later], minlength=len(customers)) > 0
        shape = (len(RECENCY) + 2, len(FREQUENCY) + 1)
        number = np.zeros(shape)
        hits = np.zeros(shape)
        np.add.at(number, (recency[known], frequency[known]), 1)
        np.add.at(hits, (recency[known], frequency[known]), came[known])
        overall = float(came[known].mean()) if known.any() else 0.0
        if overall == 0:
            return cls(np.ones(shape), window, 1.0, False)
        return cls((hits + PRIOR * overall) / (number + PRIOR), window, overall)

    def chance(self, customers: Cohort) -> np.ndarray:
        """Chance that each acquires something within the window, float64 [B]."""
        recency, frequency, _ = _bins(customers, customers.asof)
        return self.rates[recency, frequency]


def _bins(customers: Cohort, moment: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bins of recency and frequency before a moment, and who was known then, each [B]."""
    rows = customers.rows()
    past = customers.times < moment[rows]
    known = np.bincount(rows[past], minlength=len(customers)) > 0
    taken = past & np.isin(customers.kinds, TAKEN)
    last = np.full(len(customers), -np.inf)
    np.maximum.at(last, rows[taken], customers.times[taken])
    days = (moment - last) / SECONDS_PER_DAY
    recency = np.where(np.isfinite(days), np.digitize(days, RECENCY), len(RECENCY) + 1)
    recent = taken & (customers.times >= moment[rows] - 730 * SECONDS_PER_DAY)
    count = np.bincount(rows[recent], minlength=len(customers))
    return recency.astype(int), np.searchsorted(FREQUENCY, count), known


def worth(
    take_up: np.ndarray,
    margin: np.ndarray,
    offered: np.ndarray | None = None,
    fatigue: float = 1.0,
    alike: np.ndarray | None = None,
    saturation: float = 1.0,
    lifetime: np.ndarray | None = None,
    family: np.ndarray | None = None,
) -> np.ndarray:
    """Expected value of each offer, float64 [B, N].

    Args:
        take_up: chance that each is taken up, float [B, N].
        margin: what one brings, float [N].
        offered: offers made lately to each customer, [B]; each leaves ``fatigue`` of the chance.
        fatigue: 0 to 1; 1: offers don't tire.
        alike: products of each family held already, [B, F]; each leaves ``saturation``.
        saturation: 0 to 1; 1: needs don't fill.
        lifetime: what one acquisition brings later on, beyond its margin, float [N] or [B, N].
        family: of each product, int64 [N]; None: each product is one of its own, and F is N.
    """
    value = np.broadcast_to(np.asarray(margin, dtype=np.float64), take_up.shape)
    if lifetime is not None:
        value = value + lifetime
    chance = take_up.astype(np.float64)
    if offered is not None and fatigue < 1:
        chance = chance * fatigue ** np.asarray(offered, dtype=np.float64)[:, None]
    if alike is not None and saturation < 1:
        left = saturation ** np.asarray(alike, dtype=np.float64)
        chance = chance * (left if family is None else left[:, family])
    return chance * value
