"""Repeat: what the customer took before, latest first; then what is popular."""

from __future__ import annotations

import numpy as np

from finrec.baselines.popularity import Popularity
from finrec.scorer import Cohort
from finrec.split import Fold, Split


class Repeat:
    """Products of the history above all others, the latest on top.

    Args:
        days: of the popularity that orders the rest.
    """

    def __init__(self, days: float = 90.0) -> None:
        self.days = days
        self.popularity = np.zeros(0, dtype=np.float32)

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Repeat:
        """Count what is popular."""
        counts = Popularity(self.days).fit(fold, split).counts
        self.popularity = counts / (counts.max() + 1)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Place in the history plus a share of popularity, float32 [B, N]."""
        out = np.tile(self.popularity, (len(customers), 1))
        rows = customers.rows()
        place = (np.arange(len(rows)) - customers.offsets[rows] + 1).astype(np.float32)
        kept = ~customers.given_up
        np.maximum.at(out, (rows[kept], customers.products[kept]), place[kept])
        return out
