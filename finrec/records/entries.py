"""One record: its columns, what may stand in them, and the hash that seals it."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from finrec.schema import CUSTOMER, PRODUCT, DataError

KINDS = (
    "shown", "offered", "not_now", "not_suitable", "accepted", "declined", "snoozed", "done",
    "exported", "planned", "signed_off", "excluded", "erased", "undone",
)  # fmt: skip
TEXT = (
    "id", "who", "kind", CUSTOMER, PRODUCT, "snapshot", "run", "reason_code", "note", "channel",
    "campaign", "detail",
)  # fmt: skip
NUMBERS = ("rank", "score", "probability", "propensity")
COLUMNS = (
    "id", "time", "who", "kind", CUSTOMER, PRODUCT, "snapshot", "run", "rank", "score",
    "probability", "propensity", "reason_code", "note", "channel", "campaign", "detail",
)  # fmt: skip
OF_A_CUSTOMER = frozenset(KINDS) - {"exported", "planned", "signed_off", "erased", "undone"}
LONGEST = 4000  # characters of a note; of detail ten times as many
_SEALED = (*COLUMNS, "undoes", "salt")


def prepared(entries: pd.DataFrame) -> pd.DataFrame:
    """The entries with every column, checked.

    Raises:
        DataError: naming the first row and column that can't be recorded.
    """
    unknown = set(entries.columns) - {*COLUMNS, "undoes", "undone"}
    if unknown:
        raise DataError(f"Records have no column {sorted(unknown)[0]!r}; leave it out.")
    n = len(entries)
    out = pd.DataFrame(index=range(n))
    for column in COLUMNS:
        given = entries[column].reset_index(drop=True) if column in entries else None
        if column == "time":
            now = pd.Timestamp(datetime.now(UTC)).tz_localize(None)
            times = pd.Series([pd.NaT] * n) if given is None else given
            out["time"] = [now if pd.isna(t) else utc(pd.Timestamp(t)) for t in times]
            out["time"] = out["time"].astype("datetime64[us]")
        elif column in NUMBERS:
            out[column] = np.nan if given is None else pd.to_numeric(given).astype("float64")
        elif column == "detail":
            out[column] = "" if given is None else [_json(v) for v in given]
        else:
            out[column] = "" if given is None else ["" if pd.isna(v) else str(v) for v in given]
    out["who"] = out["who"].where(out["who"] != "", _account())
    out["id"] = [i or uuid.uuid4().hex for i in out["id"]]
    out["undoes"] = list(entries["undoes"]) if "undoes" in entries else ""
    out["salt"] = [secrets.token_hex(8) for _ in range(n)]
    _check(out)
    return out


def _check(out: pd.DataFrame) -> None:
    needs = out["kind"].isin(OF_A_CUSTOMER)
    for bad, column, remedy in (
        (~out["kind"].isin(KINDS), "kind", f"use one of {', '.join(KINDS)}"),
        (needs & (out[CUSTOMER] == ""), CUSTOMER, "say whom it is about"),
        (out["probability"].notna() & ~out["probability"].between(0, 1), "probability", "0 to 1"),
        (out["propensity"].notna() & ~(out["propensity"].between(0, 1, "right")), "propensity",
         "give a chance above 0 and at most 1"),
        (out["rank"].notna() & ~(out["rank"] >= 1), "rank", "count from 1"),
        (np.isinf(out["score"]), "score", "give a finite number"),
        (out["note"].str.len() > LONGEST, "note", f"keep it under {LONGEST:,} characters"),
        (out["detail"].str.len() > 10 * LONGEST, "detail", "keep it shorter"),
        (out["id"].duplicated(), "id", "leave it out, ids are made"),
    ):  # fmt: skip
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            value = str(out[column].iloc[row])[:40]
            raise DataError(f"Record {row + 1}: {column} can't be {value!r}; {remedy}.")


def _json(value: Any) -> str:
    if isinstance(value, str):
        if value:
            try:
                json.loads(value)
            except ValueError:
                return json.dumps(value)
        return value
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return json.dumps(value, sort_keys=True, default=str)


def utc(moment: pd.Timestamp) -> pd.Timestamp:
    """The moment in UTC, without a zone; one without a zone is taken as UTC."""
    return moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"uid {os.getuid()}"


def rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Each row by column."""
    names = list(frame.columns)
    for values in zip(*(frame[c].tolist() for c in names), strict=True):
        yield dict(zip(names, values, strict=True))


def digest(row: dict[str, Any]) -> str:
    """Salted, so that an erased customer's entry can't be guessed from its hash."""
    told = []
    for name in _SEALED:
        value = row[name]
        told.append("" if pd.isna(value) else str(value))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def sealed(before: str, digest: str) -> str:
    """The seal that follows ``before``, of an entry with this digest."""
    return hashlib.sha256(f"{before}{digest}".encode()).hexdigest()
