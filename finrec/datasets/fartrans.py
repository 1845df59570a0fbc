"""FAR-Trans: customers, securities, trades and prices of a large European bank (2018-2022).

Source: Sanz-Cruzado, Droukas, McCreadie, "FAR-Trans: An Investment Dataset for Financial Asset
Recommendation" (2024). The folder holds customer_information, asset_information, transactions,
close_prices, markets and limit_prices in the original columns, as CSV or Parquet.

A purchase is ``acquired``; the sale that takes a holding to nothing is ``dropped``. Other sales
change no holding to nothing and stay in the extra table ``sales``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from finrec.datasets.files import dates, find, numbers, table
from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    DESCRIPTION,
    DROPPED,
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
    name="fartrans",
    title="FAR-Trans",
    origin="University of Glasgow with a large European bank, 2024 (arXiv:2407.08692).",
    licence="CC-BY 4.0",
    protocol="R2",
    ks=(10, 5, 20),
    repeatable=True,
    product_word="security",
    notes=(
        "Attributes of customers and securities are their latest in the files.",
        "A risk level or capacity marked predicted was guessed by the bank's own model.",
        "Amounts are in euros; prices are in the extra table prices.",
    ),
)
_CUSTOMERS = (
    "customerID", "customerType", "riskLevel", "investmentCapacity", "lastQuestionnaireDate",
    "timestamp",
)  # fmt: skip
_ASSETS = (
    "ISIN", "assetName", "assetShortName", "assetCategory", "assetSubCategory", "marketID",
    "sector", "industry", "timestamp",
)  # fmt: skip
_TRADES = (
    "customerID", "ISIN", "transactionID", "transactionType", "timestamp", "totalValue", "units",
    "channel", "marketID",
)  # fmt: skip
_KINDS = {"Stock": "stock", "Bond": "bond", "MTF": "mutual fund"}
NOTHING = 1e-6  # units left that count as nothing


def load(path: Path | None, partial: bool = False) -> Dataset:
    """Read the folder.

    Args:
        path: the folder.
        partial: also accept one without transactions: customers and securities, no events.

    Raises:
        DataError: naming the file, row and column; or the file that is missing.
    """
    people = _latest(table(path, "customer_information", _CUSTOMERS, as_text=True), "customerID")
    assets = _latest(table(path, "asset_information", _ASSETS, as_text=True), "ISIN")
    if find(path, "transactions") is None:
        if not partial:
            raise DataError(
                f"{path.name if path else 'The folder'} has no transactions.csv, the trades "
                "without which nothing can be learned; get the complete FAR-Trans."
            )
        events, extra = _no_events(), {}
        info = replace(INFO, notes=(*INFO.notes, "Without transactions: no events."))
    else:
        trades = table(path, "transactions", _TRADES, as_text=True)
        events, sales = _events(trades)
        extra, info = {"sales": sales}, INFO
        missing = sorted(set(trades["ISIN"]) - set(assets["ISIN"]))
        bare = pd.DataFrame({"ISIN": missing}).reindex(columns=assets.columns, fill_value="")
        assets = pd.concat([assets, bare], ignore_index=True)
    if find(path, "close_prices") is not None:
        prices = table(path, "close_prices", ("ISIN", "timestamp", "closePrice"), as_text=True)
        extra["prices"] = pd.DataFrame(
            {
                PRODUCT: prices["ISIN"],
                TIME: dates(prices, "timestamp", "close_prices", "ISO8601"),
                "price": numbers(prices, "closePrice", "close_prices"),
            }
        )
    return Dataset(info, _customers(people), _products(assets), events, extra=extra)


def _latest(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Last row of each id by timestamp, in the order of ids."""
    known = frame[frame[key].str.strip() != ""]
    ordered = known.sort_values([key, "timestamp"], kind="stable")
    return ordered.drop_duplicates(key, keep="last").reset_index(drop=True)


def _customers(people: pd.DataFrame) -> pd.DataFrame:
    out = pd.DataFrame({CUSTOMER: people["customerID"]})
    out["customer_type"] = people["customerType"].replace("", np.nan)
    for column, ours in (("riskLevel", "risk_level"), ("investmentCapacity", "capacity")):
        cells = people[column]
        unknown = cells.isin(["", "Not_Available"])
        out[ours] = cells.str.removeprefix("Predicted_").where(~unknown)
        out[f"{ours}_predicted"] = np.where(
            unknown, "", np.where(cells.str.startswith("Predicted_"), "yes", "no")
        )
        out[f"{ours}_predicted"] = out[f"{ours}_predicted"].replace("", np.nan)
    asked = pd.to_datetime(people["lastQuestionnaireDate"], errors="coerce")
    never = pd.Timestamp("2000-01-01")  # stands for it
    out["questionnaire"] = asked.where(asked > never)
    return out


def _products(assets: pd.DataFrame) -> pd.DataFrame:
    kind = assets["assetCategory"].map(_KINDS).fillna("security")
    known = [assets[c].replace("", np.nan) for c in ("assetSubCategory", "sector", "industry")]
    details = pd.concat(known, axis=1).apply(lambda r: ", ".join(r.dropna().unique()), axis=1)
    name = assets["assetName"].where(assets["assetName"] != "", assets["assetShortName"])
    return pd.DataFrame(
        {
            PRODUCT: assets["ISIN"],
            NAME: name.where(name != "", assets["ISIN"]),
            DESCRIPTION: (kind.str.capitalize() + ": " + details).str.rstrip(": "),
            "family": kind,
            "subcategory": known[0],
            "sector": known[1],
            "industry": known[2],
            "market": assets["marketID"].replace("", np.nan),
        }
    )


def _events(trades: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Purchases and closing sales as events; all other sales."""
    side = trades["transactionType"].str.strip()
    bad = trades.index[~side.isin(["Buy", "Sell"])]
    if len(bad):
        raise DataError(
            f"transactions, row {bad[0] + 1}, column transactionType: {side.loc[bad[0]]!r} is "
            "neither Buy nor Sell; correct it."
        )
    frame = pd.DataFrame(
        {
            CUSTOMER: trades["customerID"],
            PRODUCT: trades["ISIN"],
            TIME: dates(trades, "timestamp", "transactions", "ISO8601"),
            KIND: np.where(side == "Buy", ACQUIRED, "sold"),
            AMOUNT: numbers(trades, "totalValue", "transactions"),
            "units": numbers(trades, "units", "transactions"),
            "channel": trades["channel"].replace("", np.nan),
        }
    )
    # On one day purchases come first: what is sold had to be bought.
    frame = frame.sort_values([CUSTOMER, TIME, KIND], kind="stable", ignore_index=True)
    signed = frame["units"].fillna(0).where(frame[KIND] == ACQUIRED, -frame["units"].fillna(0))
    left = signed.groupby([frame[CUSTOMER], frame[PRODUCT]]).cumsum()
    closing = (frame[KIND] == "sold") & (left <= NOTHING)
    frame.loc[closing, KIND] = DROPPED
    partly = frame[KIND] == "sold"
    events = frame[~partly].reset_index(drop=True)
    events[ORDER] = np.arange(len(events), dtype=np.int64)
    return events, frame[partly].reset_index(drop=True)


def _no_events() -> pd.DataFrame:
    columns = {CUSTOMER: "str", PRODUCT: "str", TIME: "datetime64[ns]", KIND: "str"}
    columns |= {AMOUNT: "float64", ORDER: "int64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
