"""Prices and macro series (Quandl's role in the paper): products with returns, no customers.

The folder holds any of the known Parquet tables below, and any number of series in Quandl's own
CSV, JSON or XML (see :mod:`finrec.datasets.series`). Products are what has a price; macro series
become the regime. Extra tables: ``prices`` (product, time, price), ``price_features`` and
``regime`` (see :mod:`finrec.datasets.market_features`), ``countries`` (yearly). TIME there is the
day from which a value is known: a month's average only when the month is over, consumer prices
when they are published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from finrec.datasets import series as forms
from finrec.datasets.files import find, table
from finrec.datasets.market_features import as_of, price_features, regime
from finrec.schema import (
    AMOUNT,
    CUSTOMER,
    DESCRIPTION,
    KIND,
    NAME,
    ORDER,
    PRODUCT,
    TIME,
    DataError,
    Dataset,
    DatasetInfo,
)

INFO = DatasetInfo(
    name="market",
    title="Market and macro series",
    origin="Public series; each file's source is told where it was obtained.",
    licence="see the files' sources",
    protocol="R2",
    repeatable=True,
    product_word="series",
    notes=(
        "Products and prices without customers: it joins to other data and is not trained on.",
        "Every value is dated by the day from which it was known; figures that were revised "
        "later are the revised ones.",
    ),
)
# Parquet table: (kind of product, what each column but the first is, days until known).
_PRICES: dict[str, tuple[str, str, int]] = {
    "us_stock_prices_20_daily": ("stock", "{}", 0),
    "spy_daily": ("index fund", "{}", 0),
    "sp500_shiller_monthly": ("index", "SP500", 31),
    "gold_monthly": ("commodity", "Gold", 31),
    "brent_daily": ("commodity", "Brent oil", 0),
    "wti_daily": ("commodity", "WTI oil", 0),
    "ecb_eur_fx_daily": ("currency", "EUR per {}", 0),
}
_ONLY = {"sp500_shiller_monthly": "SP500"}  # the one column that is a price
# Regime: (table, column, days until known); the first table that is there is used.
_MACRO: dict[str, tuple[tuple[str, str, int], ...]] = {
    "short_rate": (("us_treasury_par_yields_daily", "3 Mo", 0),),
    "long_rate": (("us_treasury_par_yields_daily", "10 Yr", 0), ("us10y_monthly", "Rate", 31)),
    "vix": (("vix_daily", "CLOSE", 0),),
    "consumer_prices": (("us_cpi_monthly", "Index", 46),),
    "house_prices": (("us_house_price_monthly", "National-US-SA", 92),),
}
_GROWTH = {"consumer_prices": "inflation", "house_prices": "house_price_growth"}  # over a year
_INDICES = ("SPY", "SP500")
_MACRO_SOURCES = ("fred", "ustreasury", "rateinf", "cboe", "bls", "ecb", "frbp", "multpl")


def load(path: Path | None) -> Dataset:
    """Read every series of the folder.

    Raises:
        DataError: naming the file, row and column; or that there is no price at all.
    """
    find(path, "us_stock_prices_20_daily")  # checks the folder
    assert path is not None
    priced = [*_tables(path), *_countries_currencies(path)]
    macro = dict(_macro(path))
    for one, is_macro in _quandl(path):
        field = one.price()
        values = one.values[[TIME, field]].rename(columns={field: "value"}).dropna()
        if is_macro:
            macro[one.code] = (values, 31 if _gap(values) > 20 else 0)
        else:
            priced.append((one.code, one.name, one.description, "security", 0, values))
    if not priced:
        raise DataError(
            f"{path.name} has no price series; put CSV, JSON or XML series there, or the tables "
            f"{', '.join(_PRICES)}."
        )
    ids = [p[0] for p in priced]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice:
        raise DataError(f"{path.name} has two series called {twice}; keep one.")
    prices = pd.concat(
        [
            pd.DataFrame(
                {
                    PRODUCT: code,
                    TIME: values[TIME] + pd.Timedelta(days=lag),
                    "price": values["value"],
                }
            )
            for code, _, _, _, lag, values in priced
        ],
        ignore_index=True,
    )
    products = pd.DataFrame(
        [p[:4] for p in priced], columns=[PRODUCT, NAME, DESCRIPTION, "family"], dtype="str"
    )
    index = next((i for i in _INDICES if i in ids), None)
    extra = {
        "prices": prices,
        "price_features": price_features(prices, index),
        "regime": regime(macro),
    }
    countries = _countries(path)
    if len(countries):
        extra["countries"] = countries
    notes = (*INFO.notes, f"Beta is measured against {index}." if index else "No index for beta.")
    customers = pd.DataFrame({CUSTOMER: pd.Series(dtype="str")})
    return Dataset(replace(INFO, notes=notes), customers, products, _no_events(), extra=extra)


def join(dataset: Dataset, market: Dataset) -> Dataset:
    """Customer data whose events say what prices and the economy were known to be just before.

    The state of the economy by day (``regime``) is kept as an extra table, so that it is known at
    moments without an event too.

    Product ids must be the codes of the price series; own prices (the extra table ``prices`` of
    ``dataset``) come first.
    """
    own = dataset.extra.get("prices")
    known = market.extra["price_features"]
    if own is not None:
        priced = market.extra["prices"]
        indices = priced[priced[PRODUCT].isin(_INDICES) & ~priced[PRODUCT].isin(own[PRODUCT])]
        ours = pd.concat([own, indices], ignore_index=True)
        index = next((i for i in _INDICES if (ours[PRODUCT] == i).any()), None)
        mine = price_features(ours, index)
        known = pd.concat(
            [mine[mine[PRODUCT].isin(own[PRODUCT])], known[~known[PRODUCT].isin(own[PRODUCT])]],
            ignore_index=True,
        )
    parts = [dataset.events, as_of(dataset.events, known, by_product=True)]
    extra = dict(dataset.extra)
    if len(market.extra["regime"]):
        parts.append(as_of(dataset.events, market.extra["regime"], by_product=False))
        extra["regime"] = market.extra["regime"]
    return replace(dataset, events=pd.concat(parts, axis=1), extra=extra)


_Priced = tuple[str, str, str, str, int, pd.DataFrame]


def _tables(path: Path) -> Iterator[_Priced]:
    names, sectors = _constituents(path)
    for stem, (family, called, lag) in _PRICES.items():
        if find(path, stem) is None:
            continue
        frame = forms.from_table(stem, stem, table(path, stem, ())).values
        for column in [c for c in frame.columns if c != TIME]:
            if column != _ONLY.get(stem, column):
                continue
            code = called.format(column)
            level = frame[column].where(frame[column] > 0)
            if stem == "ecb_eur_fx_daily":
                level = 1 / level  # the file says how much of it one euro buys
            values = pd.DataFrame({TIME: frame[TIME], "value": level}).dropna()
            if values.empty:
                continue
            sector = sectors.get(code, "")
            described = f"{family.capitalize()}{': ' + sector if sector else ''}"
            yield code, names.get(code, code), described, family, lag, values


def _constituents(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    if find(path, "sp500_constituents") is None:
        return {}, {}
    listed = table(path, "sp500_constituents", ("Symbol", "Security", "GICS Sector"))
    symbols = listed["Symbol"].astype("str")
    return (
        dict(zip(symbols, listed["Security"], strict=True)),
        dict(zip(symbols, listed["GICS Sector"], strict=True)),
    )


def _countries_currencies(path: Path) -> Iterator[_Priced]:
    """Monthly exchange rates by country, in units for one US dollar."""
    if find(path, "fx_usd_monthly") is None:
        return
    frame = table(path, "fx_usd_monthly", ("Date", "Country", "Exchange rate"))
    for country, own in frame.groupby("Country", sort=True):
        one = forms.from_table(
            "fx_usd_monthly", str(country), own[["Date", "Exchange rate"]].reset_index(drop=True)
        ).values
        level = 1 / one["Exchange rate"].where(one["Exchange rate"] > 0)
        values = pd.DataFrame({TIME: one[TIME], "value": level}).dropna()
        code = f"USD per {country}"
        yield code, f"Currency of {country} in US dollars", "Currency", "currency", 31, values


def _macro(path: Path) -> Iterator[tuple[str, tuple[pd.DataFrame, int]]]:
    for name, choices in _MACRO.items():
        for stem, column, lag in choices:
            if find(path, stem) is None:
                continue
            values = forms.from_table(stem, stem, table(path, stem, (column,))).values
            # 0 stands for unknown at the end of some of these tables; none of them is ever 0.
            level = values[column].where(values[column] != 0) if name in _GROWTH else values[column]
            own = pd.DataFrame({TIME: values[TIME], "value": level}).dropna()
            if name in _GROWTH:
                own["value"] = own["value"] / own["value"].shift(12) - 1
                own["value"] *= 100
                own = own.dropna()
            yield _GROWTH.get(name, name), (own.reset_index(drop=True), lag)
            break


def _countries(path: Path) -> pd.DataFrame:
    """Inflation and output by country and year, dated when the year's figures are usually out."""
    parts = []
    for stem, country, value, ours in (
        ("world_cpi_annual", "Country", "CPI", "inflation"),
        ("world_gdp_annual", "Country Name", "Value", "gdp_usd"),
    ):
        if find(path, stem) is not None:
            frame = table(path, stem, (country, "Country Code", "Year", value))
            keyed = frame.set_index(["Country Code", "Year"])[value].rename(ours)
            parts.append(keyed[~keyed.index.duplicated()])
    if not parts:
        return pd.DataFrame()
    both = pd.concat(parts, axis=1).reset_index()
    known = pd.to_datetime((both["Year"] + 1).astype("str") + "-07-01")
    both.insert(0, TIME, known)
    return both.rename(columns={"Country Code": "country", "Year": "year"})


def _quandl(path: Path) -> Iterator[tuple[forms.Series, bool]]:
    """Series in Quandl's forms, and whether their code or name says macro."""
    known = {*_PRICES, *(c[0] for choices in _MACRO.values() for c in choices)}
    known |= {"sp500_constituents", "fx_usd_monthly", "world_cpi_annual", "world_gdp_annual"}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in (".csv", ".json", ".xml") and file.stem not in known:
            yield (
                forms.read(file),
                file.stem.lower().replace("_", "-").split("-")[0] in (_MACRO_SOURCES),
            )


def _gap(values: pd.DataFrame) -> float:
    days = values[TIME].diff().dt.days.median()
    return float(days) if np.isfinite(days) else 0.0


def _no_events() -> pd.DataFrame:
    columns = {CUSTOMER: "str", PRODUCT: "str", TIME: "datetime64[ns]", KIND: "str"}
    columns |= {AMOUNT: "float64", ORDER: "int64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


__all__ = ["INFO", "join", "load"]
