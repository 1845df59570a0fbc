"""Attributes of customers and products as numbers, fitted on the training part only.

Numbers are standardised after a rank-preserving clip to the 1st and 99th percentile, dates become
days, categories get a code each; what was unknown stays marked as unknown, and a number beyond
:data:`finrec.scorer.HUGE` counts as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from finrec.schema import CUSTOMER, DESCRIPTION, NAME, PRODUCT
from finrec.scorer import HUGE

MOST_CATEGORIES = 200  # a column with more distinct values says who, not what kind
RESERVED = {CUSTOMER, PRODUCT, NAME, DESCRIPTION}


@dataclass(frozen=True)
class NumberColumn:
    """A standardised column: ``(clip(x, low, high) - mean) / scale``."""

    name: str
    low: float
    high: float
    mean: float
    scale: float
    date: bool = False


@dataclass(frozen=True)
class CategoryColumn:
    """A coded column: value i of ``values`` has code i + 1; code 0 is unknown or unseen."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Profile:
    """How a table of attributes becomes tensors.

    Args:
        numbers: each gives two inputs, the value (0 where unknown) and whether it is unknown.
        categories: each gives one code.
    """

    numbers: tuple[NumberColumn, ...] = ()
    categories: tuple[CategoryColumn, ...] = ()

    @property
    def n_numbers(self) -> int:
        """Width of the number inputs."""
        return 2 * len(self.numbers)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of each category, unknown included."""
        return tuple(len(c.values) + 1 for c in self.categories)

    @property
    def empty(self) -> bool:
        """Whether the table has nothing usable."""
        return not (self.numbers or self.categories)

    def encode(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of every row: float32 [rows, n_numbers] and int64 [rows, len(categories)].

        A column that the table lacks is unknown throughout.
        """
        numbers = np.zeros((len(table), self.n_numbers), dtype=np.float32)
        for i, column in enumerate(self.numbers):
            values = _numeric(table, column.name, column.date)
            known = np.isfinite(values)
            scaled = (np.clip(values, column.low, column.high) - column.mean) / column.scale
            numbers[:, 2 * i] = np.where(known, scaled, 0.0)
            numbers[:, 2 * i + 1] = ~known
        codes = np.zeros((len(table), len(self.categories)), dtype=np.int64)
        for i, category in enumerate(self.categories):
            if category.name in table.columns:
                codes[:, i] = (
                    pd.Index(category.values).get_indexer(pd.Index(_texts(table[category.name])))
                    + 1
                )
        return numbers, codes

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dicts."""
        return {
            "numbers": [vars(c) for c in self.numbers],
            "categories": [{"name": c.name, "values": list(c.values)} for c in self.categories],
        }

    @staticmethod
    def from_json(stored: dict[str, Any]) -> Profile:
        """Inverse of :meth:`to_json`."""
        return Profile(
            tuple(NumberColumn(**c) for c in stored["numbers"]),
            tuple(CategoryColumn(c["name"], tuple(c["values"])) for c in stored["categories"]),
        )


def fit(table: pd.DataFrame, exclude: Sequence[str] = ()) -> Profile:
    """Choose and fit the usable columns of a table of customers or products.

    Left out: ids, names, descriptions, constant columns, and text with more than
    ``MOST_CATEGORIES`` values.
    """
    numbers, categories = [], []
    for name in map(str, table.columns):
        if name in RESERVED or name in exclude:
            continue
        column = table[name]
        date = pd.api.types.is_datetime64_any_dtype(column)
        if date or (
            pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        ):
            values = _numeric(table, name, date)
            values = values[np.isfinite(values)]
            if len(values) and values.min() < values.max():
                low, high = np.quantile(values, [0.01, 0.99])
                low, high = (low, high) if low < high else (values.min(), values.max())
                clipped = np.clip(values, low, high)
                scale = float(clipped.std()) or 1.0
                numbers.append(
                    NumberColumn(name, float(low), float(high), float(clipped.mean()), scale, date)
                )
            continue
        distinct = sorted(_texts(column).dropna().unique())
        if 2 <= len(distinct) <= MOST_CATEGORIES:
            categories.append(CategoryColumn(name, tuple(distinct)))
    return Profile(tuple(numbers), tuple(categories))


def _numeric(table: pd.DataFrame, name: str, date: bool) -> np.ndarray:
    if name not in table.columns:
        return np.full(len(table), np.nan)
    column = table[name]
    if date:
        days = pd.to_datetime(column, errors="coerce").to_numpy().astype("datetime64[s]")
        return np.where(np.isnat(days), np.nan, days.astype(np.int64) / 86_400)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.abs(values) < HUGE, values, np.nan)


def _texts(column: pd.Series) -> pd.Series:
    return column.astype("str").where(column.notna())
