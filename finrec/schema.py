"""Column names, the frozen data set, and the one error that a user's data can cause.

Everything that crosses from the outside world into finrec is a :class:`Dataset`: five plain
tables whose columns are named here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

CUSTOMER = "customer_id"
PRODUCT = "product_id"
TIME = "time"
KIND = "kind"
AMOUNT = "amount"
ORDER = "order"  # position within the customer's history; breaks ties of TIME
BASKET = "basket"  # events of one visit share it; a test case of protocol R2 is one basket
PROFILES = "profiles"  # table of what customers' attributes were before, each row from a time on
EVER = "1900-01-01"  # TIME of what was so from the start
FOLD = "fold"  # the source's own split, where it has one: train, valid, test
NAME = "name"
DESCRIPTION = "description"
SOURCE = "source"
TARGET = "target"
WEIGHT = "weight"

ACQUIRED = "acquired"  # the customer took the product (a 0→1 change of a holding, a purchase)
DROPPED = "dropped"  # a 1→0 change of a holding
HELD = "held"  # was held when the customer was first seen: since when is not known
RATED = "rated"
TRADED = "traded"

Protocol = Literal["R1", "R2"]


class FinrecError(Exception):
    """Base of every error that carries a sentence fit to be shown to a user."""


class DataError(FinrecError):
    """The user's data cannot be used; the message names file, row, column and remedy."""


class CheckpointError(FinrecError):
    """A saved run is missing, damaged or does not fit the data that it is used with."""


class PolicyError(FinrecError):
    """A policy file is not valid."""


@dataclass(frozen=True)
class DatasetInfo:
    """What a reader must know about a data set before believing a figure from it.

    Args:
        name: short name, also the folder of its snapshots (letters, digits, ``_``, ``-``).
        title: for people.
        origin: who made the data and where it was published.
        generated: True when the data was made by a program, not by customers.
        licence: of the data.
        protocol: headline protocol, ``R1`` (leave one out) or ``R2`` (by time).
        ks: list lengths reported for it; the first is the headline.
        repeatable: whether a customer can acquire the same product again. When False,
            products already acquired are not offered again.
        product_word: what a reader calls a product here ("insurance", "beauty product").
        split: dates (ISO) that begin validation and test under R2; empty when FOLD says it.
        notes: caveats, each a sentence.
    """

    name: str
    title: str
    origin: str = ""
    generated: bool = False
    licence: str = ""
    protocol: Protocol = "R2"
    ks: tuple[int, ...] = (10, 5, 20)
    repeatable: bool = False
    product_word: str = "product"
    split: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _empty(columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})


def no_links() -> pd.DataFrame:
    """An empty table of links between customers."""
    return _empty({SOURCE: "str", TARGET: "str", KIND: "str", WEIGHT: "float32"})


@dataclass(frozen=True)
class Dataset:
    """Five tables; ids are strings, unique in their own table, and never reinterpreted.

    Args:
        info: title, origin, protocol.
        customers: CUSTOMER and attributes; numeric, boolean, string and date columns.
            May hold customers without events, and may lack customers that have events.
        products: PRODUCT, NAME, DESCRIPTION and attributes.
        events: CUSTOMER, PRODUCT, TIME (datetime64), KIND, AMOUNT (float, NaN unknown),
            ORDER (int64); optionally BASKET (str) and FOLD.
        links: SOURCE, TARGET (customers), KIND, WEIGHT.
        candidates: BASKET, PRODUCT: what could be offered at that test basket, where the
            source says so; None otherwise.
        extra: further tables by name (for example price series), kept as they are.
    """

    info: DatasetInfo
    customers: pd.DataFrame
    products: pd.DataFrame
    events: pd.DataFrame
    links: pd.DataFrame = field(default_factory=no_links)
    candidates: pd.DataFrame | None = None
    extra: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def tables(self) -> dict[str, pd.DataFrame]:
        """The non-optional tables by name, then candidates and extra ones where present."""
        named = {
            "customers": self.customers,
            "products": self.products,
            "events": self.events,
            "links": self.links,
        }
        if self.candidates is not None:
            named["candidates"] = self.candidates
        return {**named, **dict(self.extra)}


