"""FPRT's schema: a folder or zip with users, products and purchases as CSV (the paper's dataset).

Source of the schema: the paper's section on the FPRT dataset. 10,000 users with age, gender,
income, occupation, education and marital status; 100 products with type, term, interest rate,
risk and return; 20,000 purchases with user, product and time. The data were never published;
this reads files of that form, whoever made them.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from finrec.datasets.files import dates
from finrec.schema import (
    ACQUIRED,
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
    validated,
)

INFO = DatasetInfo(
    name="fprt",
    title="Files in FPRT's schema",
    origin="Files given by you, in the schema that the paper describes for FPRT.",
    licence="that of the files",
    protocol="R2",
    ks=(5, 10, 3),
    notes=("FPRT itself was never published; these files only have its columns.",),
)
MOST_BYTES = 512 * 2**20  # of one file, unpacked; FPRT has about one MiB

# Our column name, and the spellings accepted for it once case, spaces and signs are gone.
_USERS: dict[str, tuple[str, ...]] = {
    CUSTOMER: ("userid", "user", "customerid", "customer", "uid", "id"),
    "age": ("age",),
    "gender": ("gender", "sex"),
    "income": ("income", "annualincome"),
    "occupation": ("occupation", "job", "profession"),
    "education": ("education", "educationlevel"),
    "marital_status": ("maritalstatus", "marital", "marriage"),
}
_PRODUCTS: dict[str, tuple[str, ...]] = {
    PRODUCT: ("productid", "product", "pid", "id"),
    "type": ("type", "producttype"),
    "term": ("term", "termmonths"),
    "interest_rate": ("interestrate", "rate", "interest"),
    "risk": ("risk", "risklevel"),
    "return": ("return", "returns", "returnrate", "expectedreturn"),
}
_OPTIONAL: dict[str, tuple[str, ...]] = {
    NAME: ("name", "productname"),
    DESCRIPTION: ("description", "productdescription"),
}
_PURCHASES: dict[str, tuple[str, ...]] = {
    CUSTOMER: ("userid", "user", "customerid", "customer", "uid"),
    PRODUCT: ("productid", "product", "pid"),
    TIME: ("purchasetime", "time", "purchasedate", "date", "timestamp"),
}
_FILES = {
    "users": ("users", "user", "customers"),
    "products": ("products", "product"),
    "purchases": ("purchases", "purchase", "purchaserecords"),
}


def load(path: Path | None) -> Dataset:
    """Read users, products and purchases; further columns are ignored.

    A product without a name is called by its type and id. A column most of whose values are
    numbers is one of numbers (a trailing % is dropped); any other is kept as text.

    Raises:
        DataError: naming the file, the row (data rows count from 1), the column and the remedy.
    """
    if path is None:
        raise DataError("FPRT is read from a folder or a zip with three CSV files; give its path.")
    users = _table(path, "users", _USERS)
    products = _table(path, "products", _PRODUCTS, _OPTIONAL)
    purchases = _table(path, "purchases", _PURCHASES)
    for read, key in ((users, CUSTOMER), (products, PRODUCT)):
        _present(read, key)
        _unique(read, key)
        for column in set(read.frame.columns) - {key, NAME, DESCRIPTION}:
            read.frame[column] = _values(read, column)
    for column in (CUSTOMER, PRODUCT):
        _present(purchases, column)
    purchases.frame[TIME] = _times(purchases)
    bought, listed = purchases.frame, products.frame
    unknown = bought.index[~bought[PRODUCT].isin(listed[PRODUCT])]
    if len(unknown):
        raise DataError(
            f"{purchases.at(unknown, PRODUCT)}: product {bought[PRODUCT].loc[unknown[0]]!r} is not "
            f"in {products.file} ({len(unknown)} such rows); add it there or drop the row."
        )
    names = listed["type"].astype("str").fillna("product").str.capitalize()
    names = names + " " + listed[PRODUCT]
    listed[NAME] = listed[NAME].fillna(names) if NAME in listed else names
    listed[DESCRIPTION] = listed[DESCRIPTION].fillna("") if DESCRIPTION in listed else ""
    events = bought[[CUSTOMER, PRODUCT, TIME]].copy()
    events[KIND] = ACQUIRED
    events[AMOUNT] = np.nan
    events = events.sort_values(TIME, kind="stable", ignore_index=True)
    events[ORDER] = events.groupby(CUSTOMER).cumcount().astype("int64")
    ordered = [PRODUCT, NAME, DESCRIPTION, *list(_PRODUCTS)[1:]]
    # Nothing is offered twice unless the files show that people do take it twice.
    again = bool(events.duplicated([CUSTOMER, PRODUCT]).any())
    info = replace(INFO, repeatable=again)
    return validated(Dataset(info, users.frame[list(_USERS)], listed[ordered], events))


@dataclass(frozen=True)
class _Read:
    """A file's name, its table with our column names, and the names that stand in the file."""

    file: str
    frame: pd.DataFrame
    headers: dict[str, str]

    def at(self, rows: pd.Index, column: str) -> str:
        """Where the first of these rows is, in the file's own words."""
        return f"{self.file}, row {int(rows[0]) + 1}, column {self.headers[column]}"


