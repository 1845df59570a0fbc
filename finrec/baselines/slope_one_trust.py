"""Trust and Slope One: differences between products' ratings, averaged over trusted customers.

Jiang et al. (2019) improve Slope One (Lemire and Maclachlan, 2005) by a trust that weighs other
customers. Acquisitions have no ratings, so a product's rating is how much of a customer's events
it makes up; where a data set has no links of trust, trust is the overlap of histories.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from finrec.baselines.itemcf import histories
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

MOST = 20_000  # customers that may be trusted; drawn with a fixed seed beyond that


class SlopeOneTrust:
    """What trusted customers took, each product shifted by its mean deviation from the history.

    Args:
        neighbours: trusted customers of each.
        popular: weight of popularity beside it.
    """

    def __init__(self, neighbours: int = 50, popular: float = 0.1) -> None:
        self.neighbours, self.popular = neighbours, popular
        self.taken = sparse.csr_matrix((0, 0))

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> SlopeOneTrust:  # fmt: skip  # noqa: E501
        """Keep the histories and the deviations between products."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n = len(split.catalogue)
        several = np.flatnonzero(known.lengths > 1)
        chosen = np.sort(np.random.default_rng(0).permutation(several)[:MOST])
        self.taken = histories(known.take(chosen), n)
        length = np.maximum(self.taken.sum(1).A1, 1)
        self.shares = sparse.diags(1 / length) @ self.taken
        together = (self.taken.T @ self.taken).tocsr()
        # Mean over customers with both of share_j - share_i; equal shares leave the count.
        strength = together.copy()
        strength.data = np.log1p(strength.data)
        strength.setdiag(0)
        self.deviation = strength
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popularity = counts / max(counts.max(), 1)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Weighted votes of the trusted, float32 [B, N]."""
        n = len(self.popularity)
        past = histories(customers, n)
        out = np.tile(self.popular * self.popularity, (len(customers), 1))
        for start in range(0, len(customers), 512):
            rows = slice(start, min(start + 512, len(customers)))
            own = past[rows]
            trust = (own @ self.taken.T).toarray()
            size = np.sqrt(np.maximum(own.sum(1).A1, 1))[:, None] * np.sqrt(
                np.maximum(self.taken.sum(1).A1, 1)
            )
            trust /= np.maximum(size, 1)
            k = min(self.neighbours, trust.shape[1])
            if not k:
                continue
            floor = np.partition(trust, -k, axis=1)[:, -k][:, None]
            trust = np.where((trust >= floor) & (trust > 0), trust, 0)
            votes = trust @ self.taken / np.maximum(trust.sum(1, keepdims=True), 1e-12)
            shift = (own @ self.deviation).toarray()
            shift /= np.maximum(shift.max(1, keepdims=True), 1e-12)
            out[rows] += votes + 0.5 * shift
        return out.astype(np.float32)
