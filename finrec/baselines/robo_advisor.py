"""Robo-advisor: products whose risk, return and term suit the customer's tolerance and horizon.

Jung et al. (2018) match a risk profile from a questionnaire with portfolios by utility. Columns
are found by name; a customer's tolerance that is not told is the mean risk of what was taken, a
product's risk that is not told is the mean tolerance of who took it. Where neither is known at
all, the method has nothing to match and is popularity (``told`` is False then).
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER, PRODUCT
from finrec.scorer import Cohort
from finrec.split import Fold, Split

CUSTOMER_COLUMNS = {"risk": "risk", "term": "horizon|term|years"}
PRODUCT_COLUMNS = {"risk": "risk", "term": "term|horizon|maturity|years"}
LEVELS = {"very low": 1, "low": 2, "medium": 3, "moderate": 3, "balanced": 3, "high": 4,
          "very high": 5}  # fmt: skip


class RoboAdvisor:
    """Utility ``log popularity - weight * distance²`` over standardised risk and term.

    Args:
        weight: of the distance.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight
        self.told = False

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> RoboAdvisor:
        """Find the columns and their scales, and what is popular."""
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popular = np.log(counts + 1)
        self.goods: list[np.ndarray] = []
        self.scales: list[tuple[float, float]] = []
        self.names: list[str | None] = []
        table = split.catalogue.table
        known = split.customers[split.customers[CUSTOMER].isin(fold.train[CUSTOMER])]
        for name in CUSTOMER_COLUMNS:
            of_product = _column(table, PRODUCT_COLUMNS[name])
            of_customer = _column(known, CUSTOMER_COLUMNS[name])
            if of_product is None and of_customer is None:
                continue
            good = _levels(table[of_product]) if of_product else None
            if good is None or np.isnan(good).all():
                if of_customer is None:
                    continue
                level = pd.Series(_levels(known[of_customer]), index=known[CUSTOMER])
                taken = fold.train[CUSTOMER].map(level).groupby(fold.train[PRODUCT]).mean()
                good = taken.reindex(table[PRODUCT]).to_numpy(dtype=float)
            middle, width = np.nanmean(good), np.nanstd(good)
            if not width > 0:
                continue
            self.goods.append(np.nan_to_num((good - middle) / width))
            own = _levels(known[of_customer]) if of_customer else np.array([np.nan])
            scale = (np.nanmean(own), np.nanstd(own)) if np.isfinite(own).any() else (0.0, 0.0)
            self.scales.append(scale)
            self.names.append(of_customer)
        self.told = bool(self.goods)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Utilities, float32 [B, N]."""
        out = np.tile(self.popular, (len(customers), 1))
        rows = customers.rows()
        for good, (middle, width), name in zip(self.goods, self.scales, self.names, strict=True):
            total = np.bincount(rows, good[customers.products], len(customers))
            want = total / np.maximum(customers.lengths, 1)  # revealed by what was taken
            if name is not None and width > 0 and name in customers.profile:
                own = (_levels(customers.profile[name]) - middle) / width
                want = np.where(np.isfinite(own), own, want)
            out -= self.weight * (want[:, None] - good) ** 2
        return out.astype(np.float32)


def _column(table: pd.DataFrame, pattern: str) -> str | None:
    return next((str(c) for c in table.columns if re.search(pattern, str(c).lower())), None)


def _levels(column: pd.Series) -> np.ndarray:
    """Numbers of a column of numbers or of words such as low and high; NaN where neither."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    words = column.astype("str").str.lower().str.strip()
    numbers = pd.to_numeric(words.str.extract(r"(\d+\.?\d*)")[0], errors="coerce")
    return words.map(LEVELS).fillna(numbers).to_numpy(dtype=float)
