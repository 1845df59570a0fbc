"""Trust and Slope One: deviations between products, averaged over trusted customers.

Jiang et al. (2019) improve Slope One (Lemire and Maclachlan, 2005): deviations are taken over
trusted customers only, each weighted by the similarity to the customer asked about.

Acquisitions stand in for ratings: r = 1 where taken, 0 where not. With H the products of the
customer asked about, t(v) the trust in customer v, and r(v, i) what v took, Slope One says

    dev(j, i) = sum over v of t(v) r(v, i) (r(v, j) - r(v, i)) / sum over v of t(v) r(v, i)
    score(j) = mean over i in H of (dev(j, i) + 1), each i weighted by sum over v of t(v) r(v, i),

which is ``sum of t(v) |H & H(v)| r(v, j) / sum of t(v) |H & H(v)|`` and computed so.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from finrec.baselines.itemcf import histories
from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER, SOURCE, TARGET, WEIGHT
from finrec.scorer import Cohort, cohort
from finrec.split import Fold, Split

MOST = 20_000  # customers that may be trusted; drawn with the seed where there are more


class SlopeOneTrust:
    """Weighted Slope One over the most trusted customers.

    Trust is the cosine of two histories. Where links between customers are given, a link adds its
    weight: who is linked is trusted before who is merely alike.

    Args:
        neighbours: most trusted customers of each.
        popular: weight of popularity beside it.
        links: SOURCE, TARGET, WEIGHT as in a data set; None: those of the data that it is fitted
            on. Without any, trust is similarity alone.
        seed: of the draw of customers that may be trusted.
    """

    def __init__(
        self,
        neighbours: int = 50,
        popular: float = 0.1,
        links: pd.DataFrame | None = None,
        seed: int = 0,
    ) -> None:
        self.neighbours, self.popular, self.links, self.seed = neighbours, popular, links, seed
        self.parameters = 0

    def fit(
        self, fold: Fold, split: Split, rng: np.random.Generator | None = None
    ) -> SlopeOneTrust:
        """Keep the histories of customers who can be trusted: those with two products or more."""
        if self.links is None:
            self.links = split.links
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        several = np.flatnonzero(known.lengths > 1)
        chosen = np.sort(np.random.default_rng(self.seed).permutation(several)[:MOST])
        self.trusted = pd.Index(known.ids[chosen])
        self.taken = histories(known.take(chosen), len(split.catalogue))
        self.sizes = np.asarray(self.taken.sum(1)).ravel()
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popularity = counts / max(counts.max(), 1)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Slope One's estimate plus a share of popularity, float32 [B, N]."""
        past = histories(customers, len(self.popularity))
        linked = self._linked(customers.ids)
        sizes = np.asarray(past.sum(1)).ravel()
        out = np.tile(self.popular * self.popularity, (len(customers), 1))
        k = min(self.neighbours, len(self.trusted))
        for start in range(0, len(customers) if k else 0, 512):
            rows = slice(start, min(start + 512, len(customers)))
            both = (past[rows] @ self.taken.T).toarray()  # products in both histories
            trust = both / np.sqrt(np.maximum(np.outer(sizes[rows], self.sizes), 1))
            if linked is not None:
                trust += linked[rows].toarray()
            own = self.trusted.get_indexer(pd.Index(customers.ids[rows]))
            trust[own >= 0, own[own >= 0]] = 0.0  # nobody is one's own witness
            floor = np.partition(trust, -k, axis=1)[:, -k][:, None]
            weight = np.where(trust >= floor, trust, 0.0) * both
            total = np.maximum(weight.sum(1, keepdims=True), 1e-12)
            out[rows] += (weight / total) @ self.taken
        return out.astype(np.float32)

    def _linked(self, ids: np.ndarray) -> sparse.csr_matrix | None:
        """Weight of links from customers to the trusted, sparse [B, trusted]."""
        if self.links is None or self.links.empty:
            return None
        people = pd.Index(ids)
        ends = [(self.links[SOURCE], self.links[TARGET]), (self.links[TARGET], self.links[SOURCE])]
        shape, found = (len(people), len(self.trusted)), None
        weights = self.links[WEIGHT].to_numpy(dtype=float)
        for source, target in ends:  # trust works both ways
            row, column = people.get_indexer(source), self.trusted.get_indexer(target)
            ok = (row >= 0) & (column >= 0)
            part = sparse.csr_matrix((weights[ok], (row[ok], column[ok])), shape=shape)
            found = part if found is None else found.maximum(part)
        return found