def _file(path: Path, wanted: str) -> tuple[str, bytes]:
    """Name and content of the CSV file of that table in a folder or zip, read in memory only."""
    try:
        if path.is_dir():
            inside = {p.name: p for p in sorted(path.iterdir()) if p.is_file()}
            name = _named(path, list(inside), wanted)
            if inside[name].stat().st_size > MOST_BYTES:
                raise _too_large(name)
            return name, inside[name].read_bytes()
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path} is neither a folder nor a zip; give one with three CSV files.")
        with zipfile.ZipFile(path) as archive:
            entry = _named(path, archive.namelist(), wanted)
            name = PurePosixPath(entry).name
            with archive.open(entry) as stream:
                content = stream.read(MOST_BYTES + 1)  # whatever size the archive claims
            if len(content) > MOST_BYTES:
                raise _too_large(name)
            return name, content
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path.name} can't be read ({error}); pack or copy it again.") from error


def _too_large(name: str) -> DataError:
    return DataError(f"{name} is larger than {MOST_BYTES // 2**20} MiB; split or shorten it.")


def _named(path: Path, names: list[str], wanted: str) -> str:
    fits = []
    for name in names:
        file = PurePosixPath(name)
        hidden = any(part.startswith((".", "__MACOSX")) for part in file.parts)
        if file.suffix.lower() == ".csv" and not hidden and _plain(file.stem) in _FILES[wanted]:
            fits.append(name)
    if not fits:
        raise DataError(f"{path.name} has no {wanted}.csv; add it or rename the file that it is.")
    if len(fits) > 1:
        raise DataError(f"{path.name} has {fits[0]} and {fits[1]}; keep one file of {wanted}.")
    return fits[0]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _table(
    path: Path,
    wanted: str,
    columns: dict[str, tuple[str, ...]],
    optional: dict[str, tuple[str, ...]] | None = None,
) -> _Read:
    """A CSV file as text, with our column names; an empty cell is missing."""
    file, content = _file(path, wanted)
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            dtype="str",
            encoding="utf-8-sig",
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            index_col=False,
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text; export it as UTF-8.") from error
    except ValueError as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise DataError(f"{file} can't be read as CSV ({reason}); export it again.") from error
    plain = [_plain(c) for c in frame.columns]
    found, headers = {}, {}
    for ours, accepted in {**columns, **(optional or {})}.items():
        at = next((plain.index(spelling) for spelling in accepted if spelling in plain), None)
        if at is not None:
            found[ours] = frame.iloc[:, at].str.strip()
            headers[ours] = str(frame.columns[at])
        elif ours in columns:
            raise DataError(
                f"{file} has no column {ours.replace('_', ' ')}; it has "
                f"{', '.join(map(str, frame.columns[:12]))}. Rename or add it."
            )
    if frame.empty:
        raise DataError(f"{file} has no rows below its header; export it again.")
    return _Read(file, pd.DataFrame(found).replace("", np.nan), headers)


def _present(read: _Read, column: str) -> None:
    missing = read.frame.index[read.frame[column].isna()]
    if len(missing):
        raise DataError(
            f"{read.at(missing, column)}: empty ({len(missing)} such rows); fill it or drop the "
            "row."
        )


def _unique(read: _Read, column: str) -> None:
    twice = read.frame.index[read.frame[column].duplicated()]
    if len(twice):
        raise DataError(
            f"{read.at(twice, column)}: {read.frame[column].loc[twice[0]]!r} stands twice; keep "
            "one row for each."
        )


def _times(read: _Read) -> pd.Series:
    """ISO times, with or without a time of day; those with a zone become UTC."""
    column = read.headers[TIME]
    try:
        times = dates(read.frame.rename(columns={TIME: column}), column, read.file, "ISO8601")
    except ValueError as error:
        raise DataError(
            f"{read.file}, column {column}: times of different zones are mixed; write all in one."
        ) from error
    return times.dt.tz_convert("UTC").dt.tz_localize(None) if times.dt.tz else times


def _values(read: _Read, name: str) -> pd.Series:
    """Numbers where most values are numbers, else the text."""
    column = read.frame[name]
    known = column.notna()
    if not known.any():
        return column
    numbers = pd.to_numeric(column.str.removesuffix("%").str.strip(), errors="coerce")
    wrong = column.index[known & ~np.isfinite(numbers)]
    if 2 * len(wrong) >= known.sum():
        return column
    if len(wrong):
        raise DataError(
            f"{read.at(wrong, name)}: {column.loc[wrong[0]]!r} is no number, the others are "
            f"({len(wrong)} such rows); correct it or leave it empty."
        )
    return numbers
