"""Amazon's raw files: ratings (user, item, rating, timestamp) and reviews as JSON lines.

As McAuley published them: a ratings CSV has no header; reviews have reviewerID, asin, overall,
unixReviewTime and perhaps reviewText; metadata has asin, title, description, categories, price
and brand. Some metadata files are Python literals instead of JSON. All may be gzipped.
"""

from __future__ import annotations

import ast
import gzip
import html
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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

LONGEST = 2**20  # characters of one line
SHORTENED = 500  # characters of a description that are kept


def read_raw(path: Path, core: int, info: DatasetInfo) -> Dataset:
    """Read a ratings or review file, or the folder of one with its metadata.

    Raises:
        DataError: naming file, row and column.
    """
    file = path if path.is_file() else _first(path, ("ratings", "reviews"))
    if file is None:
        raise DataError(
            f"{path.name} has no interactions.parquet, ratings*.csv or reviews*.json; check it."
        )
    meta = _first(file.parent, ("meta",))
    raw = _ratings(file) if ".csv" in file.name.lower() else _reviews(file)
    raw = raw.drop_duplicates([CUSTOMER, PRODUCT, TIME], ignore_index=True)
    raw = filtered(raw, core)
    if raw.empty:
        raise DataError(f"{file.name}: nobody is left of the {core}-core; choose a smaller core.")
    raw = raw.sort_values([CUSTOMER, TIME], kind="stable", ignore_index=True)
    raw[KIND] = RATED
    raw[ORDER] = raw.groupby(CUSTOMER).cumcount().astype("int64")
    products = _products(raw[PRODUCT].drop_duplicates().sort_values(ignore_index=True), meta)
    customers = pd.DataFrame({CUSTOMER: raw[CUSTOMER].drop_duplicates().reset_index(drop=True)})
    title = file.name.split(".")[0].removeprefix("ratings_").removeprefix("reviews_")
    told = replace(
        info,
        title=f"Amazon {title.replace('_', ' ')}" + (f", {core}-core" if core else ""),
        origin="Amazon reviews (McAuley et al.), raw file.",
        notes=(
            "Not a bank.",
            "Dates are whole days; order within a day is that of the file.",
            f"Customers and products with fewer than {core} events are left out, repeatedly."
            if core
            else "All customers and products are kept.",
            "The amount is the rating, 1 to 5.",
        ),
    )
    columns = [CUSTOMER, PRODUCT, TIME, KIND, AMOUNT, ORDER]
    return Dataset(told, customers, products, raw[columns])


def _first(folder: Path, stems: tuple[str, ...]) -> Path | None:
    named = [f for f in sorted(folder.iterdir()) if f.name.lower().startswith(stems)]
    endings = (".csv", ".csv.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
    return next((f for f in named if f.name.lower().endswith(endings)), None)


def filtered(events: pd.DataFrame, core: int) -> pd.DataFrame:
    """The k-core: drops customers and products with fewer than ``core`` events until none is."""
    if core <= 1:
        return events
    while True:
        enough = events.groupby(CUSTOMER)[PRODUCT].transform("size") >= core
        enough &= events.groupby(PRODUCT)[CUSTOMER].transform("size") >= core
        if enough.all():
            return events.reset_index(drop=True)
        events = events[enough]


def _ratings(file: Path) -> pd.DataFrame:
    names = [CUSTOMER, PRODUCT, AMOUNT, TIME]
    try:
        raw = pd.read_csv(file, header=None, dtype="str", keep_default_na=False)
    except (ValueError, OSError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file.name} can't be read ({reason}); copy it again.") from error
    if raw.shape[1] != 4:
        raise DataError(
            f"{file.name} has {raw.shape[1]} columns; a ratings file has user, item, rating and "
            "timestamp."
        )
    raw.columns = pd.Index(names)
    first = 0
    if pd.isna(pd.to_numeric(raw[TIME].iloc[:1], errors="coerce")).any():  # a header after all
        raw, first = raw.iloc[1:], 1
    return _typed(raw, file, first)


def _reviews(file: Path) -> pd.DataFrame:
    wanted = {"reviewerID": CUSTOMER, "asin": PRODUCT, "overall": AMOUNT, "unixReviewTime": TIME}
    rows = []
    for number, record in _records(file):
        lacking = next((w for w in wanted if w not in record), None)
        if lacking:
            raise DataError(f"{file.name}, row {number}: no {lacking}; it is no review.")
        rows.append([str(record[w]) for w in wanted])
    return _typed(pd.DataFrame(rows, columns=list(wanted.values()), dtype="str"), file, 0)


def _typed(raw: pd.DataFrame, file: Path, first: int) -> pd.DataFrame:
    out = raw[[CUSTOMER, PRODUCT]].copy()
    for column in (AMOUNT, TIME):
        numbers = pd.to_numeric(raw[column], errors="coerce")
        bad = np.flatnonzero(numbers.isna())
        if len(bad):
            what = "rating" if column == AMOUNT else "timestamp in seconds"
            raise DataError(
                f"{file.name}, row {bad[0] + 1 + first}: {raw[column].iloc[bad[0]]!r} is no {what};"
                " correct it."
            )
        out[column] = numbers.astype("float64")
    out[TIME] = pd.to_datetime(out[TIME], unit="s")
    return out


def _records(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row number and content of each line, JSON or a Python literal."""
    opener = gzip.open if file.name.lower().endswith(".gz") else open
    try:
        with opener(file, "rt", encoding="utf-8", errors="strict") as stream:
            number = 0
            while line := stream.readline(LONGEST):
                number += 1
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except ValueError:
                    record = ast.literal_eval(line.strip())  # values only, nothing is run
                if not isinstance(record, dict):
                    raise ValueError("no record")
                yield number, record
    except (OSError, EOFError) as error:
        raise DataError(
            f"{file.name} can't be read to its end ({error}); copy it again."
        ) from error
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DataError(f"{file.name}, row {number}: not a JSON record ({error}).") from error


def _products(ids: pd.Series, meta: Path | None) -> pd.DataFrame:
    """One row a product; without metadata, or where it lacks one, the id is the name."""
    wanted = set(ids)
    told: dict[str, dict[str, Any]] = {}
    for _, record in _records(meta) if meta else ():
        if record.get("asin") in wanted:
            told[str(record["asin"])] = record

    def text(asin: str, key: str) -> str:
        value = told.get(asin, {}).get(key) or ""
        if isinstance(value, list):
            value = " ".join(str(v) for v in value)
        return " ".join(html.unescape(str(value)).split())

    paths = [_path(told.get(a, {})) for a in ids]
    prices = [pd.to_numeric(text(a, "price").removeprefix("$"), errors="coerce") for a in ids]
    return pd.DataFrame(
        {
            PRODUCT: ids.astype("str"),
            NAME: [text(a, "title") or a for a in ids],
            DESCRIPTION: [
                ". ".join(p for p in (" > ".join(path), text(a, "description")[:SHORTENED]) if p)
                for a, path in zip(ids, paths, strict=True)
            ],
            "category": [p[1] if len(p) > 1 else "" for p in paths],
            "subcategory": [p[2] if len(p) > 2 else "" for p in paths],
            "brand": [text(a, "brand") for a in ids],
            "price": np.array(prices, dtype=np.float64),
        }
    )


def _path(record: dict[str, Any]) -> list[str]:
    """The first category path; later releases have one flat list called category."""
    listed = record.get("categories") or record.get("category") or []
    first = listed[0] if listed and isinstance(listed[0], list) else listed
    return [html.unescape(str(step)) for step in first] if isinstance(first, list) else []
