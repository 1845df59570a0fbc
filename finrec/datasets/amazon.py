"""Amazon Beauty: the 5-core (22,363 customers, 12,101 products, 198,502 reviews), or raw files.

Source: McAuley's 2014 release in the cut and order used by S3-Rec and its successors. The folder
holds ``interactions``, ``items`` and ``users`` (Parquet or CSV); or give the ratings CSV or the
reviews as JSON lines, of any of its categories.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from finrec.datasets.amazon_raw import read_raw
from finrec.datasets.files import find, table
from finrec.schema import (
    AMOUNT,
    CUSTOMER,
    DESCRIPTION,
    KIND,
    NAME,
    ORDER,
    PRODUCT,
    RATED,
    TIME,
    DataError,
    Dataset,
    DatasetInfo,
)

INFO = DatasetInfo(
    name="amazon",
    title="Amazon Beauty, 5-core",
    origin="Amazon reviews 2002-2014 (McAuley et al.), cut as in S3-Rec (Zhou et al., 2020).",
    licence="research use",
    protocol="R1",
    ks=(10, 5, 20),
    repeatable=False,
    product_word="beauty product",
    notes=(
        "Not a bank: kept because published figures exist for exactly these 198,502 events.",
        "Dates are whole days; order within a day is the benchmark's.",
    ),
)


def load(path: Path | None, core: int = 5) -> Dataset:
    """Read the 5-core's folder, or raw ratings or reviews.

    Args:
        path: a folder with ``interactions``, ``items`` and ``users`` (the 5-core; ``position``
            gives the order within a customer), or a ratings or review file as McAuley published
            them, or a folder with one and perhaps its metadata (see
            :mod:`finrec.datasets.amazon_raw`).
        core: of raw files, keep only customers and products with at least that many events each;
            0 keeps all.
    """
    if path is not None and (path.is_file() or find(path, "interactions") is None):
        return read_raw(path, core, INFO)
    return _five_core(path)


def _five_core(path: Path | None) -> Dataset:
    raw = table(path, "interactions", ("user_id", "position", "item_id", "timestamp"))
    listed = table(path, "items", ("item_id", "title", "categories"))
    if raw["timestamp"].isna().any():
        row = int(raw.index[raw["timestamp"].isna()][0]) + 1
        raise DataError(f"interactions, row {row}: timestamp is empty; fill it or drop the row.")
    events = pd.DataFrame(
        {
            CUSTOMER: raw["user_id"].astype("str"),
            PRODUCT: raw["item_id"].astype("str"),
            TIME: pd.to_datetime(raw["timestamp"], unit="s"),
            KIND: RATED,
            AMOUNT: np.nan,
            ORDER: raw["position"].astype("int64"),
        }
    )
    paths = [_categories(value, row) for row, value in enumerate(listed["categories"], start=1)]
    products = pd.DataFrame(
        {
            PRODUCT: listed["item_id"].astype("str"),
            NAME: listed["title"].astype("str").str.strip(),
            DESCRIPTION: [" > ".join(p) for p in paths],
            "category": [p[1] if len(p) > 1 else "" for p in paths],
            "subcategory": [p[2] if len(p) > 2 else "" for p in paths],
        }
    )
    customers = pd.DataFrame({CUSTOMER: events[CUSTOMER].drop_duplicates().reset_index(drop=True)})
    return Dataset(INFO, customers, products, events)


def _categories(value: str, row: int) -> list[str]:
    """First category path of a product, from the JSON list of paths."""
    try:
        paths = json.loads(value) if value else []
    except ValueError as error:
        raise DataError(f"items, row {row}, column categories: not JSON ({error}).") from error
    return [str(step) for step in paths[0]] if paths else []
