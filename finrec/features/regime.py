"""State of the economy by day (rates, inflation, volatility), as known before that day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from finrec.schema import TIME

MOST = 4.0  # standard deviations: a crisis outside what was learned from must not explode


@dataclass(frozen=True)
class Regime:
    """X series over R days.

    Args:
        names: of the series.
        days: ascending, from which day a row is known, days since 1970-01-01, int64 [R].
        values: standardised on the training part, 0 where unknown, float32 [R, X].
    """

    names: tuple[str, ...]
    days: np.ndarray
    values: np.ndarray


def fit(table: pd.DataFrame | None, until: pd.Timestamp) -> Regime | None:
    """Scale the series by what was known before ``until``; None where there is nothing to read.

    Args:
        table: TIME and a float column a series, as :func:`finrec.datasets.market_features.regime`
            makes it; or None.
        until: end of the training part.
    """
    if table is None or table.empty:
        return None
    ordered = table.sort_values(TIME)
    before = ordered[ordered[TIME] < until].drop(columns=TIME)
    names = [n for n in before if before[n].notna().any() and before[n].std() > 0]
    if not names:
        return None
    scaled = (ordered[names] - before[names].mean()) / before[names].std()
    days = ordered[TIME].to_numpy().astype("datetime64[D]").astype(np.int64)
    values = scaled.clip(-MOST, MOST).fillna(0.0).to_numpy(dtype=np.float32).copy()
    return Regime(tuple(map(str, names)), days, values)
