"""Fairness and coverage by group of customers: who is served well, and who is shown what.

Groups come from one column of the customers table. Groups with few cases are hidden: their figures
would be chance, and would say something about single people.

Shapes: C cases or customers, G groups, N products, k places of a list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from finrec.evaluation import significance

LEAST = 50  # cases that a group must have to be shown
MOST_GROUPS = 12  # of a column of words; the rarer ones are taken together
BANDS = 5
AGE_EDGES = (25, 35, 45, 55, 65)
UNKNOWN, OTHER = "not known", "other"


@dataclass(frozen=True)
class Groups:
    """Which group each customer is in.

    Args:
        codes: index into ``names``, int64 [C]; -1 for those whose group is hidden.
        names: groups that are shown, in order.
        hidden: number of groups with too few cases.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    hidden: int


def usable(profile: pd.DataFrame, least: int = LEAST) -> list[str]:
    """Columns that give at least two groups of ``least`` rows each."""
    return [
        str(c)
        for c in profile.columns
        if _suits(profile[c]) and len(assign(profile[c], least).names) > 1
    ]


def _suits(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column) or not column.notna().any():
        return False
    words = not pd.api.types.is_numeric_dtype(column)
    return not words or column.nunique() <= max(MOST_GROUPS, 0.2 * len(column))


def assign(column: pd.Series, least: int = LEAST) -> Groups:
    """Put each row into a group; those with fewer than ``least`` rows are hidden.

    Ages are banded by tens, other numbers with many values into fifths, and of words (and of
    numeric codes) the most frequent stand on their own. A value that is not known makes a group of
    its own.
    """
    labels, order = _labels(column)
    counts = pd.Series(labels).value_counts()
    shown = [name for name in order if counts.get(name, 0) >= least]
    codes = pd.Index(shown).get_indexer(pd.Index(labels)) if shown else np.full(len(labels), -1)
    return Groups(codes.astype(np.int64), tuple(shown), len(counts) - len(shown))


