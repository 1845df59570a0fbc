"""Gradient boosting on engineered features, the kind that won Santander's competition.

Stand-in for Portugal et al. (2018), a review of machine learning in recommenders that names no
single method: LightGBM (Ke et al., 2017) ranks candidate products by features of the customer, of
the product and of the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from finrec.baselines.itemcf import ItemCF, histories
from finrec.baselines.popularity import Popularity
from finrec.features import profile
from finrec.schema import CUSTOMER, PRODUCT, TIME
from finrec.scorer import SECONDS_PER_DAY, Cohort, cohort
from finrec.split import Fold, Split

MOST_CANDIDATES = 100  # of a large catalogue: nearest by item-based CF, and the popular
MOST_CASES = 40_000  # customers whose later events teach the trees
CHUNK = 1024  # customers whose features are made at once
WINDOWS = (30.0, 90.0, 365.0)  # days of recent popularity


class Boosting:
    """LightGBM with the LambdaRank objective over candidates of each customer.

    Labels come from the training part alone: its last ``held_back`` share of time is what the
    trees learn to foretell from the features as they were before. Then all features are made
    again from the whole training part. Products that are no candidates rank below all candidates,
    by popularity.

    Args:
        leaves: of a tree.
        trees: number of them.
        rate: learning rate.
        held_back: share of the training part's events (the latest) that labels come from.
        seed: of row and column sampling.
    """

    def __init__(
        self,
        leaves: int = 15,
        trees: int = 150,
        rate: float = 0.05,
        held_back: float = 0.15,
        seed: int = 0,
    ) -> None:
        self.leaves, self.trees, self.rate = leaves, trees, rate
        self.held_back, self.seed = held_back, seed
        self.model: Any = None
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> Boosting:
        """Learn trees on what came last in the training part."""
        import lightgbm

        events = fold.train
        cut = events[TIME].sort_values().iloc[int((1 - self.held_back) * (len(events) - 1))]
        before, after = events[events[TIME] < cut], events[events[TIME] >= cut]
        self.features = _Features(events, split, fold.until)
        if before.empty:
            return self  # a single moment: nothing comes before anything; popularity is left
        features = _Features(before, split, cut)
        taken = after[after["kind"].isin(["acquired", "rated", "traded", "other"])]
        people = pd.Index(taken[CUSTOMER].unique())
        chosen = np.random.default_rng(self.seed).permutation(len(people))[:MOST_CASES]
        ids = people[np.sort(chosen)]
        known = cohort(ids, before, split.customers, split.catalogue, cut)
        row = ids.get_indexer(pd.Index(taken[CUSTOMER]))
        pairs = (row[row >= 0], split.catalogue.index(taken[PRODUCT])[row >= 0])
        shape = (len(ids), len(split.catalogue))
        truth = sparse.csr_matrix((np.ones(len(pairs[0])), pairs), shape=shape)
        tables, labels, groups = [], [], []
        for start in range(0, len(known), CHUNK):
            part = known.take(np.arange(start, min(start + CHUNK, len(known))))
            rows, products = features.candidates(part)
            label = np.asarray(truth[start + rows, products]).ravel() > 0
            useful = np.bincount(rows, label, len(part)) > 0
            keep = useful[rows]
            tables.append(features.of(part, rows, products)[keep])
            labels.append(label[keep])
            groups.append(np.bincount(rows, minlength=len(part))[useful])
        if not sum(map(len, labels)):
            return self  # no candidate was taken later: popularity is left
        self.model = lightgbm.LGBMRanker(
            objective="lambdarank",
            n_estimators=self.trees,
            num_leaves=self.leaves,
            learning_rate=self.rate,
            subsample=0.8,
            subsample_freq=1,
            colsample_bytree=0.8,
            min_child_samples=50,
            random_state=self.seed,
            deterministic=True,
            force_row_wise=True,
            verbose=-1,
        )
        table, label = np.concatenate(tables), np.concatenate(labels).astype(int)
        self.model.fit(table, label, group=np.concatenate(groups))
        trees = self.model.booster_.dump_model()["tree_info"]
        self.parameters = int(sum(t["num_leaves"] for t in trees))
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Scores, float32 [B, N]."""
        popular = self.features.popularity
        floor = popular / (popular.max() + 1) - 100.0  # below any sum of trees
        out = np.tile(floor.astype(np.float32), (len(customers), 1))
        for start in range(0, len(customers) if self.model else 0, CHUNK):
            part = customers.take(np.arange(start, min(start + CHUNK, len(customers))))
            rows, products = self.features.candidates(part)
            table = self.features.of(part, rows, products)
            out[start + rows, products] = self.model.booster_.predict(table, raw_score=True)
        return out


