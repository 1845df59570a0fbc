"""What changed between two snapshots: customers won and lost, and how columns drifted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from finrec.schema import AMOUNT, CUSTOMER, DESCRIPTION, KIND, NAME, PRODUCT, DataError
from finrec.snapshots.querying import connect
from finrec.snapshots.store import Snapshot

BINS = 10  # of a column of numbers, by the quantiles of the older snapshot
MOST_VALUES = 30  # of a column of categories; rarer ones count together
FLOOR = 1e-4  # share that an empty bin counts as, so that PSI stays finite
STABLE, SHIFTED = 0.1, 0.25  # usual limits of the population stability index


@dataclass(frozen=True)
class Comparison:
    """Two snapshots side by side.

    Args:
        before: ref of the older snapshot.
        after: ref of the newer one.
        new: customers only in the newer one, str.
        lost: customers only in the older one, str.
        kept: number of customers in both.
        rows: table, before, after: numbers of rows.
        drift: table, column, psi, verdict (``stable`` below 0.1, ``shifted`` below 0.25,
            ``changed`` above), missing_before, missing_after; largest psi first.
        bins: table, column, bin, before, after: shares that the psi was computed from, for a chart.
    """

    before: str
    after: str
    new: pd.Series
    lost: pd.Series
    kept: int
    rows: pd.DataFrame
    drift: pd.DataFrame
    bins: pd.DataFrame


def compare(before: Snapshot, after: Snapshot) -> Comparison:
    """Compare an older snapshot with a newer one, one column in memory at a time.

    Raises:
        DataError: when they have no column in common.
    """
    drift, bins = [], []
    for table, column in _columns(before, after):
        shares = _shares(_column(before, table, column), _column(after, table, column))
        if shares is None:
            continue
        index = psi(shares["before"].to_numpy(), shares["after"].to_numpy())
        missing = shares.loc[shares["bin"] == "missing", ["before", "after"]].sum()
        drift.append(
            {
                "table": table,
                "column": column,
                "psi": index,
                "verdict": _verdict(index),
                "missing_before": float(missing["before"]),
                "missing_after": float(missing["after"]),
            }
        )
        bins.append(shares.assign(table=table, column=column))
    if not drift:
        raise DataError(f"{before.ref} and {after.ref} have no column in common to compare.")
    new, lost, kept = _customers(before, after)
    tables = sorted({*before.rows, *after.rows})
    rows = pd.DataFrame(
        {
            "table": tables,
            "before": [before.rows.get(t, 0) for t in tables],
            "after": [after.rows.get(t, 0) for t in tables],
        }
    )
    listed = pd.DataFrame(drift).sort_values("psi", ascending=False, ignore_index=True)
    parts = pd.concat(bins, ignore_index=True)[["table", "column", "bin", "before", "after"]]
    return Comparison(before.ref, after.ref, new, lost, kept, rows, listed, parts)


def psi(before: np.ndarray, after: np.ndarray) -> float:
    """Population stability index of two distributions over the same bins, float [bins] each.

    Sum of (after - before) ln(after / before); a share of 0 counts as ``FLOOR``.
    """
    p, q = np.maximum(before, FLOOR), np.maximum(after, FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def _verdict(index: float) -> str:
    return "stable" if index < STABLE else "shifted" if index < SHIFTED else "changed"


def _columns(before: Snapshot, after: Snapshot) -> Iterator[tuple[str, str]]:
    """Columns of both that have a distribution: attributes, and what happened in events."""
    for table in ("customers", "products", "events"):
        both = [set(pq.read_schema(s.path / f"{table}.parquet").names) for s in (before, after)]
        shared = both[0] & both[1]
        if table == "events":
            shared &= {PRODUCT, KIND, AMOUNT}
        else:
            shared -= {CUSTOMER, PRODUCT, NAME, DESCRIPTION}
        yield from ((table, str(column)) for column in sorted(shared))


def _column(snapshot: Snapshot, table: str, column: str) -> pd.Series:
    read = pq.read_table(snapshot.path / f"{table}.parquet", columns=[column]).to_pandas()
    return read[column]


def _shares(before: pd.Series, after: pd.Series) -> pd.DataFrame | None:
    """bin, before, after: shares that add up to 1 each; None for an empty or free-text column."""
    if not len(before) or not len(after):
        return None
    if _is_number(before) and _is_number(after):
        old, new = _numbers(before), _numbers(after)
        known = old[np.isfinite(old)]
        if not len(known):
            return None
        inner = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
        label = [f"up to {e:.4g}" for e in inner] + [f"above {inner[-1]:.4g}"]
        counts = []
        for values in (old, new):
            finite = np.isfinite(values)
            place = np.searchsorted(inner, values[finite], side="left")
            tally = np.bincount(place, minlength=len(label))
            counts.append(np.append(tally, np.count_nonzero(~finite)) / len(values))
        return pd.DataFrame({"bin": [*label, "missing"], "before": counts[0], "after": counts[1]})
    old_text, new_text = (_texts(c) for c in (before, after))
    frequent = old_text.value_counts(dropna=True).head(MOST_VALUES).index
    if old_text.nunique() > 0.5 * len(old_text) and len(old_text) > MOST_VALUES:
        return None  # says who, not what kind
    shares = {}
    for name, column in (("before", old_text), ("after", new_text)):
        coded = column.where(column.isin(frequent) | column.isna(), "other").fillna("missing")
        shares[name] = coded.value_counts(normalize=True)
    both = pd.DataFrame(shares).fillna(0.0)
    return both.rename_axis("bin").reset_index()


def _is_number(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column):
        return False
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)


def _numbers(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_datetime64_any_dtype(column):
        days = column.to_numpy().astype("datetime64[s]")
        return np.where(np.isnat(days), np.nan, days.astype(np.int64) / 86_400)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _texts(column: pd.Series) -> pd.Series:
    return column.astype("str").where(column.notna())


def _customers(before: Snapshot, after: Snapshot) -> tuple[pd.Series, pd.Series, int]:
    files = [str(s.path / "customers.parquet") for s in (before, after)]
    one_not_other = (
        f"SELECT {CUSTOMER} FROM read_parquet(?) EXCEPT SELECT {CUSTOMER} FROM read_parquet(?) "
        "ORDER BY ALL"
    )
    with connect(before.path, after.path) as db:
        new = db.execute(one_not_other, files[::-1]).df()[CUSTOMER].astype("str")
        lost = db.execute(one_not_other, files).df()[CUSTOMER].astype("str")
    return new, lost, after.rows["customers"] - len(new)
