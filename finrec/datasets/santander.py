"""Santander Product Recommendation (Kaggle, 2016): monthly holdings of 24 products in Spain.

Give the path of ``train_ver2.csv`` (``.gz``, ``.zip`` and Parquet too) or of a folder with it and
perhaps ``test_ver2.csv``. The holdings of each month become events: ``held`` for what a customer
has when first seen, ``acquired`` for 0 to 1, ``dropped`` for 1 to 0 (see
:mod:`finrec.datasets.holdings`). All 24 customer columns are kept, as last known, under readable
names (:data:`finrec.datasets.santander_products.ATTRIBUTES`).

A folder with ``new_products*.parquet`` (columns month, ncodpers, product) and without the full
file holds excerpts: every addition of those months, and attributes where a part of the full files
lies beside it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from finrec.datasets import santander_panel
from finrec.datasets.files import dates
from finrec.datasets.santander_products import (
    ATTRIBUTES,
    CUSTOMER_COLUMN,
    FIXED,
    PRODUCTS,
    products,
)
from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    KIND,
    ORDER,
    PRODUCT,
    PROFILES,
    TIME,
    DataError,
    Dataset,
    DatasetInfo,
    Staged,
    no_links,
)

INFO = DatasetInfo(
    name="santander",
    title="Santander product recommendation",
    origin="Kaggle competition of Banco Santander, 2016; 17 months of holdings in Spain.",
    licence="Kaggle competition rules: no redistribution, competition and research use",
    protocol="R2",
    ks=(7, 3, 1),
    repeatable=True,
    product_word="product",
    split=("2016-04-01", "2016-05-01"),
    notes=("Kaggle says that the sample holds no real customer of the bank.",),
)
FULL_NOTES = (
    "Attributes are those of the customer's last month; models are tested with those that were "
    "known before the months that are held out.",
    "A product held when the customer was first seen is history, never a case to foretell.",
)
EXCERPT_NOTES = (
    "Excerpts: every product added in January, March, April and May 2016, not what was held before "
    "or dropped; February 2016 and all of 2015 are missing.",
    "MAP@7 here is among customers who added something, so it is far above the leaderboard's.",
    "Of customers known from June 2016 only attributes are used that May could not change.",
)
TRAIN, TEST, ADDED = "train_ver2", "test_ver2", "new_products"


def load(path: Path | None) -> Dataset:
    """Read the files into memory; for the full file :func:`stage` needs far less.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    found = _files(path)
    if isinstance(found, Path):
        return _excerpts(found)
    with tempfile.TemporaryDirectory(prefix="finrec-") as folder:
        staged = _stage(found, Path(folder))
        tables = {f.stem: pq.read_table(f).to_pandas() for f in staged.folder.glob("*.parquet")}
    extra = {PROFILES: tables.pop(PROFILES)}
    return Dataset(staged.info, extra=extra, **tables)


