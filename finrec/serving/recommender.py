"""A trained run with its data: customers as known now, and the products that fit them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from finrec.features.company import Company
from finrec.schema import CUSTOMER, NAME, PRODUCT, SOURCE, TARGET, TIME, DataError, Dataset
from finrec.scorer import Catalogue, Cohort, cohort
from finrec.serving.best import best
from finrec.serving.company import company
from finrec.snapshots import Snapshot
from finrec.split import next_moment, split
from finrec.training.fused_scorer import FusedScorer
from finrec.training.runs import Run

FEW = 256  # customers that are looked up on disk; for more the tables are read
LATELY = 32  # customers whose events are kept after they were looked up


def offerable(customers: Cohort, n_products: int, repeatable: bool) -> np.ndarray:
    """What is not held already (not repeatable: never acquired before), bool [B, N]."""
    return ~(customers.held(n_products) if repeatable else customers.seen(n_products))


@dataclass(frozen=True)
class Recommender:
    """A run with its data, ready to answer.

    Args:
        run: settings, metrics, provenance.
        snapshot: data it was trained on; a few customers are looked up in it on disk.
        scorer: the network.
    """

    run: Run
    snapshot: Snapshot
    scorer: FusedScorer

    @cached_property
    def dataset(self) -> Dataset:
        """The snapshot in memory, read when something first asks for all of it."""
        return self.snapshot.load()

    @property
    def catalogue(self) -> Catalogue:
        """Products in the order of the scores."""
        return self.scorer.given.catalogue

    @cached_property
    def known(self) -> frozenset[str]:
        """Customers of the snapshot, with or without events."""
        found = self.snapshot.query(
            "SELECT customer_id FROM customers UNION SELECT customer_id FROM events"
        )
        return frozenset(map(str, found[CUSTOMER]))

    @cached_property
    def last(self) -> pd.Timestamp:
        """When the last event of anybody was."""
        return pd.Timestamp(self.snapshot.query("SELECT max(time) AS last FROM events")["last"][0])

    @cached_property
    def now(self) -> pd.Timestamp:
        """The moment of recommendation: the next after the last event of anybody."""
        days = self.snapshot.query("SELECT DISTINCT CAST(time AS DATE) AS day FROM events")["day"]
        return next_moment(pd.to_datetime(days), self.last + pd.Timedelta(days=1))

    @cached_property
    def training(self) -> Cohort:
        """Histories that the network learned from."""
        part = split(self.dataset, self.run.settings.protocol).test.train
        people = part[CUSTOMER].unique()
        return cohort(
            people, part, self.dataset.customers, self.catalogue, part[TIME].max(), self._links()
        )

    @cached_property
    def company(self) -> Company:
        """Who has which products together in those histories, for counts of other customers."""
        return company(self.snapshot, self.run.settings.protocol, self.catalogue)

    def cohort(self, ids: Sequence[str], on_disk: bool = False) -> Cohort:
        """Customers as known now: with all their events, at the next moment after the last.

        Args:
            ids: customers; few are looked up on disk, for more all tables are read, once.
            on_disk: looked up, however many.

        Raises:
            DataError: when the snapshot knows one of them not at all.
        """
        if len(ids) != 1:
            return self._cohort(ids, on_disk or len(ids) <= FEW)
        found = self._lately.get(ids[0])
        if found is None:  # a screen asks for the customer that it shows again and again
            found = self._lately[ids[0]] = self._cohort(ids, True)
            while len(self._lately) > LATELY:
                self._lately.pop(next(iter(self._lately)), None)
        return found

    @cached_property
    def _lately(self) -> dict[str, Cohort]:
        return {}

    def _cohort(self, ids: Sequence[str], on_disk: bool) -> Cohort:
        links = self._links(ids if on_disk else None)
        if on_disk:
            events, customers = self._looked_up(ids, links)
            known: Container[str] = {*events[CUSTOMER], *customers[CUSTOMER]}
        else:
            events, customers = self.dataset.events, self.dataset.customers
            known = self.known
        for customer in ids:
            if customer not in known:
                raise DataError(
                    f"Customer {customer!r} is not in {self.snapshot.ref}; check the id or ingest "
                    "data that holds this customer."
                )
        return cohort(ids, events, customers, self.catalogue, self.now, links)

    def _links(self, ids: Sequence[str] | None = None) -> pd.DataFrame | None:
        """Links of these customers, or all; None where the network does not read them."""
        if not self.scorer.given.links:
            return None
        if ids is None:
            return self.dataset.links
        asked = [list(map(str, ids))]
        return self.snapshot.query(
            "SELECT * FROM links WHERE source IN (SELECT unnest($1)) "
            "OR target IN (SELECT unnest($1))", asked,
        )  # fmt: skip

    def _looked_up(
        self, ids: Sequence[str], links: pd.DataFrame | None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Events and attributes of a few customers and of those linked to them, typed as stored."""
        linked = set() if links is None else {*links[SOURCE], *links[TARGET]}
        asked = [[*map(str, ids), *sorted(linked - set(ids))]]
        tables = []
        for name in ("events", "customers"):
            found = self.snapshot.query(
                f"SELECT * FROM {name} WHERE customer_id IN (SELECT unnest(?))", asked
            )
            kinds = self._types[name]
            tables.append(found.astype({c: kinds[c] for c in found.columns}))
        return tables[0], tables[1]

    @cached_property
    def _types(self) -> dict[str, dict[str, Any]]:
        return {
            name: dict(
                pq.read_schema(self.snapshot.path / f"{name}.parquet")
                .empty_table()
                .to_pandas()
                .dtypes
            )
            for name in ("events", "customers")
        }

    def offerable(self, customers: Cohort) -> np.ndarray:
        """What may be offered by the data alone, bool [B, N]."""
        return offerable(customers, len(self.catalogue), self.snapshot.info.repeatable)

    def recommend(self, ids: Sequence[str], k: int = 10) -> pd.DataFrame:
        """Top k products of each customer: customer_id, rank, product_id, name, score, probability.

        ``probability`` is the chance that, if the customer acquires something next, it is this;
        its temperature was fitted on validation cases.
        """
        customers = self.cohort(ids)
        index, top, chances = self.best(customers, k)
        row, rank = np.nonzero(index >= 0)
        product = index[row, rank]
        table = self.catalogue.table
        return pd.DataFrame(
            {
                CUSTOMER: customers.ids[row],
                "rank": rank + 1,
                PRODUCT: table[PRODUCT].to_numpy(dtype=object)[product],
                NAME: table[NAME].to_numpy(dtype=object)[product],
                "score": top[row, rank],
                "probability": chances[row, rank],
            }
        )

    def best(self, customers: Cohort, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best of what may be offered by the data alone.

        Args:
            customers: B customers.
            k: at least 1; of more than the catalogue has there are so many.

        Returns:
            Products int64 [B, k], scores and probabilities float32 [B, k]; -1, -inf and 0 where
            fewer may be offered. Equal scores are ordered by catalogue index.
        """
        return best(
            self.scorer, customers, self.snapshot.info.repeatable, min(k, len(self.catalogue)),
            self.run.provenance["temperature"],
        )  # fmt: skip
