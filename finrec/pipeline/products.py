"""Products: who has them, how they are taken, what is taken with them, and whom they would fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from finrec import snapshots
from finrec.pipeline.standing import batch_size
from finrec.schema import CUSTOMER, NAME, PRODUCT, DataError
from finrec.serving import cold
from finrec.serving.cold import Imagined, attributes, reads_text
from finrec.serving.recommender import Recommender
from finrec.training import calibrate

SMALLEST = 10  # customers; a smaller group is not shown, so that it tells of nobody
MOST_ASKED = 10_000  # customers that a product is held against; more are drawn evenly
MOST_VALUES = 12  # of a column by which customers are grouped
AGE_BANDS = (18, 25, 35, 45, 55, 65, 75)
HAVE = "('acquired', 'held', 'dropped', 'traded', 'rated')"  # events that say what is had


@lru_cache(maxsize=32)
def _dropped(ref: str) -> bool:
    """Whether anything is ever given up in a snapshot, which never changes."""
    found = snapshots.find(ref).query("SELECT 1 FROM events WHERE kind = 'dropped' LIMIT 1")
    return not found.empty


def _has(ref: str, where: str = "") -> str:
    """SQL of what customers have: customer_id, product_id, once a pair.

    Args:
        ref: of the snapshot.
        where: a condition on events, with AND behind it.
    """
    chosen = f"FROM events WHERE {where} kind IN {HAVE}"
    if not _dropped(ref):
        return f"SELECT DISTINCT customer_id, product_id {chosen}"
    last = 'arg_max(kind, struct_pack(at := time, place := "order"))'
    return (
        f"SELECT customer_id, product_id {chosen} GROUP BY customer_id, product_id "
        f"HAVING {last} <> 'dropped'"
    )


@dataclass(frozen=True)
class ProductView:
    """What is known of a product.

    Args:
        id: product id.
        name: its name.
        description: empty where unknown.
        attributes: by column; None where unknown.
        holders: customers who have it (taken and not dropped since).
        customers: all customers of the snapshot.
        trend: month, customers; who took it in each month, months without any included.
    """

    id: str
    name: str
    description: str
    attributes: dict[str, Any]
    holders: int
    customers: int
    trend: pd.DataFrame


@dataclass(frozen=True)
class Companions:
    """Products that the same customers have.

    Args:
        nodes: product_id, name, customers; the product itself first.
        edges: source, target, customers (who have both), lift (how many times as many as if the
            two had nothing to do with each other); pairs of fewer than ten customers left out.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame


def catalogue(snapshot: str) -> pd.DataFrame:
    """All products with the number of customers that have each, most first."""
    return snapshots.find(snapshot).query(
        f"WITH has AS ({_has(snapshot)}), n AS (SELECT product_id, count(*) AS customers "
        "FROM has GROUP BY 1) SELECT p.product_id, p.name, coalesce(n.customers, 0) AS customers "
        "FROM products p LEFT JOIN n USING (product_id) ORDER BY customers DESC, p.product_id"
    )


def product(snapshot: str, name: str) -> ProductView:
    """What is known of a product.

    Raises:
        DataError: when the snapshot has no such product.
    """
    data = snapshots.find(snapshot)
    row = data.query("SELECT * FROM products WHERE product_id = ?", [name])
    if row.empty:
        raise DataError(f"Product {name!r} is not in {data.ref}; check the id.")
    told = {str(k): (None if pd.isna(v) else v) for k, v in row.iloc[0].to_dict().items()}
    holders = data.query(
        f"SELECT count(*) AS n FROM ({_has(data.ref, 'product_id = ? AND')})", [name]
    )
    trend = data.query(
        "WITH taken AS (SELECT date_trunc('month', time) AS month, count(DISTINCT customer_id) "
        "AS customers FROM events WHERE product_id = ? AND kind = 'acquired' GROUP BY 1), "
        "months AS (SELECT unnest(generate_series(date_trunc('month', min(time)), "
        "date_trunc('month', max(time)), INTERVAL 1 MONTH)) AS month FROM events) "
        "SELECT m.month, coalesce(t.customers, 0) AS customers FROM months m "
        "LEFT JOIN taken t ON t.month = m.month ORDER BY m.month",
        [name],
    )
    people = data.query("SELECT count(*) AS n FROM customers")["n"].iloc[0]
    words = (PRODUCT, NAME, "description")
    return ProductView(
        name,
        str(told.get(NAME) or name),
        str(told.get("description") or ""),
        {k: v for k, v in told.items() if k not in words},
        int(holders["n"].iloc[0]),
        int(people),
        trend,
    )


