"""LastFM with its trust network, as shipped with LightGCN: who listens to whom, who trusts whom.

Not a bank: kept because it has real links between people. The folder holds ``train``, ``test``
(columns user, artist, weight) and ``trustnetwork`` (user, user) as Parquet, or as the original
text tables with a header 0, 1, 2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from finrec.datasets.files import table
from finrec.schema import (
    AMOUNT,
    CUSTOMER,
    DESCRIPTION,
    FOLD,
    KIND,
    NAME,
    ORDER,
    PRODUCT,
    SOURCE,
    TARGET,
    TIME,
    WEIGHT,
    DataError,
    Dataset,
    DatasetInfo,
)

INFO = DatasetInfo(
    name="lastfm",
    title="LastFM with trust between users",
    origin="LightGCN's copy of a LastFM data set with a social network.",
    licence="none stated",
    protocol="R2",
    ks=(20, 10, 5),
    repeatable=False,
    product_word="artist",
    notes=(
        "Not a bank: kept for its links between people.",
        "The files have no times and no names; every event carries the same date, so the split is "
        "that of the files and not one by time.",
        "Validation is one in ten of the training rows, chosen by a hash of user and artist.",
    ),
)
DATE = pd.Timestamp("2011-01-01")  # stands for "unknown": the files have no times


def load(path: Path | None) -> Dataset:
    """Read the folder; ``weight`` (how often listened) becomes the amount."""
    learn = _pairs(path, "train", weighted=True)
    test = _pairs(path, "test", weighted=True)
    learn[FOLD] = np.where(_one_in_ten(learn), "valid", "train")
    test[FOLD] = "test"
    raw = pd.concat([learn, test], ignore_index=True)
    events = pd.DataFrame(
        {
            CUSTOMER: raw["0"],
            PRODUCT: raw["1"],
            TIME: DATE,
            KIND: "listened",
            AMOUNT: raw["2"].astype("float64"),
            ORDER: np.arange(len(raw), dtype=np.int64),
            FOLD: raw[FOLD].astype("str"),
        }
    )
    trust = _pairs(path, "trustnetwork", weighted=False)
    links = pd.DataFrame(
        {SOURCE: trust["0"], TARGET: trust["1"], KIND: "trust", WEIGHT: np.float32(1.0)}
    )
    people = sorted({*events[CUSTOMER], *links[SOURCE], *links[TARGET]}, key=int)
    ids = sorted(set(events[PRODUCT]), key=int)
    products = pd.DataFrame({PRODUCT: pd.Series(ids, dtype="str")})
    products[NAME] = "Artist " + products[PRODUCT]
    products[DESCRIPTION] = ""
    customers = pd.DataFrame({CUSTOMER: pd.Series(people, dtype="str")})
    return Dataset(INFO, customers, products, events, links)


def _pairs(path: Path | None, name: str, weighted: bool) -> pd.DataFrame:
    columns = ["0", "1", "2"] if weighted else ["0", "1"]
    frame = table(path, name, columns)[columns]
    for column in ("0", "1"):  # whole numbers, stored as floats in some copies
        whole = pd.to_numeric(frame[column], errors="coerce")
        bad = frame.index[whole.isna() | (whole % 1 != 0)]
        if len(bad):
            raise DataError(
                f"{name}, row {bad[0] + 1}, column {column}: {frame[column].loc[bad[0]]!r} is no id"
                " (a whole number); correct it."
            )
        frame[column] = whole.astype("int64").astype("str")
    return frame


def _one_in_ten(pairs: pd.DataFrame) -> np.ndarray:
    keys = pairs["0"] + " " + pairs["1"]
    return (pd.util.hash_array(keys.to_numpy(dtype=object)) % 10 == 0).astype(bool)
