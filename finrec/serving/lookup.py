"""Find a customer in a snapshot and see what is known, without loading the snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from finrec import snapshots
from finrec.schema import CUSTOMER, DataError


@dataclass(frozen=True)
class CustomerView:
    """What is known of a customer.

    Args:
        id: customer id.
        attributes: by column; None where unknown.
        history: time, product_id, name, kind, amount, newest first.
    """

    id: str
    attributes: dict[str, Any]
    history: pd.DataFrame


def customer(snapshot: str, customer_id: str) -> CustomerView:
    """Attributes and events of a customer.

    Raises:
        DataError: when the snapshot does not know the customer.
    """
    found = snapshots.find(snapshot)
    people = found.query("SELECT * FROM customers WHERE customer_id = ?", [customer_id])
    history = found.query(
        "SELECT e.time, e.product_id, p.name, e.kind, e.amount FROM events e "
        "JOIN products p USING (product_id) WHERE e.customer_id = ? "
        'ORDER BY e.time DESC, e."order" DESC',
        [customer_id],
    )
    if people.empty and history.empty:
        raise DataError(f"Customer {customer_id!r} is not in {found.ref}; check the id.")
    row = people.iloc[0].to_dict() if len(people) else {}
    attributes = {str(k): (None if pd.isna(v) else v) for k, v in row.items() if k != CUSTOMER}
    return CustomerView(customer_id, attributes, history)


def search(
    snapshot: str,
    text: str = "",
    limit: int = 50,
    only: Mapping[str, Sequence[str]] | None = None,
    between: Mapping[str, tuple[float, float]] | None = None,
) -> pd.DataFrame:
    """Customers whose id begins with ``text``: customer_id and number of events; exact id first.

    Args:
        snapshot: ref.
        text: beginning of the id; empty for all.
        limit: at most so many.
        only: values that an attribute may have, by column; unknown values fit none.
        between: lowest and highest value of an attribute in numbers.

    Raises:
        DataError: when customers have no such column.
    """
    found = snapshots.find(snapshot)
    pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    where, given = _conditions(found, only or {}, between or {})
    ids = f"SELECT customer_id FROM customers WHERE {where}"
    if where == "TRUE" and not _all_listed(found.ref):
        ids += " UNION SELECT customer_id FROM events"
    return found.query(
        f"WITH ids AS ({ids}), "
        "hits AS (SELECT customer_id FROM ids WHERE customer_id LIKE ? ESCAPE '\\' "
        "ORDER BY length(customer_id), customer_id LIMIT ?), "
        "n AS (SELECT customer_id, count(*) AS events FROM events "
        "WHERE customer_id IN (SELECT customer_id FROM hits) GROUP BY customer_id) "
        "SELECT h.customer_id, coalesce(n.events, 0) AS events FROM hits h "
        "LEFT JOIN n USING (customer_id) ORDER BY length(h.customer_id), h.customer_id",
        [*given, pattern, limit],
    )


@lru_cache(maxsize=32)
def _all_listed(ref: str) -> bool:
    """Whether every customer with events is in the table of customers; a snapshot never changes."""
    strange = snapshots.find(ref).query(
        "SELECT 1 FROM events ANTI JOIN customers USING (customer_id) LIMIT 1"
    )
    return strange.empty


def _conditions(
    found: snapshots.Snapshot,
    only: Mapping[str, Sequence[str]],
    between: Mapping[str, tuple[float, float]],
) -> tuple[str, list[object]]:
    """SQL of a segment, with its parameters in order."""
    known = set(found.query("SELECT * FROM customers LIMIT 0").columns) if only or between else ()
    parts, given = [], list[object]()
    for column in (*only, *between):
        if column not in known:
            raise DataError(f"Customers have no column {column!r} in {found.ref}; choose another.")
    for column, values in only.items():
        parts.append(f"CAST({_quoted(column)} AS VARCHAR) IN (SELECT unnest(?))")
        given.append([str(v) for v in values])
    for column, (low, high) in between.items():
        parts.append(f"TRY_CAST({_quoted(column)} AS DOUBLE) BETWEEN ? AND ?")
        given += [float(low), float(high)]
    return " AND ".join(parts) or "TRUE", given


def filters(
    snapshot: str, most: int = 12
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[float, float]]]:
    """What customers can be filtered by: columns in words with their values, numbers with bounds.

    Args:
        snapshot: ref.
        most: a column in words with more values is left out, as is one in numbers with as few.
    """
    found = snapshots.find(snapshot)
    kinds = found.query("DESCRIBE customers").set_index("column_name")["column_type"]
    words: dict[str, tuple[str, ...]] = {}
    numbers: dict[str, tuple[float, float]] = {}
    for column, kind in kinds.items():
        if column == CUSTOMER or str(kind).startswith(("DATE", "TIMESTAMP")):
            continue
        name = _quoted(str(column))
        values = found.query(
            f"SELECT DISTINCT CAST({name} AS VARCHAR) AS v FROM customers "
            f"WHERE {name} IS NOT NULL LIMIT ?",
            [2 * most + 1],
        )["v"]
        if str(kind) in ("VARCHAR", "BOOLEAN") or len(values) <= most:
            if 2 <= len(values) <= 2 * most:
                words[str(column)] = tuple(sorted(map(str, values)))
            continue
        ends = found.query(f"SELECT min({name}) AS low, max({name}) AS high FROM customers")
        numbers[str(column)] = (float(ends["low"].iloc[0]), float(ends["high"].iloc[0]))
    return words, numbers


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
