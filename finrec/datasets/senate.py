"""Securities trades that US senators disclosed: purchases are acquisitions, full sales drops.

The folder holds ``all_transactions`` (Parquet or CSV) with the columns of the public collection.
Every row of it stays in the extra table ``trades``; events are the purchases and full sales that
name a ticker. Partial sales and exchanges change no holding from or to nothing.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pandas as pd

from finrec.datasets.files import dates, table
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
    Dataset,
    DatasetInfo,
)

COLUMNS = (
    "transaction_date", "owner", "ticker", "asset_description", "asset_type", "type", "amount",
    "senator",
)  # fmt: skip
KINDS = {"Purchase": ACQUIRED, "Sale (Full)": DROPPED}
INFO = DatasetInfo(
    name="senate",
    title="US senators' disclosed trades",
    origin="Periodic transaction reports of US senators, 2012 to 2020, as collected by the public.",
    licence="none stated; the filings are US public records",
    protocol="R2",
    ks=(10, 5, 20),
    repeatable=True,
    product_word="security",
    notes=(
        "Few people: 66 senators, so figures on it are rough.",
        "Amounts are the middle of the range that was disclosed, in US dollars.",
        "Trades by spouses and children count as the senator's.",
    ),
)


def load(path: Path | None) -> Dataset:
    """Read the folder of the collection; products are tickers."""
    raw = table(path, "all_transactions", COLUMNS, as_text=True)
    raw[TIME] = dates(raw, "transaction_date", "all_transactions")
    raw["senator"] = raw["senator"].str.strip()
    raw["ticker"] = raw["ticker"].str.strip()
    raw["asset_description"] = raw["asset_description"].map(html.unescape).str.strip()
    raw["usd"] = [_dollars(cell) for cell in raw["amount"]]
    named = raw[raw["ticker"].ne("--") & raw["ticker"].ne("") & raw["senator"].ne("")]
    used = named[named["type"].isin(list(KINDS))].sort_values(TIME, kind="stable")
    events = pd.DataFrame(
        {
            CUSTOMER: used["senator"].to_numpy(),
            PRODUCT: used["ticker"].to_numpy(),
            TIME: used[TIME].to_numpy(),
            KIND: used["type"].map(KINDS).to_numpy(),
            AMOUNT: used["usd"].to_numpy(dtype=np.float64),
            ORDER: np.arange(len(used), dtype=np.int64),
            "owner": used["owner"].to_numpy(),
        }
    )
    people = raw.loc[raw["senator"] != "", "senator"]
    customers = pd.DataFrame({CUSTOMER: np.sort(people.unique())}).astype("str")
    trades = raw.rename(columns={"senator": CUSTOMER})
    return Dataset(INFO, customers, _products(named), events, extra={"trades": trades})


def _products(trades: pd.DataFrame) -> pd.DataFrame:
    """One row a ticker, called by its most frequent description."""
    sizes = trades.groupby(["ticker", "asset_description", "asset_type"]).size()
    counted = pd.DataFrame(sizes.reset_index(name="n")).sort_values(
        ["ticker", "n", "asset_description"], ascending=[True, False, True]
    )
    first = counted.drop_duplicates("ticker")
    kind = first["asset_type"].replace("", "Security")
    return pd.DataFrame(
        {
            PRODUCT: first["ticker"].to_numpy(),
            NAME: first["asset_description"].where(first["asset_description"] != "", "Security"),
            DESCRIPTION: (kind + " of " + first["asset_description"]).to_numpy(),
            "asset_type": kind.to_numpy(),
        }
    ).reset_index(drop=True)


def _dollars(cell: str) -> float:
    """Middle of a range like ``$1,001 - $15,000``; the bound itself where there is only one."""
    bounds = [float(b.replace(",", "")) for b in re.findall(r"\$([\d,]+)", cell)]
    return float(np.mean(bounds)) if bounds else float("nan")