def stage(path: Path | None, folder: Path) -> Staged | None:
    """Write the tables of the full file into an empty folder; None for excerpts.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    found = _files(path)
    return None if isinstance(found, Path) else _stage(found, folder)


def _files(path: Path | None) -> list[Path] | Path:
    """The full file (and the test file), or the folder of excerpts."""
    if path is None:
        raise DataError("The Santander data are read from train_ver2.csv; give its path.")
    if path.is_file():
        return [path]
    full = _named(path, TRAIN)
    if full:
        return full + _named(path, TEST)
    if sorted(path.glob(f"{ADDED}*.parquet")):
        return path
    raise DataError(
        f"{path.name} has neither train_ver2.csv nor new_products*.parquet; check the path."
    )


def _named(folder: Path, stem: str) -> list[Path]:
    endings = (".csv", ".csv.gz", ".csv.zip", ".zip", ".parquet")
    return [folder / (stem + e) for e in endings if (folder / (stem + e)).is_file()][:1]


def _stage(files: list[Path], folder: Path) -> Staged:
    receipt = santander_panel.stage(files, folder)
    products().to_parquet(folder / "products.parquet", index=False)
    no_links().to_parquet(folder / "links.parquet", index=False)
    months = pq.read_table(folder / "events.parquet", columns=[TIME, KIND]).to_pandas()
    taken = np.sort(months.loc[months[KIND] == ACQUIRED, TIME].unique())
    notes = list(INFO.notes + FULL_NOTES)
    if receipt["rejected"]:
        listed = ", ".join(f"{count:,} ({reason})" for reason, count in receipt["reasons"].items())
        notes.append(f"Of {receipt['rows_in']:,} rows these were rejected: {listed}.")
    info = replace(INFO, split=_last_two(taken), notes=tuple(notes))
    return Staged(info, folder, receipt)


def _last_two(months: np.ndarray) -> tuple[str, ...]:
    """First days of the last two months with additions: validation and test."""
    if len(months) < 3:
        return INFO.split
    return tuple(str(pd.Timestamp(m).replace(day=1).date()) for m in months[-2:])


def _excerpts(folder: Path) -> Dataset:
    files = sorted(folder.glob(f"{ADDED}*.parquet"))
    frames = []
    for file in files:
        frame = pq.read_table(file).to_pandas()
        for column in ("month", CUSTOMER_COLUMN, "product"):
            if column not in frame.columns:
                raise DataError(f"{file.name} lacks the column {column}; it must be there.")
        frame["month"] = dates(frame, "month", file.name)
        unknown = frame.index[~frame["product"].isin(PRODUCTS)]
        if len(unknown):
            raise DataError(
                f"{file.name}, row {unknown[0] + 1}, column product: "
                f"{frame['product'].loc[unknown[0]]!r} is none of the 24 products; correct it."
            )
        frames.append(frame)
    raw = pd.concat(frames, ignore_index=True).drop_duplicates()
    raw[CUSTOMER_COLUMN] = raw[CUSTOMER_COLUMN].astype("str")
    rank = pd.Index(PRODUCTS).get_indexer(pd.Index(raw["product"]))
    raw = raw.iloc[np.lexsort((rank, raw["month"].to_numpy(), raw[CUSTOMER_COLUMN].to_numpy()))]
    events = pd.DataFrame(
        {
            CUSTOMER: raw[CUSTOMER_COLUMN].to_numpy(),
            PRODUCT: raw["product"].astype("str").to_numpy(),
            TIME: raw["month"].to_numpy(),
            KIND: ACQUIRED,
            AMOUNT: np.nan,
            ORDER: np.arange(len(raw), dtype=np.int64),
        }
    )
    people = pd.DataFrame({CUSTOMER: np.sort(events[CUSTOMER].unique())}).astype("str")
    customers = people.merge(_attributes(folder), on=CUSTOMER, how="left")
    info = replace(INFO, title=INFO.title + " (excerpts)", notes=INFO.notes + EXCERPT_NOTES)
    return Dataset(info, customers, products(), events)


def _attributes(folder: Path) -> pd.DataFrame:
    """Attributes in the parts of the full files that lie beside the additions.

    From a file of June 2016 or later only those are taken that May 2016 could not change.
    """
    parts = [f for stem in (TRAIN, TEST) for f in sorted(folder.glob(f"{stem}*.parquet"))]
    found = [pd.DataFrame({CUSTOMER: pd.Series(dtype="str")})]
    for file in parts:
        with tempfile.TemporaryDirectory(prefix="finrec-") as work:
            santander_panel.stage([file], Path(work))
            frame = pq.read_table(Path(work) / "customers.parquet").to_pandas()
        late = frame["known_at"] >= "2016-05-01"
        changing = [ours for column, (ours, _) in ATTRIBUTES.items() if column not in FIXED]
        frame.loc[late, changing] = None
        found.append(frame)
    return pd.concat(found, ignore_index=True).drop_duplicates(CUSTOMER, keep="first")
