"""Find a customer in a snapshot and see what is known, without loading the snapshot."""

from __future__ import annotations

from dataclasses import dataclass
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


def search(snapshot: str, text: str, limit: int = 50) -> pd.DataFrame:
    """Customers whose id begins with ``text``: customer_id and number of events; exact id first."""
    pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return snapshots.find(snapshot).query(
        "WITH ids AS (SELECT customer_id FROM customers UNION SELECT customer_id FROM events), "
        "hits AS (SELECT customer_id FROM ids WHERE customer_id LIKE ? ESCAPE '\\' "
        "ORDER BY length(customer_id), customer_id LIMIT ?) "
        "SELECT h.customer_id, count(e.customer_id) AS events FROM hits h "
        "LEFT JOIN events e USING (customer_id) GROUP BY h.customer_id "
        "ORDER BY length(h.customer_id), h.customer_id",
        [pattern, limit],
    )
