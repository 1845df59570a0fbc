"""CF with a time correlation inside clusters that a cuckoo search found.

Cui et al. (2020): what a customer took counts less the longer ago it was; customers are clustered
by k-means, whose first centroids cuckoo search (Yang and Deb, 2009) has found; neighbours come
from the own cluster. The publication's ratings are acquisitions here.
"""

from __future__ import annotations

from math import gamma, pi, sin

import numpy as np
from scipy import sparse

from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import SECONDS_PER_DAY, Cohort, cohort
from finrec.split import Fold, Split

NESTS, ROUNDS, ABANDONED = 10, 20, 0.25  # of the cuckoo search, as in Yang and Deb
SAMPLE = 2_000  # customers by whom a nest is judged
LLOYD = 10  # steps of k-means from the best nest
MEMBERS = 5_000  # of a cluster that may be neighbours: those with most events
FEWEST = 150  # customers to a cluster on average: neighbours must differ to teach anything
LEVY = 1.5  # exponent of the flights


class TimeCFCuckoo:
    """User-based CF with time-weighted histories, neighbours from the own cluster.

    Args:
        clusters: k of k-means; fewer where there are few customers.
        half_life: days after which an event counts half.
        neighbours: customers whose histories are added up.
        width: of the vectors that are clustered (truncated SVD of the histories).
        popular: weight of popularity beside it.
        seed: of the search.
    """

    def __init__(
        self,
        clusters: int = 8,
        half_life: float = 365.0,
        neighbours: int = 100,
        width: int = 16,
        popular: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.clusters, self.half_life, self.neighbours = clusters, half_life, neighbours
        self.width, self.popular, self.seed = width, popular, seed
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> TimeCFCuckoo:
        """Cluster the training customers."""
        part = fold.train
        known = cohort(part[CUSTOMER].unique(), part, split.customers, split.catalogue, fold.until)
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popularity = counts / max(counts.max(), 1)
        taken = self._weighted(known)
        self.map = _axes(taken, self.width, self.seed)
        points = _unit(taken @ self.map)
        chance = np.random.default_rng(self.seed)
        k = min(self.clusters, max(1, len(points) // FEWEST))
        self.centroids = cuckoo_kmeans(points, k, chance)
        cluster = _nearest(points, self.centroids)
        self.groups = []
        for c in range(len(self.centroids)):
            rows = np.flatnonzero(cluster == c)
            most = np.argsort(-known.lengths[rows], kind="stable")[:MEMBERS]
            self.groups.append(taken[np.sort(rows[most])])
        self.parameters = self.centroids.size
        return self

    def _weighted(self, customers: Cohort) -> sparse.csr_matrix:
        """Histories, each event halved with its age; rows of length 1. Sparse [B, N]."""
        rows, n = customers.rows(), len(self.popularity)
        latest = np.zeros(len(customers))
        np.maximum.at(latest, rows, customers.times)
        # Relative to the customer's latest event: a factor common to a history changes no cosine.
        age = (latest[rows] - customers.times) / SECONDS_PER_DAY
        weight = np.maximum(0.5 ** (age / self.half_life), 1e-6)
        matrix = sparse.coo_matrix((weight, (rows, customers.products)), (len(customers), n))
        matrix = matrix.tocsr()
        length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1))).ravel()
        return (sparse.diags(1 / np.maximum(length, 1e-12)) @ matrix).tocsr()

    def score(self, customers: Cohort) -> np.ndarray:
        """Similarity-weighted mean of the neighbours' histories, float32 [B, N]."""
        out = np.tile(self.popular * self.popularity, (len(customers), 1))
        past = self._weighted(customers)
        cluster = _nearest(_unit(past @ self.map), self.centroids)
        cluster[customers.lengths == 0] = -1  # popularity is all they get
        for c, members in enumerate(self.groups):
            for start in range(0, len(rows := np.flatnonzero(cluster == c)), 512):
                part = rows[start : start + 512]
                near = (past[part] @ members.T).toarray()
                k = min(self.neighbours, near.shape[1])
                if k:
                    floor = np.partition(near, -k, axis=1)[:, -k][:, None]
                    near[near < floor] = 0.0
                    total = np.maximum(near.sum(1, keepdims=True), 1e-12)
                    out[part] += (near / total) @ members
        return out.astype(np.float32)


def cuckoo_kmeans(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Centroids [k, D] of k-means, begun from the best nest of a cuckoo search.

    A nest is a set of centroids, judged by the sum of squared distances of a sample. Each round a
    cuckoo leaves a nest on a Lévy flight and its egg replaces a random nest if it is better;
    then a share of the worst nests is abandoned for new ones. The best nest is never lost.

    Args:
        points: float [S, D].
        k: at most S.
        rng: of all chance.
    """
    sample = points[rng.permutation(len(points))[:SAMPLE]]

    def fresh() -> np.ndarray:
        return points[rng.permutation(len(points))[:k]]

    nests = [fresh() for _ in range(NESTS)]
    cost = np.array([inertia(sample, nest) for nest in nests])
    spread = points.std(0)
    for _ in range(ROUNDS):
        for nest in list(nests):
            egg = nest + 0.1 * spread * _flight(nest.shape, rng)
            found, other = inertia(sample, egg), int(rng.integers(NESTS))
            if found < cost[other]:
                nests[other], cost[other] = egg, found
        for worst in np.argsort(-cost, kind="stable")[: int(ABANDONED * NESTS)]:
            nests[worst] = fresh()
            cost[worst] = inertia(sample, nests[worst])
    centroids = nests[int(np.argmin(cost))].copy()
    for _ in range(LLOYD):
        cluster = _nearest(points, centroids)
        size = np.bincount(cluster, minlength=k)
        total = np.zeros_like(centroids)
        np.add.at(total, cluster, points)
        centroids = np.where(size[:, None] > 0, total / np.maximum(size, 1)[:, None], centroids)
    return centroids


def inertia(points: np.ndarray, centroids: np.ndarray) -> float:
    """Sum of squared distances to the nearest centroid."""
    square = (points**2).sum(1)[:, None] - 2 * points @ centroids.T + (centroids**2).sum(1)
    return float(np.maximum(square.min(1), 0).sum())


def _nearest(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    return np.argmin((centroids**2).sum(1) - 2 * points @ centroids.T, axis=1)


def _flight(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Steps of a Lévy flight by Mantegna's algorithm."""
    b = LEVY
    top = gamma(1 + b) * sin(pi * b / 2)
    sigma = (top / (gamma((1 + b) / 2) * b * 2 ** ((b - 1) / 2))) ** (1 / b)
    return rng.normal(0, sigma, shape) / np.abs(rng.normal(0, 1, shape)) ** (1 / b)


def _axes(taken: sparse.csr_matrix, width: int, seed: int) -> np.ndarray:
    """Right singular vectors [N, D] of the histories; all axes where there are no more than D."""
    n = taken.shape[1]
    if n <= width:
        return np.eye(n)
    from sklearn.utils.extmath import randomized_svd

    return randomized_svd(taken, width, n_iter=4, random_state=seed)[2].T


def _unit(points: np.ndarray) -> np.ndarray:
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
