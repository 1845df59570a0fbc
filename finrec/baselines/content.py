"""Content-based: products that resemble what the customer took, by attributes and words."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from finrec.baselines.popularity import Popularity
from finrec.features import profile
from finrec.schema import DESCRIPTION, NAME
from finrec.scorer import Cohort
from finrec.split import Fold, Split

MOST_WORDS = 20_000
WORD = r"(?u)\b\w+\b"  # products may be named by a single character


class Content:
    """Cosine of a product's TF-IDF words and attributes with those of the history.

    Source: Pazzani and Billsus (2007), the paper's "content-based recommendation". Where products
    have neither words nor attributes, all are alike and what is popular comes first.

    Args:
        decay: weight of each earlier event against the one after it.
    """

    def __init__(self, decay: float = 0.8) -> None:
        self.decay = decay
        self.vectors = sparse.csr_matrix((0, 0))
        self.popularity = np.zeros(0)

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Content:
        """Vectors of products; of events only popularity is learned, to settle ties."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        table = split.catalogue.table
        texts = (table[NAME].fillna("") + " " + table[DESCRIPTION].fillna("")).tolist()
        numbers, codes = (p := profile.fit(table)).encode(table)
        blocks = [np.eye(size)[codes[:, i]] for i, size in enumerate(p.sizes)]
        parts = [sparse.csr_matrix(np.hstack([numbers, *blocks]))]
        words = TfidfVectorizer(max_features=MOST_WORDS, token_pattern=WORD)
        split_up = words.build_analyzer()
        if any(split_up(t) for t in texts):
            parts.append(words.fit_transform(texts))
        joined = sparse.hstack(parts).tocsr()
        length = np.sqrt(joined.multiply(joined).sum(1)).A1 if joined.shape[1] else np.ones(len(table))  # fmt: skip  # noqa: E501
        self.vectors = sparse.diags(1 / np.maximum(length, 1e-12)) @ joined
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popularity = counts / max(counts.sum(), 1)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Cosine summed over the history, float32 [B, N]."""
        n = len(self.popularity)
        age = customers.offsets[1:][customers.rows()] - 1 - np.arange(len(customers.products))
        pairs = (customers.rows(), customers.products)
        history = sparse.coo_matrix((self.decay**age, pairs), shape=(len(customers), n)).tocsr()
        near = (history @ self.vectors) @ self.vectors.T
        return (near.toarray() + 1e-3 * self.popularity).astype(np.float32)
