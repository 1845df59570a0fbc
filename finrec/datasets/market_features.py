"""What a price history says of a product at a date, and the state of the economy at a date.

Nothing here looks ahead: a row dated t uses prices up to t, and :func:`as_of` gives an event the
last row dated before the event's own day, so that a close of the same day is not known yet.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from finrec.schema import PRODUCT, TIME

YEAR, MONTH = "365D", "30D"
STALE = 200  # days after which a value says nothing any more
FEWEST = 0.6  # share of a year's usual number of prices that volatility and beta need
FEATURES = ("return_month", "return_year", "volatility", "drawdown", "beta")


def price_features(prices: pd.DataFrame, index: str | None = None) -> pd.DataFrame:
    """Features of every product at every date of its prices.

    Args:
        prices: PRODUCT, TIME, ``price`` (positive).
        index: product that beta is measured against; None, or unknown: beta is NaN.

    Returns:
        PRODUCT, TIME and, all float64 and NaN where the history is too short:
        ``return_month`` and ``return_year``: price over the price 30 or 365 days ago, less 1;
        ``volatility``: standard deviation of the past year's log returns, a year;
        ``drawdown``: price over its highest of the past year, less 1 (0 at a peak);
        ``beta``: covariance with the index's log returns over their variance, past year.
    """
    market = None
    if index is not None and (prices[PRODUCT] == index).any():
        market = _log_returns(prices[prices[PRODUCT] == index])
    parts = [_one(product, own, market) for product, own in prices.groupby(PRODUCT, sort=True)]
    if not parts:
        empty = pd.DataFrame({PRODUCT: pd.Series(dtype="str"), TIME: pd.Series(dtype="<M8[ns]")})
        return empty.reindex(columns=[PRODUCT, TIME, *FEATURES])
    return pd.concat(parts, ignore_index=True)


def _log_returns(prices: pd.DataFrame) -> pd.Series:
    level = prices.sort_values(TIME).set_index(TIME)["price"].where(lambda p: p > 0).dropna()
    return np.log(level).diff().dropna()


def _one(product: object, prices: pd.DataFrame, market: pd.Series | None) -> pd.DataFrame:
    level = prices.sort_values(TIME).set_index(TIME)["price"].where(lambda p: p > 0).dropna()
    returns = np.log(level).diff()
    gap = level.index.to_series().diff().dt.days.median()
    a_year = 365.0 / gap if gap and np.isfinite(gap) and gap > 0 else np.nan
    if gap and gap <= 4:  # trading days: weekends are no gaps in the record
        a_year = 252.0
    enough = max(int(FEWEST * a_year), 3) if np.isfinite(a_year) else 3
    out = pd.DataFrame({PRODUCT: str(product), TIME: level.index}, index=level.index)
    for name, days in (("return_month", MONTH), ("return_year", YEAR)):
        before = pd.DatetimeIndex(level.index) - pd.Timedelta(days)
        past = level.reindex(level.index.union(before)).ffill().reindex(before)
        known = before >= level.index[0]
        out[name] = np.where(known, level.to_numpy() / past.to_numpy() - 1, np.nan)
    out["volatility"] = returns.rolling(YEAR, min_periods=enough).std() * np.sqrt(a_year)
    out["drawdown"] = level / level.rolling(YEAR).max() - 1
    out["beta"] = np.nan
    if market is not None:
        both = pd.concat(
            [returns.rename("own"), market.rename("index")], axis=1, sort=True
        ).dropna()
        roll = both.rolling(YEAR, min_periods=enough)
        covariance = roll.cov().unstack() if len(both) else None
        if covariance is not None:
            beta = covariance[("own", "index")] / covariance[("index", "index")]
            out["beta"] = beta.reindex(out.index)
    return out.reset_index(drop=True)


def regime(series: Mapping[str, tuple[pd.DataFrame, int]]) -> pd.DataFrame:
    """State of the economy by day: TIME, one float64 column a series, last known value.

    A value not renewed for ``STALE`` days is NaN.

    Args:
        series: name to (TIME and ``value``, days between a value's date and its being known).
    """
    shifted = {
        name: pd.DataFrame(
            {TIME: values[TIME] + pd.Timedelta(days=lag), name: values["value"].to_numpy()}
        )
        .dropna()
        .sort_values(TIME)
        for name, (values, lag) in series.items()
    }
    days = [own[TIME] for own in shifted.values()]
    empty = pd.Series(dtype="datetime64[ns]")
    every = pd.concat(days).drop_duplicates().sort_values() if days else empty
    known = pd.DataFrame({TIME: every.astype("datetime64[ns]").to_numpy()})
    for own in shifted.values():
        own = own.astype({TIME: "datetime64[ns]"})
        known = pd.merge_asof(known, own, on=TIME, tolerance=pd.Timedelta(days=STALE))
    return known


def as_of(events: pd.DataFrame, table: pd.DataFrame, by_product: bool) -> pd.DataFrame:
    """The last row of ``table`` dated before each event's day.

    Args:
        events: with TIME, and PRODUCT when ``by_product``.
        table: TIME, the values, and PRODUCT when ``by_product``.
        by_product: match the event's own product.

    Returns:
        The columns of values, one row an event in the order of events; NaN where none is known.
    """
    values = [c for c in table.columns if c not in (TIME, PRODUCT)]
    day = events[TIME].dt.normalize().astype("datetime64[ns]")
    left = pd.DataFrame({TIME: day.to_numpy(), "row": np.arange(len(events))})
    right = table.assign(**{TIME: table[TIME].astype("datetime64[ns]")}).sort_values(TIME)
    if by_product:
        left[PRODUCT] = events[PRODUCT].astype("str").to_numpy()
        right = right.assign(**{PRODUCT: right[PRODUCT].astype("str")})
    found = pd.merge_asof(
        left.sort_values(TIME, kind="stable"),
        right,
        on=TIME,
        by=PRODUCT if by_product else None,
        allow_exact_matches=False,
    )
    return found.sort_values("row")[values].set_index(events.index)
