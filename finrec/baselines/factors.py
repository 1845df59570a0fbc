"""Matrix factorisation for implicit data, corrected for what was shown: IPS and doubly robust."""

from __future__ import annotations

from typing import Literal

import numpy as np

from finrec.baselines.itemcf import histories
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

SWEEPS = 10


class Factors:
    """Weighted least squares on pairs, each weighted by its inverse propensity.

    What was shown to whom is not in the data, so a product's propensity is its share of events to
    a power, as is usual (Yang et al., 2018). ``inverse`` weighs each acquired pair by one over it
    (IPS-MF: Schnabel et al., 2016). ``doubly`` also imputes pairs that were not observed by the
    product's mean and corrects that imputation on the observed (doubly robust: Wang et al.,
    2019). ``none`` is plain factorisation (Hu et al., 2008). A customer's vector is folded in
    from the history, so anybody is served.

    Args:
        width: D.
        penalty: ridge of both sides.
        power: of the share of events; 0 makes all propensities equal.
        propensity: ``none``, ``inverse`` or ``doubly``.
        seed: of the first vectors.
    """

    def __init__(
        self,
        width: int = 32,
        penalty: float = 10.0,
        power: float = 0.5,
        propensity: Literal["none", "inverse", "doubly"] = "inverse",
        seed: int = 0,
    ) -> None:
        self.width, self.penalty, self.power = width, penalty, power
        self.propensity, self.seed = propensity, seed
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Factors:
        """Alternate between customers' and products' vectors."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n = len(split.catalogue)
        taken = histories(known, n)
        counts = Popularity().fit(fold, split).counts.astype(float)
        share = np.maximum(counts, 0.5) / max(counts.sum(), 1)
        propensity = (share / share.max()) ** self.power
        self.weight = np.ones(n) if self.propensity == "none" else 1 / propensity
        self.weight /= (self.weight @ counts) / max(counts.sum(), 1)  # an event counts 1 on average
        rate = np.minimum(counts / max(len(known), 1), 1.0)  # of customers who have the product
        self.imputed = rate if self.propensity == "doubly" else np.zeros(n)
        self.popularity = share
        self.products = np.random.default_rng(self.seed).normal(0, 0.1, (n, self.width))
        lengths = np.diff(taken.indptr)
        for _ in range(SWEEPS):
            people = self._fold_in(taken.indptr, taken.indices)
            gram = people.T @ people + self.penalty * np.eye(self.width)
            columns = taken.tocsc()
            filled = people.sum(0)
            for j in range(n):
                who = columns.indices[columns.indptr[j] : columns.indptr[j + 1]]
                own = people[who]
                left = gram + self.weight[j] * own.T @ own
                right = (1 + self.weight[j] * (1 - self.imputed[j])) * own.sum(0)
                self.products[j] = np.linalg.solve(left, right + self.imputed[j] * filled)
        self.parameters = (n + int((lengths > 0).sum())) * self.width
        return self

    def _fold_in(self, indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Vectors of customers from their products, float [B, D]."""
        gram = self.products.T @ self.products + self.penalty * np.eye(self.width)
        base = self.imputed @ self.products
        out = np.zeros((len(indptr) - 1, self.width))
        for b in range(len(out)):
            chosen = indices[indptr[b] : indptr[b + 1]]
            own, weight = self.products[chosen], self.weight[chosen]
            left = gram + (own * weight[:, None]).T @ own
            gain = 1 + weight * (1 - self.imputed[chosen])
            out[b] = np.linalg.solve(left, own.T @ gain + base)
        return out

    def score(self, customers: Cohort) -> np.ndarray:
        """Dot products, float32 [B, N]; popularity settles ties."""
        past = histories(customers, len(self.products))
        people = self._fold_in(past.indptr, past.indices)
        cold = customers.lengths == 0
        scores = people @ self.products.T + 1e-6 * self.popularity
        scores[cold] = self.popularity
        return scores.astype(np.float32)