def _labels(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    known = column.notna().to_numpy()
    labels = np.full(len(column), UNKNOWN, dtype=object)
    if pd.api.types.is_bool_dtype(column):
        labels[known] = np.where(column[known].astype(bool), "yes", "no")
        order = ["yes", "no"]
    elif _a_code(column) or not pd.api.types.is_numeric_dtype(column):
        words = column[known].map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
        order = [str(w) for w in words.value_counts().index]
        if len(order) > MOST_GROUPS:
            rare = set(order[MOST_GROUPS - 1 :])
            words = words.where(~words.isin(rare), OTHER)
            order = [w for w in order[: MOST_GROUPS - 1] if w != OTHER] + [OTHER]
        labels[known] = words.to_numpy(dtype=object)
    elif column.nunique() > MOST_GROUPS or _says_age(str(column.name), column):
        values = column[known].to_numpy(dtype=np.float64)
        edges = _edges(str(column.name), values)
        order = _band_names(edges, bool((values == np.floor(values)).all()))
        labels[known] = np.array(order, dtype=object)[np.searchsorted(edges, values, "right")]
    else:
        values = column[known].to_numpy(dtype=np.float64)
        labels[known] = [f"{v:g}" for v in values]
        order = [f"{v:g}" for v in np.unique(values)]
    return labels, order + ([UNKNOWN] if UNKNOWN not in order else [])


def _a_code(column: pd.Series) -> bool:
    """Whether numbers stand for names, so that bands of them would mean nothing."""
    parts = str(column.name).lower().replace("-", "_").split("_")
    return pd.api.types.is_numeric_dtype(column) and parts[-1] in ("code", "id", "cod")


def _says_age(name: str, values: pd.Series | np.ndarray) -> bool:
    named = name.lower().replace("-", "_").split("_")[0] in ("age", "edad")
    return named and bool(values.min() >= 0 and values.max() < 150)


def _edges(name: str, values: np.ndarray) -> np.ndarray:
    if _says_age(name, values):
        return np.array(AGE_EDGES, dtype=np.float64)
    return np.unique(np.quantile(values, np.arange(1, BANDS) / BANDS))


def _band_names(edges: np.ndarray, whole: bool) -> list[str]:
    if whole:
        lows = [int(np.ceil(e)) for e in edges]
        between = [
            f"{a:,}" if b - 1 <= a else f"{a:,} to {b - 1:,}"
            for a, b in zip(lows, lows[1:], strict=False)
        ]
        return [f"under {lows[0]:,}", *between, f"{lows[-1]:,} and over"]
    told = [f"{e:,.4g}" if abs(e) < 1000 else f"{e:,.0f}" for e in edges]
    between = [f"{a} to {b}" for a, b in zip(told, told[1:], strict=False)]
    return [f"under {told[0]}", *between, f"{told[-1]} and over"]


def by_group(values: np.ndarray, customers: np.ndarray, groups: Groups) -> pd.DataFrame:
    """One row a group: ``group``, ``cases``, ``customers``, ``mean``, ``low``, ``high``.

    Args:
        values: a metric of each case, float [C].
        customers: code of each case's customer, int64 [C]; they are resampled (95 % interval).
        groups: of the cases.
    """
    rows = []
    for code, name in enumerate(groups.names):
        own = groups.codes == code
        found = significance.bootstrap(values[own], customers[own], resamples=1000)
        people = len(np.unique(customers[own]))
        rows.append((name, int(own.sum()), people, found.mean, found.low, found.high))
    return pd.DataFrame(rows, columns=["group", "cases", "customers", "mean", "low", "high"])


@dataclass(frozen=True)
class Gap:
    """How far the best served group is from the worst.

    Args:
        best: its name.
        worst: its name.
        value: mean of the best less that of the worst.
        low: of the 95 % interval of the difference between these two groups.
        high: of the same.
        chance: share of random regroupings of the customers, of the same sizes, with a gap at
            least as large; because the best and the worst were picked, the interval alone
            overstates the gap.
    """

    best: str
    worst: str
    value: float
    low: float
    high: float
    chance: float


def gap(
    values: np.ndarray, customers: np.ndarray, groups: Groups, resamples: int = 1000, seed: int = 0
) -> Gap | None:
    """The gap in a metric between groups; None where fewer than two are shown.

    A customer counts in the group of their first case.
    """
    if len(groups.names) < 2:
        return None
    inside = groups.codes >= 0
    _, first, person = np.unique(customers[inside], return_index=True, return_inverse=True)
    sums = np.bincount(person, values[inside])
    sizes = np.bincount(person).astype(np.float64)
    code = groups.codes[inside][first]
    g = len(groups.names)

    def means(of: np.ndarray) -> np.ndarray:
        return np.bincount(of, sums, g) / np.maximum(np.bincount(of, sizes, g), 1e-12)

    found = means(code)
    best, worst = int(found.argmax()), int(found.argmin())
    value = float(found[best] - found[worst])
    rng = np.random.default_rng(seed)
    drawn = np.empty((2, resamples))
    for place, which in enumerate((best, worst)):
        own = np.flatnonzero(code == which)
        for i in range(resamples):
            picked = own[rng.integers(0, len(own), len(own))]
            drawn[place, i] = sums[picked].sum() / sizes[picked].sum()
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    as_large = 1
    for _ in range(resamples):
        shuffled = means(rng.permutation(code))
        as_large += bool(shuffled.max() - shuffled.min() >= value - 1e-12)
    chance = as_large / (resamples + 1)
    return Gap(
        groups.names[best], groups.names[worst], value, float(low), float(high), float(chance)
    )


def exposure(lists: np.ndarray, groups: Groups, n_products: int) -> np.ndarray:
    """Share of each group's list places that each product takes, float [G, N]; rows sum to 1.

    Args:
        lists: product indices, int64 [C, k]; -1 where a list is shorter.
        groups: of the C customers.
        n_products: N.
    """
    g = len(groups.names)
    flat = np.repeat(groups.codes, lists.shape[1]), lists.ravel()
    kept = (flat[0] >= 0) & (flat[1] >= 0)
    cell = flat[0][kept] * n_products + flat[1][kept]
    table = np.bincount(cell, minlength=g * n_products).reshape(g, n_products).astype(np.float64)
    return table / np.maximum(table.sum(1, keepdims=True), 1)


def coverage(lists: np.ndarray, groups: Groups, n_products: int) -> np.ndarray:
    """Share of the N products that stand in at least one list of each group, float [G]."""
    return (exposure(lists, groups, n_products) > 0).mean(1)


def exposure_gap(lists: np.ndarray, groups: Groups, n_products: int) -> float:
    """How differently groups are shown products, 0 (alike) to 1 (nothing in common).

    Mean over groups of the total variation distance, half the sum of absolute differences, between
    the group's exposure and the mean exposure of all groups shown.
    """
    shares = exposure(lists, groups, n_products)
    return float(0.5 * np.abs(shares - shares.mean(0)).sum(1).mean())
