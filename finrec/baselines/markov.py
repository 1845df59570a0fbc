"""First-order Markov chain: what is acquired next after the latest product, backed off."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split


class Markov:
    """Smoothed probability of each product given the latest one acquired.

    ``(count(i, j) + weight * share(j)) / (count(i) + weight)``, with the share of recent
    popularity as the prior (Dirichlet smoothing, Zhai and Lafferty, 2004). Customers without a
    past get the prior.

    Args:
        weight: how many transitions the prior counts as.
        days: of recent popularity; None: ever.
    """

    def __init__(self, weight: float = 20.0, days: float | None = 90.0) -> None:
        self.weight = weight
        self.days = days
        self.transitions = sparse.csr_matrix((0, 0))
        self.prior = np.zeros(0)

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Markov:
        """Count transitions from an event of a customer to the next, if that took something."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        rows, n = known.rows(), len(split.catalogue)
        same = (rows[1:] == rows[:-1]) & ~known.given_up[1:]
        pairs = (known.products[:-1][same], known.products[1:][same])
        self.transitions = sparse.coo_matrix((np.ones(same.sum()), pairs), shape=(n, n)).tocsr()
        popular = Popularity(self.days).fit(fold, split).counts.astype(np.float64) + 1e-6
        self.prior = popular / popular.sum()
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Probabilities, float32 [B, N]."""
        out = np.tile(self.prior, (len(customers), 1))
        warm = np.flatnonzero(customers.lengths > 0)
        latest = customers.products[customers.offsets[warm + 1] - 1]
        counts = self.transitions[latest].toarray()
        out[warm] = (counts + self.weight * self.prior) / (
            counts.sum(1, keepdims=True) + self.weight
        )
        return out.astype(np.float32)
