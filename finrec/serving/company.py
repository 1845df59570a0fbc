"""Who has which products together in what a model learned from, counted on disk.

The same as of the split's training part, which needs every table in memory: with a million
customers that takes half a minute, this a second.
"""

from __future__ import annotations

from finrec.features.company import Company
from finrec.schema import DROPPED, FOLD, DataError
from finrec.scorer import Catalogue
from finrec.serving import cases
from finrec.snapshots import Snapshot

# All events but those held out, as in finrec.split: from the last but one taken on, of who took
# three or more; those from the test date on; those of the source's own test fold.
LEAVE_ONE_OUT = (
    "SELECT customer_id, product_id FROM events QUALIFY "
    "count(*) FILTER (WHERE kind <> ?) OVER (PARTITION BY customer_id) < 3 OR "
    "count(*) FILTER (WHERE kind <> ?) OVER (PARTITION BY customer_id "
    'ORDER BY time, "order" ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) > 1'
)
BY_TIME = "SELECT customer_id, product_id FROM events WHERE time < ?"
DECLARED = "SELECT customer_id, product_id FROM events WHERE fold IN ('train', 'valid')"


def company(snapshot: Snapshot, protocol: str | None, catalogue: Catalogue) -> Company:
    """Of the customers whose events a model learned from under this protocol (None: the usual).

    Raises:
        DataError: when the data can't be split so.
    """
    chosen = protocol or snapshot.info.protocol
    given: list[object] = []
    if chosen == "R1":
        sql, given = LEAVE_ONE_OUT, [DROPPED, DROPPED]
    elif chosen != "R2":
        raise DataError(f"Protocol {chosen!r} is unknown; choose R1 or R2.")
    elif FOLD in snapshot.query("SELECT * FROM events LIMIT 0").columns:
        sql = DECLARED
    else:
        sql, given = BY_TIME, [cases.test_from(snapshot).to_pydatetime()]
    ids = snapshot.query("SELECT product_id FROM products ORDER BY product_id")["product_id"]
    counts, places = snapshot.lists(
        "WITH known AS (SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS place "
        f"FROM products), part AS ({sql}) "
        "SELECT list(k.place) FROM part JOIN known k USING (product_id) "
        "GROUP BY customer_id", given,
    )  # fmt: skip
    return Company.of_lists(counts, catalogue.index(ids)[places], len(catalogue))
