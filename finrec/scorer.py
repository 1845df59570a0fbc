"""The one interface that every method meets, and what it is given: customers as known at a moment.

Shapes: B customers, E events of those customers, N products of the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    DROPPED,
    KIND,
    ORDER,
    PRODUCT,
    SOURCE,
    TARGET,
    TIME,
    WEIGHT,
    DataError,
)

KINDS = ("acquired", "dropped", "rated", "traded", "other", "held")  # index = code in Cohort.kinds
TAKEN = tuple(KINDS.index(k) for k in ("acquired", "rated", "traded", "other"))
HUGE = 1e30  # of no amount, count or age; a larger number stands for "none" in some exports
SECONDS_PER_DAY = 86_400
MOST_LINKED = 64  # latest events of linked customers that are kept of each customer


@dataclass(frozen=True)
class Catalogue:
    """Products in a fixed order; a product's index is its column in every score matrix.

    Args:
        table: one row a product: PRODUCT, NAME, DESCRIPTION and attributes.
    """

    table: pd.DataFrame

    @property
    def ids(self) -> np.ndarray:
        """Product ids, object [N]."""
        return self.table[PRODUCT].to_numpy(dtype=object)

    def __len__(self) -> int:
        return len(self.table)

    def index(self, ids: Sequence[str] | pd.Series | np.ndarray) -> np.ndarray:
        """Indices of product ids, int64 [len(ids)]; -1 where the catalogue lacks the product."""
        return self._places.get_indexer(pd.Index(ids))

    @cached_property
    def _places(self) -> pd.Index:
        return pd.Index(self.table[PRODUCT])

    def position(self, product: str) -> int:
        """Index of one product.

        Raises:
            DataError: when the catalogue has no such product.
        """
        found = int(self.index([product])[0])
        if found < 0:
            raise DataError(
                f"Product {product!r} is not in this catalogue of {len(self)} products; "
                "check the id, or ingest data that lists it and train again."
            )
        return found


@dataclass(frozen=True)
class Linked:
    """What customers linked to each customer took, in order of time, end to end.

    Args:
        offsets: int64 [B + 1].
        products: catalogue index, int64 [F].
        times: seconds since 1970-01-01, int64 [F].
        weights: of the link, float32 [F].
    """

    offsets: np.ndarray
    products: np.ndarray
    times: np.ndarray
    weights: np.ndarray

    def take(self, chosen: np.ndarray) -> Linked:
        """Of the customers at these rows."""
        offsets, events = events_of(self.offsets, chosen)
        return Linked(offsets, self.products[events], self.times[events], self.weights[events])


@dataclass(frozen=True)
class Cohort:
    """Customers with what was known of each at a moment: events in order and attributes.

    Histories are stored end to end: customer b's events are ``offsets[b]:offsets[b + 1]``.

    Args:
        ids: customer ids, object [B].
        offsets: int64 [B + 1].
        products: catalogue index of each event, int64 [E].
        kinds: code in KINDS, int64 [E].
        times: seconds since 1970-01-01, int64 [E].
        amounts: float32 [E], NaN where unknown.
        asof: the moment of recommendation, seconds, int64 [B].
        profile: attributes, one row a customer [B rows]; NaN where unknown.
        linked: of customers that these are linked to; None where no links are known.
        earlier: seconds of the event before the first one, where a history begins in the middle,
            int64 [B]; None: there was none.
    """

    ids: np.ndarray
    offsets: np.ndarray
    products: np.ndarray
    kinds: np.ndarray
    times: np.ndarray
    amounts: np.ndarray
    asof: np.ndarray
    profile: pd.DataFrame
    linked: Linked | None = None
    earlier: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Number of events of each customer, int64 [B]."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray | slice | Sequence[int]) -> Cohort:
        """The customers at these rows, in this order."""
        chosen = np.arange(len(self))[rows]
        offsets, events = events_of(self.offsets, chosen)
        return Cohort(
            ids=self.ids[chosen],
            offsets=offsets,
            products=self.products[events],
            kinds=self.kinds[events],
            times=self.times[events],
            amounts=self.amounts[events],
            asof=self.asof[chosen],
            profile=self.profile.iloc[chosen].reset_index(drop=True),
            linked=None if self.linked is None else self.linked.take(chosen),
            earlier=None if self.earlier is None else self.earlier[chosen],
        )

    def rows(self) -> np.ndarray:
        """Row of the customer that each event belongs to, int64 [E]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def seen(self, n_products: int) -> np.ndarray:
        """Which products are in each history, bool [B, N]."""
        return self._mask(n_products, *self.taken(repeatable=False))

    @property
    def given_up(self) -> np.ndarray:
        """Which events gave a product up, bool [E]: they are read, and never foretold."""
        found: np.ndarray = self.kinds == KINDS.index(DROPPED)
        return found

    def held(self, n_products: int) -> np.ndarray:
        """Which products are held now: not dropped since last acquired or seen, bool [B, N]."""
        return self._mask(n_products, *self.taken(repeatable=True))

    def taken(self, repeatable: bool) -> tuple[np.ndarray, np.ndarray]:
        """Rows and products that are not offered again, int64 [K] each, in order of the rows.

        Args:
            repeatable: what is held now; False: whatever is in the history.
        """
        if not repeatable:
            return self.rows(), self.products
        dropped = self.given_up
        change = dropped | np.isin(self.kinds, [KINDS.index("acquired"), KINDS.index("held")])
        rows, products, dropped = self.rows()[change], self.products[change], dropped[change]
        cell = rows * (products.max(initial=0) + 1) + products
        latest = len(cell) - 1 - np.unique(cell[::-1], return_index=True)[1]  # a later one counts
        latest = latest[~dropped[latest]]
        return rows[latest], products[latest]

    def _mask(self, n_products: int, rows: np.ndarray, products: np.ndarray) -> np.ndarray:
        mask = np.zeros((len(self), n_products), dtype=bool)
        mask[rows, products] = True
        return mask


