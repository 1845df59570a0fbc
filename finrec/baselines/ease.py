"""EASE: a linear model from the history to every product, in closed form."""

from __future__ import annotations

import numpy as np

from finrec.baselines.itemcf import histories, repeated
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split


class Ease:
    """Ridge regression of the history on itself without the diagonal.

    Source: Steck (2019), "Embarrassingly Shallow Autoencoders for Sparse Data". Where products can
    be acquired again, the diagonal is the share of a product's customers who did so.

    Args:
        penalty: the ridge.
    """

    def __init__(self, penalty: float = 100.0) -> None:
        self.penalty = penalty
        self.weights = np.zeros((0, 0), dtype=np.float32)
        self.popularity = np.zeros(0)

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Ease:
        """One inversion of an N by N matrix."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n = len(split.catalogue)
        taken = histories(known, n)
        gram = (taken.T @ taken).toarray()
        gram[np.diag_indices(n)] += self.penalty
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        weights[np.diag_indices(n)] = 0.0
        if split.repeatable:
            size = np.asarray(taken.sum(0)).ravel()
            weights[np.diag_indices(n)] = repeated(known, n) / np.maximum(size, 1)
        self.weights = weights.astype(np.float32)
        counts = Popularity().fit(fold, split).counts.astype(np.float64)
        self.popularity = counts / max(counts.sum(), 1)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Reconstruction of the history, float32 [B, N]."""
        history = histories(customers, len(self.popularity)).astype(np.float32)
        return np.asarray(history @ self.weights + 1e-4 * self.popularity, dtype=np.float32)
