"""Item-based collaborative filtering: products taken by the same customers."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split


class ItemCF:
    """Sum of cosine similarities to the products of the history, shrunk for rare pairs.

    Source: Sarwar et al. (2001), Deshpande and Karypis (2004); shrinkage as in Bell and Koren
    (2007). Ties, and customers without a past, are settled by popularity. Where products can be
    acquired again, a product resembles itself as far as its customers did so.

    Args:
        shrinkage: added to the denominator of each similarity.
    """

    def __init__(self, shrinkage: float = 10.0) -> None:
        self.shrinkage = shrinkage
        self.similarity = sparse.csr_matrix((0, 0))
        self.popularity = np.zeros(0)

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> ItemCF:
        """Similarities between products over the training customers."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        n = len(split.catalogue)
        taken = histories(known, n)
        together = (taken.T @ taken).tocoo()
        size = np.asarray(taken.sum(0)).ravel()
        off = together.row != together.col
        row, column, count = together.row[off], together.col[off], together.data[off]
        cosine = count / (np.sqrt(size[row] * size[column]) + self.shrinkage)
        similarity = sparse.coo_matrix((cosine, (row, column)), shape=(n, n)).tocsr()
        if split.repeatable:
            again = repeated(known, n) / np.maximum(size + self.shrinkage, 1)
            similarity = (similarity + sparse.diags(again)).tocsr()
        self.similarity = similarity
        counts = Popularity().fit(fold, split).counts.astype(np.float64)
        self.popularity = counts / max(counts.sum(), 1)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Similarities, float32 [B, N]."""
        history = histories(customers, len(self.popularity))
        return ((history @ self.similarity).toarray() + 1e-4 * self.popularity).astype(np.float32)


def histories(customers: Cohort, n_products: int) -> sparse.csr_matrix:
    """1 where a product is in the history, float64 [B, N]."""
    pairs = (customers.rows(), customers.products)
    matrix = sparse.coo_matrix(
        (np.ones(len(customers.products)), pairs), shape=(len(customers), n_products)
    ).tocsr()
    matrix.data[:] = 1.0  # a product taken twice counts once
    return matrix


def repeated(customers: Cohort, n_products: int) -> np.ndarray:
    """How many customers have each product more than once in their history, int64 [N]."""
    pair, count = np.unique(customers.rows() * n_products + customers.products, return_counts=True)
    return np.bincount(pair[count > 1] % n_products, minlength=n_products)