class _Features:
    """Features as known from some events at a moment."""

    def __init__(self, events: pd.DataFrame, split: Split, until: pd.Timestamp) -> None:
        fold = Fold(events, split.valid.cases, until)
        n = len(split.catalogue)
        self.popularity = Popularity().fit(fold, split).counts.astype(float)
        counts = [self.popularity]
        counts += [Popularity(d).fit(fold, split).counts.astype(float) for d in WINDOWS]
        # Shares and places, not counts: those grow with the length of what is known.
        self.shares = [c / max(c.sum(), 1) for c in counts]
        self.places = [(-c).argsort(kind="stable").argsort() for c in counts]
        self.similar = ItemCF().fit(fold, split).similarity
        known = cohort(events[CUSTOMER].unique(), events, split.customers, split.catalogue, until)
        rows = known.rows()
        same = (rows[1:] == rows[:-1]) & (known.times[1:] > known.times[:-1])
        same &= ~known.given_up[1:]
        pairs = (known.products[:-1][same], known.products[1:][same])
        self.follows = sparse.coo_matrix((np.ones(same.sum()), pairs), shape=(n, n)).tocsr()
        self.profile = profile.fit(split.customers[split.customers[CUSTOMER].isin(known.ids)])
        self.products = profile.fit(split.catalogue.table)
        self.attributes = np.hstack(self.products.encode(split.catalogue.table)).astype(np.float32)

    def candidates(self, customers: Cohort) -> tuple[np.ndarray, np.ndarray]:
        """Row and product of each candidate, sorted by row."""
        n = len(self.popularity)
        if n <= MOST_CANDIDATES:
            rows = np.repeat(np.arange(len(customers)), n)
            return rows, np.tile(np.arange(n), len(customers))
        near = (histories(customers, n) @ self.similar).toarray()
        near += 1e-6 * self.popularity / max(self.popularity.max(), 1)
        best = np.argpartition(-near, MOST_CANDIDATES, axis=1)[:, :MOST_CANDIDATES]
        rows = np.repeat(np.arange(len(customers)), MOST_CANDIDATES)
        return rows, np.sort(best, axis=1).ravel()

    def of(self, customers: Cohort, rows: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Features of customer-product pairs, float32 [P, F]."""
        n = len(self.popularity)
        lengths = customers.lengths
        warm = lengths > 0
        last = np.where(warm, customers.offsets[1:] - 1, 0)
        latest = customers.products[last] if len(customers.products) else np.zeros(len(warm), int)
        since = np.where(
            warm, customers.asof - (customers.times[last] if len(customers.times) else 0), -1
        )
        follow = self.follows[latest].toarray() * warm[:, None]
        history = histories(customers, n)
        pair = np.full((len(customers), n), np.nan, dtype=np.float32)  # days since last taken
        when = (np.repeat(customers.asof, lengths) - customers.times) / SECONDS_PER_DAY
        pair[customers.rows(), customers.products] = when
        times = np.zeros((len(customers), n), dtype=np.float32)
        np.add.at(times, (customers.rows(), customers.products), 1)
        numbers, codes = self.profile.encode(customers.profile)
        near = (history @ self.similar).toarray()
        held = customers.held(n)
        columns = [
            *(share[products] for share in self.shares),
            *(place[products] for place in self.places),
            near[rows, products],
            follow[rows, products] / np.maximum(follow.sum(1), 1)[rows],
            times[rows, products],
            pair[rows, products],
            held[rows, products],
            held.sum(1)[rows],
            lengths[rows],
            since[rows] / SECONDS_PER_DAY,
            np.where(warm, latest, -1)[rows],
            products,
        ]
        return np.hstack(
            [
                np.stack(columns, 1).astype(np.float32),
                numbers[rows],
                codes[rows].astype(np.float32),
                self.attributes[products],
            ]
        )
