"""Naive Bayes: each product's odds, given which products the customer took before."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from finrec.baselines.itemcf import histories
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split


class NaiveBayes:
    """``log P(j) + sum over products i of the history of log P(i taken before | j taken next)``.

    Every training event is an example: its product is the class, the products before it in the
    same history are the evidence. Source: multinomial naive Bayes, McCallum and Nigam (1998).

    Args:
        smoothing: added to each count.
        days: of the recent popularity that is the prior; None: ever.
    """

    def __init__(self, smoothing: float = 1.0, days: float | None = 90.0) -> None:
        self.smoothing = smoothing
        self.days = days
        self.prior = np.zeros(0)
        self.evidence = np.zeros((0, 0))

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> NaiveBayes:
        """Count pairs of an earlier product and one taken later by the same customer."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n, rows = len(split.catalogue), known.rows()
        counts = sparse.csr_matrix((n, n))
        for step in range(1, max(int(known.lengths.max(initial=0)), 1)):
            # Events of one moment are one visit: none of them is evidence for another.
            same = (rows[step:] == rows[:-step]) & (known.times[step:] > known.times[:-step])
            if not (rows[step:] == rows[:-step]).any():
                break
            same &= ~known.given_up[step:]
            pairs = (known.products[:-step][same], known.products[step:][same])
            counts = counts + sparse.coo_matrix((np.ones(same.sum()), pairs), shape=(n, n)).tocsr()
        smoothed = counts.toarray() + self.smoothing  # [before, next]
        self.evidence = np.log(smoothed / smoothed.sum(0, keepdims=True))
        popular = Popularity(self.days).fit(fold, split).counts.astype(np.float64) + self.smoothing
        self.prior = np.log(popular / popular.sum())
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Log odds up to a constant a customer, float32 [B, N]."""
        return (self.prior + histories(customers, len(self.prior)) @ self.evidence).astype(
            np.float32
        )
