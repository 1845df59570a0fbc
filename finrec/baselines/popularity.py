"""Popularity: every customer is offered what most acquired, of late or ever."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finrec.schema import DROPPED, HELD, KIND, PRODUCT, TIME
from finrec.scorer import Cohort
from finrec.split import Fold, Split


class Popularity:
    """Number of training events by which each product was taken.

    What was held when a customer was first seen only orders products that are else alike; what was
    given up does not count.

    Args:
        days: count only events of the last so many days before the fold ends; None: all.
    """

    def __init__(self, days: float | None = None) -> None:
        self.days = days
        self.counts = np.zeros(0, dtype=np.float32)

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Popularity:
        """Count; products equally frequent of late are ordered by their frequency ever."""
        events = fold.train[fold.train[KIND] != DROPPED]
        taken = events[events[KIND] != HELD]

        def count(some: pd.DataFrame) -> np.ndarray:
            return np.bincount(split.catalogue.index(some[PRODUCT]), minlength=len(split.catalogue))

        ever = count(events)
        if self.days is None and len(taken) == len(events):
            self.counts = ever.astype(np.float32)
            return self
        if self.days is not None:
            taken = taken[taken[TIME] >= fold.until - pd.Timedelta(days=self.days)]
        self.counts = (count(taken) + ever / (ever.sum() + 1)).astype(np.float32)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """The same scores for everybody, float32 [B, N]."""
        return np.tile(self.counts, (len(customers), 1))
