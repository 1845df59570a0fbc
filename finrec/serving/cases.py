"""Whom a snapshot's test cases are about, read on disk.

The same as of the split's test part, which needs every table in memory: with a million customers
that takes a quarter of a minute, this a second.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from finrec.schema import BASKET, CUSTOMER, DROPPED, FOLD, HELD, TIME, DataError
from finrec.snapshots import Snapshot
from finrec.split import dates

LEAVE_ONE_OUT = (
    "SELECT customer_id FROM events WHERE kind <> ? GROUP BY customer_id HAVING count(*) >= 3 "
    "ORDER BY customer_id"
)
# In the order of the first row of each case, a basket or a customer, as in finrec.split.
LATER = (
    "WITH part AS (SELECT *, row_number() OVER () AS place FROM events "
    "WHERE {held_out} AND kind NOT IN (?, ?)), "
    "first AS (SELECT arg_min(customer_id, place) AS customer_id, arg_min(time, place) AS time, "
    'arg_min("order", place) AS number, min(place) AS place FROM part GROUP BY {unit}), '
    "placed AS (SELECT customer_id, row_number() OVER (ORDER BY time, number, place) AS place "
    "FROM first) "
    "SELECT customer_id FROM placed GROUP BY customer_id ORDER BY min(place)"
)


def test_customers(snapshot: Snapshot, protocol: str | None = None) -> np.ndarray:
    """Ids of the customers of the test cases, each once, in the order of the cases, object [B].

    Args:
        snapshot: that was split.
        protocol: R1 or R2; None: the usual one.

    Raises:
        DataError: when the data can't be split so.
    """
    chosen = protocol or snapshot.info.protocol
    if chosen == "R1":
        found = snapshot.query(LEAVE_ONE_OUT, [DROPPED])
    elif chosen != "R2":
        raise DataError(f"Protocol {chosen!r} is unknown; choose R1 or R2.")
    else:
        columns = snapshot.query("SELECT * FROM events LIMIT 0").columns
        unit = BASKET if BASKET in columns else CUSTOMER
        held_out, given = "time >= ?", [test_from(snapshot).to_pydatetime()]
        if FOLD in columns:
            held_out, given = "fold = 'test'", []
        sql = LATER.format(held_out=held_out, unit=unit)
        found = snapshot.query(sql, [*given, DROPPED, HELD])
    return np.asarray(found[CUSTOMER], dtype=object)


def test_from(snapshot: Snapshot) -> pd.Timestamp:
    """The day from which events are held out for the test, where no column tells."""
    if len(snapshot.info.split) == 2:
        return pd.Timestamp(snapshot.info.split[1])
    events = snapshot.query("SELECT time, kind NOT IN (?, ?) AS taken FROM events", [DROPPED, HELD])
    return dates(snapshot.info, events[TIME], events["taken"].to_numpy())[1]
