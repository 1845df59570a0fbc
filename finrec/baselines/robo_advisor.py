"""Robo-advisor: products whose risk, return and term suit the customer's tolerance and horizon.

Jung et al. (2018) match a risk profile, asked for in a questionnaire, with products by utility.
Where the questionnaire is missing, declared proxies take its place: the horizon is the years to
retirement, the tolerance rises with that and with income (as in Grable and Lytton, 1999), and
both are corrected by the products that the customer took. ``notes`` says what was used. Where the
products tell neither risk, return nor term there is nothing to match: the method is popularity.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from finrec.baselines.popularity import Popularity
from finrec.schema import CUSTOMER
from finrec.scorer import Cohort
from finrec.split import Fold, Split

RISK, RETURN, TERM = r"\brisk", r"\breturn|\byield", r"\bterm\b|\bmaturity|\bhorizon"
TOLERANCE, HORIZON, AGE, INCOME = (
    r"\brisk|\btolerance",
    r"\bhorizon",
    r"^age\b",
    r"\bincome|\brenta",
)
RETIREMENT = 67  # age at which the proxy's horizon ends
PRIOR = 2.0  # products that the profile counts as, against those of the history
LEVELS = {"very low": 1, "low": 2, "conservative": 2, "medium": 3, "moderate": 3, "balanced": 3,
          "high": 4, "aggressive": 4, "very high": 5}  # fmt: skip


class RoboAdvisor:
    """``log popularity + weight * (return - (risk - tolerance)² - (term - horizon)²)``.

    All are standardised: over products, and over the training customers.

    Args:
        weight: of the match against popularity.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight
        self.notes: tuple[str, ...] = ()
        self.parameters = 0

    def fit(self, fold: Fold, split: Split, rng: np.random.Generator | None = None) -> RoboAdvisor:
        """Find the columns and their scales, and what is popular."""
        counts = Popularity().fit(fold, split).counts.astype(float)
        self.popular = np.log(counts + 1)
        table = split.catalogue.table
        known = split.customers[split.customers[CUSTOMER].isin(fold.train[CUSTOMER])]
        self.risk = _scaled(_find(table, RISK))
        self.gain = _scaled(_find(table, RETURN))
        self.term = _scaled(_find(table, TERM))
        self.scales = {}
        notes = []
        for what, product in (("tolerance", self.risk), ("horizon", self.term)):
            if product is None:
                continue
            values, source = _wanted(known, what)
            if values is not None and np.nanstd(values) > 0:
                self.scales[what] = (float(np.nanmean(values)), float(np.nanstd(values)))
            notes.append(f"A customer's {what} is {source}, corrected by what was taken.")
        if self.risk is None and self.gain is None and self.term is None:
            notes.append("Products tell no risk, return or term: this is popularity.")
        self.notes = tuple(notes)
        return self

    def score(self, customers: Cohort) -> np.ndarray:
        """Utilities, float32 [B, N]."""
        out = np.tile(self.popular, (len(customers), 1))
        if self.gain is not None:
            out += self.weight * self.gain
        for what, good in (("tolerance", self.risk), ("horizon", self.term)):
            if good is None:
                continue
            want = np.zeros(len(customers))  # an average customer, where nothing is known
            if what in self.scales:
                values, _ = _wanted(customers.profile, what)
                if values is not None:
                    middle, width = self.scales[what]
                    want = np.nan_to_num((values - middle) / width)
            revealed = np.bincount(customers.rows(), good[customers.products], len(customers))
            want = (PRIOR * want + revealed) / (PRIOR + customers.lengths)
            out -= self.weight * (want[:, None] - good) ** 2
        return out.astype(np.float32)


def _wanted(customers: pd.DataFrame, what: str) -> tuple[np.ndarray | None, str]:
    """Tolerance or horizon of each customer, NaN where not known; None: no column tells. And how.

    Proxies are fixed functions of a customer's own attributes, so that a score depends on nobody
    else.
    """
    told = _find(customers, TOLERANCE if what == "tolerance" else HORIZON)
    if told is not None:
        return told, "told"
    age, income = _find(customers, AGE), _find(customers, INCOME)
    years = None if age is None else np.maximum(RETIREMENT - age, 0) / RETIREMENT
    if what == "horizon" or income is None:
        return years, "years to retirement" if years is not None else "not known"
    wealth = np.log1p(np.maximum(income, 0)) / 10  # about 1 for a usual income a year
    if years is None:
        return wealth, "income"
    return years + wealth, "years to retirement and income"


def _find(table: pd.DataFrame, pattern: str) -> np.ndarray | None:
    """Values of the first column whose name fits and that holds numbers or levels."""
    for name in map(str, table.columns):
        if re.search(pattern, re.sub(r"[\W_]+", " ", name).lower()):
            values = _levels(table[name])
            if np.isfinite(values).any():
                return values
    return None


def _scaled(values: np.ndarray | None) -> np.ndarray | None:
    """Standardised, 0 where not known; None where all are the same."""
    if values is None or not np.nanstd(values) > 0:
        return None
    return np.nan_to_num((values - np.nanmean(values)) / np.nanstd(values))


def _levels(column: pd.Series) -> np.ndarray:
    """Numbers of a column of numbers or of words such as low and high; NaN where neither."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    words = column.astype("str").str.lower().str.strip()
    numbers = pd.to_numeric(words.str.extract(r"(\d+\.?\d*)")[0], errors="coerce")
    return words.map(LEVELS).fillna(numbers).to_numpy(dtype=float)
