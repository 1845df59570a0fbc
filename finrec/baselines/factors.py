"""Matrix factorisation for implicit data, corrected for what was shown: IPS and doubly robust."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import sparse

from finrec.baselines.itemcf import histories
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

SWEEPS = 15


class Factors:
    """Least squares on all pairs, those acquired weighted by their inverse propensity.

    With r(u, j) = 1 where acquired and p(j) the propensity of being observed, the loss over scores
    s is the sum over all pairs of

    - ``inverse``: r / p (1 - s)^2 + (1 - r / p) s^2, the unbiased estimate of Saito et al. (2020),
      which is IPS-MF (Schnabel et al., 2016) for acquisitions;
    - ``doubly``: e + r / p ((1 - s)^2 - e) with the imputed error e = (m - s)^2, m the share of
      customers who have the product: doubly robust (Wang et al., 2019);
    - ``none``: ``inverse`` with p = 1.

    What was shown to whom is not in the data, so a propensity is the product's share of events to
    a power, as is usual (Yang et al., 2018). Both losses are, up to a constant, the squared
    distance of s to ``m + r / p (1 - m)`` (m = 0 for ``inverse``), so that alternating least
    squares inverts one D by D matrix a side. A customer's vector is folded in from the history, so
    anybody is served.

    Args:
        width: D.
        penalty: ridge of both sides.
        power: of the share of events; 0 makes all propensities equal.
        propensity: ``none``, ``inverse`` or ``doubly``.
        seed: of the first vectors.
    """

    def __init__(
        self,
        width: int = 64,
        penalty: float = 3.0,
        power: float = 0.25,
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
        self.popularity = np.maximum(counts, 0.5) / max(counts.sum(), 1)
        propensity = np.ones(n)
        if self.propensity != "none":
            propensity = (self.popularity / self.popularity.max()) ** self.power
        weight = 1 / propensity
        weight /= max(weight @ counts, 1e-12) / max(counts.sum(), 1)  # 1 for the average event
        owners = np.asarray(taken.sum(0)).ravel() / max(len(known), 1)
        self.imputed = owners if self.propensity == "doubly" else np.zeros(n)
        self.gain = weight * (1 - self.imputed)
        observed = taken @ sparse.diags(self.gain)
        self.products = np.random.default_rng(self.seed).normal(0, 0.1, (n, self.width))
        for _ in range(SWEEPS):
            people = self._fold_in(taken)
            filled = np.outer(self.imputed, people.sum(0))
            self.products = _solved(people, observed.T @ people + filled, self.penalty)
        self.parameters = (n + len(known)) * self.width
        return self

    def _fold_in(self, taken: sparse.csr_matrix) -> np.ndarray:
        """Vectors of customers from their products, float [B, D]."""
        right = taken @ (self.gain[:, None] * self.products) + self.imputed @ self.products
        return _solved(self.products, right, self.penalty)

    def score(self, customers: Cohort) -> np.ndarray:
        """Dot products, float32 [B, N]; popularity settles ties."""
        people = self._fold_in(histories(customers, len(self.products)))
        scores = people @ self.products.T + 1e-6 * self.popularity
        scores[customers.lengths == 0] = self.popularity
        return scores.astype(np.float32)


def _solved(known: np.ndarray, right: np.ndarray, penalty: float) -> np.ndarray:
    """``right (known' known + penalty I)^-1``, the vectors of the other side."""
    gram = known.T @ known + penalty * np.eye(known.shape[1])
    return np.linalg.solve(gram, np.asarray(right).T).T
