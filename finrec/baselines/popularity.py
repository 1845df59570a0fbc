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
        taken = events[KIND] != HELD

        def count(some: pd.Series) -> np.ndarray:
            places = split.catalogue.index(events.loc[some, PRODUCT])
            return np.bincount(places, minlength=len(split.catalogue))

        if self.days is None and taken.all():
            self.counts = count(taken).astype(np.float32)
            return self
        recent = pd.Series(True, events.index)
        if self.days is not None:
            recent = events[TIME] >= fold.until - pd.Timedelta(days=self.days)
        ever = count(recent | True)
        self.counts = (count(taken & recent) + ever / (ever.sum() + 1)).astype(np.float32)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """The same scores for everybody, float32 [B, N]."""
        return np.tile(self.counts, (len(customers), 1))
