"""What was shown, offered, answered, exported, signed off: an append-only DuckDB file.

Entries are only ever added; taking one back is another entry. Each carries a seal, a hash over its
own content and the seal before it, so that a later change shows (:func:`verify`). The one
exception is a customer's right to be erased: the content goes, the seal stays, and the file is
rewritten so that no freed block keeps the id.

Several processes may write at once: a lock file puts them in a queue, and DuckDB's own lock, which
another program may hold, is tried again for a while. A process that is killed leaves either all of
its entries or none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from finrec.records.database import opened, path, rewrite
from finrec.records.entries import (
    COLUMNS,
    KINDS,
    NUMBERS,
    TEXT,
    digest,
    prepared,
    rows,
    sealed,
    utc,
)
from finrec.schema import ACQUIRED, AMOUNT, CUSTOMER, KIND, ORDER, PRODUCT, TIME, DataError

__all__ = [
    "COLUMNS", "KINDS", "Verification", "append", "append_once", "customers", "decided", "erase",
    "find",
    "labels", "path", "undo", "verify", "written",
]  # fmt: skip

_ONCE = ("kind", "who", CUSTOMER, PRODUCT, "run")


@dataclass(frozen=True)
class Verification:
    """Whether the file is as it was written.

    Args:
        entries: how many there are.
        erased: how many of them had their content erased for a customer's sake.
        broken: numbers of entries that were changed, or that follow a removed one.
    """

    entries: int
    erased: int
    broken: tuple[int, ...]


def append(entries: pd.DataFrame) -> int:
    """Add entries, all or none, and return how many.

    Args:
        entries: any of COLUMNS; ``kind`` is required. Missing are: id (made), time (now, UTC),
            who (the account that runs this), the others (empty). ``detail`` holds objects that
            JSON can say, or JSON text. ``rank`` counts from 1.

    Raises:
        DataError: naming the row and column that can't be recorded, or when the file is locked.
    """
    if entries.empty:
        return 0
    frame = prepared(entries)
    with opened(write=True) as db:
        _insert(db, frame)
    return len(frame)


def append_once(entries: pd.DataFrame, since: datetime) -> int:
    """As :func:`append`, less what is there already; returns how many were added.

    An entry is there when one of the same kind, person, customer, product and run is, from
    ``since`` (UTC) on, taken back or not.
    """
    if entries.empty:
        return 0
    frame = prepared(entries)
    with opened(write=True) as db:
        db.register("asked", frame)
        known = db.execute(
            f"SELECT DISTINCT {', '.join(_ONCE)} FROM entries SEMI JOIN asked USING ({CUSTOMER}) "
            "WHERE time >= ?", [utc(pd.Timestamp(since))],
        ).fetchall()  # fmt: skip
        db.unregister("asked")
        there = set(known)
        new = [tuple(row) not in there for row in frame[list(_ONCE)].itertuples(index=False)]
        frame = frame[new].drop_duplicates(list(_ONCE)).reset_index(drop=True)
        if len(frame):
            _insert(db, frame)
    return len(frame)


def _insert(db: duckdb.DuckDBPyConnection, frame: pd.DataFrame) -> None:
    """Seal prepared entries and add them in one transaction."""
    found = db.execute("SELECT seq, seal FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    seq, seal = found or (0, "")
    frame.insert(0, "seq", np.arange(seq + 1, seq + 1 + len(frame)))
    digests, seals = [], []
    for row in rows(frame):
        digests.append(digest(row))
        seal = sealed(seal, digests[-1])
        seals.append(seal)
    frame["digest"], frame["seal"] = digests, seals
    db.execute("BEGIN")
    db.register("fresh", frame)
    db.execute("INSERT INTO entries BY NAME SELECT * FROM fresh")
    db.execute("COMMIT")
    if (frame["kind"] != "shown").any():
        _changed()


def decided() -> str:
    """Changes with every entry but those of kind ``shown``, so that looking changes nothing."""
    file = path()
    mark = file.with_suffix(".decided")
    if not file.exists():
        return "none"
    return f"{file.stat().st_ino}-{mark.stat().st_mtime_ns if mark.exists() else 0}"


def written() -> str:
    """Changes with every entry."""
    file = path()
    return str(file.stat().st_mtime_ns) if file.exists() else "none"


def _changed() -> None:
    path().with_suffix(".decided").write_bytes(b"")


def find(
    text: str = "",
    kinds: Sequence[str] = (),
    since: datetime | None = None,
    customer: str | None = None,
    limit: int | None = 500,
    run: str | None = None,
    campaign: str | None = None,
) -> pd.DataFrame:
    """Entries, newest first: COLUMNS and ``undone`` (taken back by a later entry).

    Args:
        text: stands anywhere in id, who, customer, product, run, campaign, reason or note.
        kinds: of KINDS; empty for all.
        since: earliest time, UTC.
        customer: exactly this one.
        limit: at most so many; None for all.
        run: exactly this run.
        campaign: exactly this campaign.
    """
    if limit == 0:
        return _nothing()
    where, values = ["kind <> 'erased' OR note <> ''"], list[Any]()
    for column, value in ((CUSTOMER, customer), ("run", run), ("campaign", campaign)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    if since is not None:
        where.append("time >= ?")
        values.append(utc(pd.Timestamp(since)))
    if kinds:
        where.append(f"kind IN ({', '.join('?' * len(kinds))})")
        values += kinds
    if text:
        sought = ("id", "who", CUSTOMER, PRODUCT, "run", "campaign", "reason_code", "note")
        where.append(f"contains(lower(concat_ws(' ', {', '.join(sought)})), lower(?))")
        values.append(text)
    query = (
        f"SELECT {', '.join(COLUMNS)}, id IN (SELECT undoes FROM entries WHERE undoes <> '') "
        f"AS undone FROM entries WHERE {' AND '.join(f'({w})' for w in where)} ORDER BY seq DESC"
    )
    if limit is not None:
        query += f" LIMIT {int(limit)}"
    with opened(write=False) as db:
        frame = db.execute(query, values).df()
    return frame.astype({c: "str" for c in TEXT})


def _nothing() -> pd.DataFrame:
    """No entry, in the columns of :func:`find`."""
    kinds = dict.fromkeys(COLUMNS, "str") | dict.fromkeys(NUMBERS, "float64")
    kinds |= {"time": "datetime64[us]", "undone": "bool"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def customers(kinds: Sequence[str]) -> frozenset[str]:
    """Of whom anything of these kinds is recorded, taken back or not."""
    asked = f"SELECT DISTINCT {CUSTOMER} FROM entries WHERE kind IN (SELECT unnest(?))"
    with opened(write=False) as db:
        return frozenset(row[0] for row in db.execute(asked, [list(kinds)]).fetchall())


def undo(entry: str, who: str = "", note: str = "") -> int:
    """Take an entry back by adding another that says so; returns 1.

    Raises:
        DataError: when there is no such entry, it is itself an undoing, or it is undone already.
    """
    with opened(write=False) as db:
        kinds = db.execute("SELECT kind FROM entries WHERE id = ?", [entry]).fetchall()
        again = db.execute("SELECT count(*) FROM entries WHERE undoes = ?", [entry]).fetchall()
    if not kinds:
        raise DataError(f"There is no record {entry!r}; copy its id from the list of records.")
    if kinds[0][0] in ("undone", "erased") or again[0][0]:
        why = "undone already" if again[0][0] else f"of kind {kinds[0][0]}"
        raise DataError(f"Record {entry!r} is {why}; record what holds now instead.")
    row = {"kind": "undone", "who": who, "note": note, "undoes": entry}
    return append(pd.DataFrame([row]))


def labels(snapshot: str) -> pd.DataFrame:
    """Accepted offers as events: what customers of this data set acquired after being asked.

    Args:
        snapshot: ``name@hash``; records of every snapshot of that name count, for their
            customers and products are the same.

    Returns:
        The columns of an events table and ``record`` (id of the entry), each customer and
        product once, at the first acceptance; undone ones are left out.
    """
    found = find(kinds=("accepted",), limit=None)
    mine = found["snapshot"].str.split("@").str[0] == snapshot.partition("@")[0]
    found = found[mine & ~found["undone"] & (found[CUSTOMER] != "") & (found[PRODUCT] != "")]
    found = found.sort_values([TIME, "id"]).drop_duplicates([CUSTOMER, PRODUCT])
    return pd.DataFrame(
        {
            CUSTOMER: found[CUSTOMER].astype("str"),
            PRODUCT: found[PRODUCT].astype("str"),
            TIME: found["time"].astype("datetime64[us]"),
            KIND: pd.Series(ACQUIRED, index=found.index, dtype="str"),
            AMOUNT: pd.Series(np.nan, index=found.index, dtype="float64"),
            ORDER: np.arange(len(found), dtype=np.int64),
            "record": found["id"].astype("str"),
        }
    ).reset_index(drop=True)


def erase(customer: str) -> int:
    """Empty every entry of a customer or that names them, for good; returns how many.

    Their number, time-order and seals stay, so that the rest can still be verified.
    """
    if not customer or not path().exists():
        return 0
    word = rf"(^|[^\w.-]){re.escape(customer)}($|[^\w-])"
    hit = " OR ".join(f"regexp_matches({c}, $word)" for c in TEXT if c != "kind")
    blank = {**dict.fromkeys((*NUMBERS, "time"), "NULL"), **dict.fromkeys(TEXT, "''"),
             "undoes": "''", "salt": "''", "kind": "'erased'"}  # fmt: skip
    kept = ", ".join(f"CASE WHEN {hit} THEN {v} ELSE {c} END AS {c}" for c, v in blank.items())
    with opened(write=True) as db:
        counted = db.execute(f"SELECT count(*) FROM entries WHERE {hit}", {"word": word})
        removed = int(counted.fetchall()[0][0])
        if removed:
            rewrite(db, f"SELECT * REPLACE ({kept}) FROM entries ORDER BY seq", {"word": word})
    if removed:  # which counts as a change, too
        append(pd.DataFrame([{"kind": "erased", "note": f"{removed} entries of a customer"}]))
    return removed


def verify() -> Verification:
    """Compute every seal again."""
    with opened(write=False) as db:
        frame = db.execute("SELECT * FROM entries ORDER BY seq").df()
    broken, seal, erased = [], "", 0
    for number, row in enumerate(rows(frame), 1):
        hidden = row["kind"] == "erased" and row["salt"] == ""
        erased += hidden
        fits = hidden or digest(row) == row["digest"]
        seal = sealed(seal, row["digest"])
        if not fits or row["seal"] != seal or row["seq"] != number:
            broken.append(int(row["seq"]))
            seal = row["seal"]
    return Verification(len(frame), erased, tuple(broken))