def groupings(snapshot: str) -> tuple[str, ...]:
    """Columns of customers by which holders can be grouped: age, and words with few values."""
    data = snapshots.find(snapshot)
    table = data.query("SELECT * FROM customers USING SAMPLE 5000 ROWS (reservoir, 1)")
    return tuple(
        str(c)
        for c in table.columns
        if c != CUSTOMER
        and not pd.api.types.is_datetime64_any_dtype(table[c])
        and (c == "age" or 2 <= table[c].nunique() <= MOST_VALUES)
    )


def holders(snapshot: str, name: str, by: str) -> pd.DataFrame:
    """Who has a product, by a column: group, holders, customers, share; small groups left out.

    Raises:
        DataError: when customers can't be grouped by that column.
    """
    if by not in groupings(snapshot):
        raise DataError(f"Customers can't be grouped by {by!r}; choose another column.")
    data = snapshots.find(snapshot)
    found = data.query(
        f"WITH has AS ({_has(data.ref, 'product_id = ? AND')}) SELECT {_group(by)} AS grp, "
        "count(h.customer_id) AS holders, count(*) AS customers FROM customers c "
        "LEFT JOIN has h USING (customer_id) GROUP BY 1 ORDER BY 1",
        [name],
    )
    found = found[found["customers"] >= SMALLEST].rename(columns={"grp": "group"})
    found["share"] = found["holders"] / found["customers"]
    return found.reset_index(drop=True)


def _group(by: str) -> str:
    """SQL of the group of a customer ``c``: bands of years, or the value itself."""
    column = 'c."' + by.replace('"', '""') + '"'
    if by != "age":
        return f"coalesce(CAST({column} AS VARCHAR), 'unknown')"
    age = f"TRY_CAST({column} AS DOUBLE)"
    cases = [f"WHEN {age} IS NULL THEN 'unknown'", f"WHEN {age} < {AGE_BANDS[0]} THEN 'under 18'"]
    cases += [
        f"WHEN {age} < {high} THEN '{low} to {high - 1}'"
        for low, high in zip(AGE_BANDS, AGE_BANDS[1:], strict=False)
    ]
    return f"CASE {' '.join(cases)} ELSE '{AGE_BANDS[-1]} and over' END"


def companions(snapshot: str, name: str, most: int = 10) -> Companions:
    """What customers with a product have besides, the ``most`` shared, and how those go together.

    Raises:
        DataError: when the snapshot has no such product.
    """
    data = snapshots.find(snapshot)
    top = data.query(
        f"""
        WITH ours AS ({_has(data.ref, "product_id = ? AND")}),
        theirs AS (SELECT * FROM events SEMI JOIN ours USING (customer_id)),
        has AS ({_has(data.ref).replace("FROM events", "FROM theirs")})
        SELECT product_id, count(*) AS n FROM has WHERE product_id <> ? GROUP BY 1
        HAVING count(*) >= {SMALLEST} ORDER BY n DESC, 1 LIMIT ?
        """,
        [name, name, most],
    )
    ids = [name, *map(str, top[PRODUCT])]
    own, edges = _pairs(data, ids)
    total = int(data.query("SELECT count(*) AS n FROM customers")["n"].iloc[0])
    alone = own.reindex(edges["source"]).to_numpy() * own.reindex(edges["target"]).to_numpy()
    edges["lift"] = edges["customers"] * max(total, 1) / np.maximum(alone, 1)
    names = data.query("SELECT product_id, name FROM products").set_index(PRODUCT)[NAME]
    if name not in names.index:
        raise DataError(f"Product {name!r} is not in {data.ref}; check the id.")
    ids = [name, *(i for i in own.sort_values(ascending=False).index if i != name)]
    nodes = pd.DataFrame({PRODUCT: ids, NAME: names.reindex(ids).to_numpy()})
    nodes["customers"] = own.reindex(ids).fillna(0).astype(int).to_numpy()
    return Companions(nodes, edges)


