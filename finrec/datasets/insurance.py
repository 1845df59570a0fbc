"""Insurance purchases of Bruun, Maistro and Lioma (RecSys 2022): 16 products, authors' split.

Source: "Learning Recommendations from User Actions in the Item-poor Insurance Domain". The
folder holds ``purchase_events_train``, ``purchase_events_test`` and ``filter_test`` (Parquet or
CSV) with the authors' column names. Products are anonymous and customers have no attributes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from finrec.datasets.files import dates, table
from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    BASKET,
    CUSTOMER,
    DESCRIPTION,
    FOLD,
    KIND,
    NAME,
    ORDER,
    PRODUCT,
    TIME,
    DataError,
    Dataset,
    DatasetInfo,
)

COLUMNS = ("event_id", "user_id", "event_time", "item_id")
INFO = DatasetInfo(
    name="insurance",
    title="Insurance purchases (Bruun et al., 2022)",
    origin="Published by the authors with the RecSys 2022 paper; one insurer, 2018-10 to 2020-09.",
    licence="none stated",
    protocol="R2",
    ks=(3, 1, 5),
    repeatable=True,
    product_word="insurance",
    notes=(
        "Products are anonymous: their names carry no meaning.",
        "No customer attributes and no web sessions were available.",
        "Only what the customer could still buy at that moment is ranked (authors' filter).",
        "Four test baskets in five are of customers without a past.",
    ),
)


def load(path: Path | None) -> Dataset:
    """Read the folder of the authors' files; test candidates come from ``filter_test``."""
    learn = table(path, "purchase_events_train", (*COLUMNS, "valid"))
    test = table(path, "purchase_events_test", COLUMNS)
    offered = table(path, "filter_test", ("event_id", "item_id"))
    learn[TIME] = dates(learn, "event_time", "purchase_events_train")
    test[TIME] = dates(test, "event_time", "purchase_events_test")
    bad = learn.index[~learn["valid"].isin([0, 1])]
    if len(bad):
        raise DataError(f"purchase_events_train, row {bad[0] + 1}: valid must be 0 or 1.")
    learn[FOLD] = np.where(learn["valid"] == 1, "valid", "train")
    test[FOLD] = "test"
    raw = pd.concat([learn, test], ignore_index=True)
    product = raw["item_id"].astype("str")
    events = pd.DataFrame(
        {
            CUSTOMER: raw["user_id"].astype("str"),
            PRODUCT: product,
            TIME: raw[TIME],
            KIND: ACQUIRED,
            AMOUNT: np.nan,
            ORDER: np.arange(len(raw), dtype=np.int64),
            BASKET: raw["event_id"].astype("str"),
            FOLD: raw[FOLD].astype("str"),
        }
    )
    ids = sorted(set(product) | set(offered["item_id"].astype("str")), key=_number)
    products = pd.DataFrame({PRODUCT: pd.Series(ids, dtype="str")})
    products[NAME] = "Insurance " + products[PRODUCT].str.removeprefix("item_")
    products[DESCRIPTION] = ""
    customers = pd.DataFrame({CUSTOMER: events[CUSTOMER].drop_duplicates().reset_index(drop=True)})
    candidates = pd.DataFrame(
        {BASKET: offered["event_id"].astype("str"), PRODUCT: offered["item_id"].astype("str")}
    )
    return Dataset(INFO, customers, products, events, candidates=candidates)


def _number(product: str) -> tuple[int, str]:
    digits = product.rpartition("_")[2]
    return (int(digits) if digits.isdigit() else 1 << 30, product)