@dataclass(frozen=True)
class Staged:
    """A data set too large for memory: the tables of :class:`Dataset` as Parquet files.

    Args:
        info: as in a Dataset.
        folder: holds ``<table>.parquet`` for customers, products, events and links, and any other
            table; whoever keeps it may move the files away.
        receipt: what became of the rows of the source files: ``rows_in``, ``loaded``,
            ``rejected`` and ``reasons``, which add up.
    """

    info: DatasetInfo
    folder: Path
    receipt: Mapping[str, Any] = field(default_factory=dict)


REQUIRED: dict[str, tuple[str, ...]] = {
    "customers": (CUSTOMER,),
    "products": (PRODUCT, NAME, DESCRIPTION),
    "events": (CUSTOMER, PRODUCT, TIME, KIND, AMOUNT, ORDER),
    "links": (SOURCE, TARGET, KIND, WEIGHT),
    "candidates": (BASKET, PRODUCT),
    PROFILES: (CUSTOMER, TIME),
}


def validated(dataset: Dataset) -> Dataset:
    """Check every promise of :class:`Dataset` and return it.

    Raises:
        DataError: naming the table, the column, the first offending row and the remedy.
    """
    for table, frame in dataset.tables().items():
        for column in REQUIRED.get(table, ()):
            if column not in frame.columns:
                raise DataError(
                    f"Table {table} of {dataset.info.name} has no column {column}; "
                    f"it has {', '.join(map(str, frame.columns)) or 'none'}. Add or map it."
                )
        repeated = frame.columns[frame.columns.duplicated()]
        if len(repeated):
            raise DataError(f"Table {table}: column {repeated[0]} stands twice; rename one.")
    _check_ids(dataset.customers, "customers", CUSTOMER)
    _check_ids(dataset.products, "products", PRODUCT)
    events = dataset.events
    for column in (CUSTOMER, PRODUCT, TIME, KIND):
        _check_present(events, "events", column)
    if not pd.api.types.is_datetime64_any_dtype(events[TIME]):
        raise DataError("Table events: column time must hold dates; give it in ISO form.")
    unknown = events.loc[~events[PRODUCT].isin(dataset.products[PRODUCT]), PRODUCT]
    if len(unknown):
        raise DataError(
            f"Table events, row {_row(unknown)}: product {unknown.iloc[0]!r} is not in the table "
            "products; add it there or drop the event."
        )
    weights = dataset.links[WEIGHT]
    strange = weights[~weights.between(0, float("inf"), inclusive="left")]
    if len(strange):
        raise DataError(
            f"Table links, row {_row(strange)}: weight {strange.iloc[0]} can't be read; give a "
            "number of 0 or more."
        )
    if dataset.products.empty:
        raise DataError(f"{dataset.info.name} has no products; nothing can be recommended.")
    return dataset


def _row(rejected: Any) -> int:
    return int(rejected.index[0]) + 1


def _check_present(frame: pd.DataFrame, table: str, column: str) -> None:
    missing = frame.loc[frame[column].isna(), column]
    if len(missing):
        raise DataError(
            f"Table {table}, row {_row(missing)}: {column} is empty ({len(missing)} rows in all); "
            "fill it or drop the rows."
        )


def _check_ids(frame: pd.DataFrame, table: str, column: str) -> None:
    _check_present(frame, table, column)
    if not pd.api.types.is_string_dtype(frame[column]):
        raise DataError(f"Table {table}: {column} must be text, so that 007 stays 007.")
    twice = frame.loc[frame[column].duplicated(), column]
    if len(twice):
        raise DataError(
            f"Table {table}, row {_row(twice)}: {column} {twice.iloc[0]!r} stands twice; "
            "keep one row for each."
        )