def _pairs(data: snapshots.Snapshot, ids: list[str]) -> tuple[pd.Series, pd.DataFrame]:
    """Customers of each product, and of each pair of products that ten or more have.

    Each customer becomes one number whose bits say which of the products they have, so that one
    pass over the events answers for all pairs.
    """
    listed = pd.Index(ids)
    masks = data.query(
        f"WITH has AS ({_has(data.ref, 'product_id IN (SELECT unnest(?)) AND')}), "
        "own AS (SELECT customer_id, bit_or(1::BIGINT << (list_position(?, product_id) - 1)) "
        "AS mask FROM has GROUP BY customer_id) "
        "SELECT mask, count(*) AS customers FROM own GROUP BY mask",
        [ids, ids],
    )
    bits = (masks["mask"].to_numpy(np.int64)[:, None] >> np.arange(len(ids))) & 1
    both = (bits * masks["customers"].to_numpy(np.int64)[:, None]).T @ bits
    left, right = np.nonzero(np.triu(both >= SMALLEST, 1))
    edges = pd.DataFrame(
        {"source": listed[left], "target": listed[right], "customers": both[left, right]}
    )
    return pd.Series(np.diag(both), index=listed), edges


def asked(recommender: Recommender) -> list[str]:
    """Customers that products are held against: all, or evenly drawn ``MOST_ASKED`` of them."""
    everybody = sorted(recommender.known)
    if len(everybody) <= MOST_ASKED:
        return everybody
    drawn = np.random.default_rng(0).choice(len(everybody), MOST_ASKED, replace=False)
    return [everybody[i] for i in np.sort(drawn)]


def best_customers(recommender: Recommender, name: str, k: int = 20) -> pd.DataFrame:
    """Customers that a product fits best: customer_id, probability, place among what is offerable.

    Only customers to whom it may be offered by the data (who have not taken it). The policy is
    not asked: it is in the Campaign and with each customer.
    """
    position = recommender.catalogue.position(name)
    people = asked(recommender)
    size = batch_size(recommender)
    parts = []
    for start in range(0, len(people), size):
        some = recommender.cohort(people[start : start + size])
        may = recommender.offerable(some)
        scores = recommender.scorer.score(some)
        chance = calibrate.probabilities(scores, may, recommender.run.provenance["temperature"])
        better = ((scores > scores[:, [position]]) & may).sum(1)
        part = {CUSTOMER: some.ids, "probability": chance[:, position], "place": better + 1}
        parts.append(pd.DataFrame(part)[may[:, position]])
    found = pd.concat(parts, ignore_index=True)
    order = ["probability", CUSTOMER]
    return found.sort_values(order, ascending=[False, True], ignore_index=True).head(k)


def imagine(
    recommender: Recommender,
    name: str,
    description: str = "",
    given: Mapping[str, Any] | None = None,
) -> Imagined:
    """Who would want a product that does not exist yet; see :mod:`finrec.serving.cold`.

    Raises:
        DataError: when the model can read nothing of what was said of it.
    """
    people = recommender.cohort(asked(recommender))
    return cold.imagine(recommender, people, name, description, given)


def leaning(recommender: Recommender, found: Imagined, by: str) -> pd.DataFrame:
    """Groups by how much more than the average an imagined product fits them.

    Only such a comparison of customers is given: how many will buy what nobody has bought is
    beyond what a model can learn from purchases.

    Args:
        recommender: as asked.
        found: by :func:`imagine`.
        by: a column of :func:`groupings`.

    Returns:
        group, customers, times (mean probability of the group divided by that of all).
    """
    table = recommender.dataset.customers.set_index(CUSTOMER)
    if by not in table.columns:
        raise DataError(f"Customers have no column {by!r}; choose another.")
    values = table[by].reindex(found.customers[CUSTOMER])
    if by == "age":
        edges = [-np.inf, *AGE_BANDS, np.inf]
        named = [
            "under 18",
            *(f"{a} to {b - 1}" for a, b in zip(AGE_BANDS, AGE_BANDS[1:], strict=False)),
            f"{AGE_BANDS[-1]} and over",
        ]
        values = pd.cut(pd.to_numeric(values, errors="coerce"), edges, right=False, labels=named)
    group = values.astype("str").where(values.notna(), "unknown").to_numpy(dtype=object)
    chance = found.customers["probability"].to_numpy(np.float64)
    out = pd.DataFrame({"group": group, "chance": chance}).groupby("group")["chance"]
    frame = out.agg(customers="count", times="mean").reset_index()
    frame["times"] /= chance.mean() or 1.0
    return frame[frame["customers"] >= SMALLEST].reset_index(drop=True)


__all__ = [
    "SMALLEST", "Companions", "Imagined", "ProductView", "asked", "attributes", "best_customers",
    "catalogue", "companions", "groupings", "holders", "imagine", "leaning", "product",
    "reads_text",
]  # fmt: skip
