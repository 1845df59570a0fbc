"""Popularity: every customer is offered what most acquired, of late or ever."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finrec.schema import PRODUCT, TIME
from finrec.scorer import Cohort
from finrec.split import Fold, Split


class Popularity:
    """Number of training events of each product.

    Args:
        days: count only events of the last so many days before the fold ends; None: all.
    """

    def __init__(self, days: float | None = None) -> None:
        self.days = days
        self.counts = np.zeros(0, dtype=np.float32)

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Popularity:
        """Count; products equally frequent of late are ordered by their frequency ever."""
        events = fold.train
        n = len(split.catalogue)
        ever = np.bincount(split.catalogue.index(events[PRODUCT]), minlength=n)
        if self.days is None:
            self.counts = ever.astype(np.float32)
            return self
        recent = events[events[TIME] >= fold.until - pd.Timedelta(days=self.days)]
        late = np.bincount(split.catalogue.index(recent[PRODUCT]), minlength=n)
        self.counts = (late + ever / (ever.sum() + 1)).astype(np.float32)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """The same scores for everybody, float32 [B, N]."""
        return np.tile(self.counts, (len(customers), 1))