def events_of(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and places of the events of these rows, int64."""
    lengths = np.diff(offsets)[rows]
    new = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return new, np.repeat(offsets[rows] - new[:-1], lengths) + np.arange(new[-1])


def cohort(
    ids: Sequence[str] | np.ndarray,
    events: pd.DataFrame,
    customers: pd.DataFrame,
    catalogue: Catalogue,
    asof: np.ndarray | pd.Timestamp,
    links: pd.DataFrame | None = None,
) -> Cohort:
    """Customers ``ids`` (in this order, unknown ones have no history) with the given events.

    Args:
        ids: B customer ids; each at most once.
        events: rows of the events table; all are used, so cut by time before.
        customers: the customers table.
        catalogue: events of products outside it are left out.
        asof: one moment for all, or int64 seconds [B].
        links: between customers, SOURCE, TARGET and WEIGHT; they count both ways. Events of who is
            linked are looked up in ``events``, too.
    """
    index = pd.Index(np.asarray(ids, dtype=object))
    ours = events[events[CUSTOMER].isin(index)]
    product = catalogue.index(ours[PRODUCT])
    ours = ours[product >= 0]
    row = index.get_indexer(pd.Index(ours[CUSTOMER]))
    order = np.lexsort((ours[ORDER].to_numpy(), seconds(ours[TIME]), row))
    ours, row = ours.iloc[order], row[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(index)))])
    attributes = customers.set_index(CUSTOMER).reindex(index).reset_index(drop=True)
    when = asof if isinstance(asof, np.ndarray) else np.full(len(index), _second(asof))
    return Cohort(
        ids=index.to_numpy(dtype=object),
        offsets=offsets.astype(np.int64),
        products=product[product >= 0][order].astype(np.int64),
        kinds=kind_codes(ours[KIND]),
        times=seconds(ours[TIME]),
        amounts=_amounts(ours[AMOUNT]),
        asof=when.astype(np.int64),
        profile=attributes,
        linked=None if links is None or links.empty else _linked(index, events, catalogue, links),
    )


def _amounts(column: pd.Series) -> np.ndarray:
    """Float32; a number beyond :data:`HUGE` is unknown."""
    amounts = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.abs(amounts) < HUGE, amounts, np.nan).astype(np.float32)


def _linked(
    index: pd.Index, events: pd.DataFrame, catalogue: Catalogue, links: pd.DataFrame
) -> Linked:
    """The latest events of customers linked to those of the index."""
    back = links[[TARGET, SOURCE, WEIGHT]].set_axis([SOURCE, TARGET, WEIGHT], axis=1)
    ends = pd.concat([links[[SOURCE, TARGET, WEIGHT]], back])
    ends = ends[ends[SOURCE].isin(index) & (ends[SOURCE] != ends[TARGET])]
    ends = ends.sort_values(WEIGHT).drop_duplicates([SOURCE, TARGET], keep="last")
    taken = events.loc[
        events[CUSTOMER].isin(ends[TARGET]) & (events[KIND] != DROPPED), [CUSTOMER, TIME, PRODUCT]
    ]
    pairs = ends.merge(taken, left_on=TARGET, right_on=CUSTOMER)
    product = catalogue.index(pairs[PRODUCT])
    row, times = index.get_indexer(pd.Index(pairs[SOURCE])), seconds(pairs[TIME])
    order = np.lexsort((product, times, row))
    order = order[product[order] >= 0]
    after = pd.Series(row[order]).groupby(row[order]).cumcount(ascending=False).to_numpy()
    order = order[after < MOST_LINKED]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row[order], minlength=len(index)))])
    weights = pairs[WEIGHT].to_numpy(dtype=np.float32)
    return Linked(
        offsets.astype(np.int64), product[order].astype(np.int64), times[order], weights[order]
    )


def seconds(times: pd.Series) -> np.ndarray:
    """Seconds since 1970-01-01, int64, of a datetime column."""
    return times.to_numpy().astype("datetime64[s]").astype(np.int64)


def _second(moment: pd.Timestamp) -> int:
    return int(pd.Timestamp(moment).timestamp())


def kind_codes(kinds: pd.Series) -> np.ndarray:
    """Code in KINDS of each event kind, int64; kinds of a source's own become ``other``."""
    codes = pd.Index(KINDS).get_indexer(pd.Index(kinds.astype(str)))
    return np.where(codes < 0, KINDS.index("other"), codes).astype(np.int64)


class Scorer(Protocol):
    """What evaluation, policy, re-ranking and batch scoring know of a method: its scores."""

    def score(self, customers: Cohort) -> np.ndarray:
        """How well each product fits each customer, float32 [B, N]; larger is better.

        Customers never seen in training and customers without events are served, from
        attributes or, failing that, from what is popular. Every value is finite.
        """
        ...


__all__ = ["ACQUIRED", "KINDS", "Catalogue", "Cohort", "Scorer", "cohort", "kind_codes", "seconds"]
