"""What is in a data set, checked instead of believed: gaps, outliers, repeats, dates, balance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec.schema import AMOUNT, CUSTOMER, KIND, ORDER, PRODUCT, TIME

FAR = 3.0  # interquartile ranges beyond the quartiles that make an outlier
OLDEST = 120
MOST_PRODUCTS = 1000
AGAIN = "an event of the same customer, product, time and kind"
SKEWED = 100  # times as many events of the most frequent product as of the rarest


@dataclass(frozen=True)
class Quality:
    """A profile of a data set.

    Args:
        columns: table, column, type, rows, missing (share), distinct, min, max, mean, outliers
            (number beyond three interquartile ranges; NaN for other types than numbers).
        figures: counts and shares by name.
        findings: what a reader should know, each a sentence.
        months: month (datetime64), events: how many in each month that has any.
        products: product_id, events: the most frequent first, at most ``MOST_PRODUCTS``.
    """

    columns: pd.DataFrame
    figures: dict[str, Any]
    findings: tuple[str, ...]
    months: pd.DataFrame
    products: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dicts."""
        rows = self.columns.astype(object).where(self.columns.notna(), None)
        return {
            "columns": rows.to_dict("records"),
            "figures": self.figures,
            "findings": list(self.findings),
        }


def quality(folder: Path, today: str) -> Quality:
    """Profile the tables in a folder (a snapshot's), read column by column.

    Args:
        folder: holds customers, products and events as Parquet.
        today: ISO date; an event after it is in the future.
    """
    with duckdb.connect() as db:
        files = {f.stem: f for f in sorted(folder.glob("*.parquet"))}
        for table, file in files.items():
            source = str(file).replace("'", "''")
            db.execute(f"CREATE VIEW \"{table}\" AS SELECT * FROM read_parquet('{source}')")
        columns = [
            _column(db, table, field)
            for table in ("customers", "products", "events")
            for field in pq.read_schema(files[table])
        ]
        figures = _figures(db, today)
        months = db.execute(
            f"SELECT date_trunc('month', \"{TIME}\")::TIMESTAMP AS month, count(*) AS events "
            "FROM events GROUP BY 1 ORDER BY 1"
        ).df()
        products = db.execute(
            f"SELECT {PRODUCT}, count(*) AS events FROM events GROUP BY 1 ORDER BY 2 DESC, 1 "
            f"LIMIT {MOST_PRODUCTS}"
        ).df()
    frame = pd.DataFrame(columns)
    return Quality(frame, figures, tuple(_findings(frame, figures)), months, products)


def _column(db: duckdb.DuckDBPyConnection, table: str, field: pa.Field) -> dict[str, Any]:
    name = '"' + str(field.name).replace('"', '""') + '"'
    number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    date = pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)
    known = f"{name} IS NOT NULL" + (f" AND isfinite({name}::DOUBLE)" if number else "")
    found = db.execute(
        f"SELECT count(*), count(*) FILTER (WHERE NOT ({known})), count(DISTINCT {name}) "
        f'FROM "{table}"'
    ).fetchall()
    rows, missing, distinct = found[0]
    out: dict[str, Any] = {
        "table": table, "column": str(field.name), "type": "text", "rows": rows,
        "missing": missing / rows if rows else 0.0, "distinct": distinct,
        "min": None, "max": None, "mean": np.nan, "outliers": np.nan,
    }  # fmt: skip
    if date:
        spread = db.execute(f'SELECT min({name}), max({name}) FROM "{table}"').fetchall()
        out |= {"type": "date", "min": _day(spread[0][0]), "max": _day(spread[0][1])}
    elif number and rows > missing:
        value = f"{name}::DOUBLE"
        stats = db.execute(
            f"WITH q AS (SELECT quantile_cont({value}, 0.25) AS a, quantile_cont({value}, 0.75) "
            f'AS b FROM "{table}" WHERE {known}) SELECT min({value}), max({value}), avg({value}), '
            f"count(*) FILTER (WHERE {value} < a - {FAR} * (b - a) OR {value} > b + {FAR} * "
            f'(b - a)) FROM "{table}", q WHERE {known}'
        ).fetchall()
        out |= dict(zip(("min", "max", "mean", "outliers"), stats[0], strict=True))
        out["type"] = "number"
    elif number:
        out["type"] = "number"
    return out


def _day(moment: Any) -> str | None:
    return None if moment is None else str(moment)[:10]


def _figures(db: duckdb.DuckDBPyConnection, today: str) -> dict[str, Any]:
    one = db.execute(
        f"SELECT count(*), count(DISTINCT {CUSTOMER}), count(DISTINCT ({CUSTOMER}, {PRODUCT})), "
        f'min("{TIME}"), max("{TIME}"), count(DISTINCT "{TIME}"::DATE), '
        f"count(*) FILTER (WHERE \"{TIME}\" > TIMESTAMP '{today}' + INTERVAL 1 DAY), "
        f'count(*) - count(DISTINCT ({CUSTOMER}, {PRODUCT}, "{TIME}", {KIND})), '
        f"count(*) FILTER (WHERE {AMOUNT} < 0), "
        f"count(*) FILTER (WHERE {AMOUNT} IS NULL OR isnan({AMOUNT})) FROM events"
    ).fetchall()
    events, active, pairs, first, last, days, future, repeats, negative, unpriced = one[0]
    customers = _count(db, "SELECT count(*) FROM customers")
    products = _count(db, "SELECT count(*) FROM products")
    cold = _count(db, f"SELECT count(*) FROM customers ANTI JOIN events USING ({CUSTOMER})")
    unused = _count(db, f"SELECT count(*) FROM products ANTI JOIN events USING ({PRODUCT})")
    sizes = db.execute(f"SELECT count(*) FROM events GROUP BY {PRODUCT} ORDER BY 1").fetchall()
    counts = np.array([s[0] for s in sizes], dtype=np.float64)
    lengths = db.execute(
        f"SELECT median(n), max(n) FROM (SELECT count(*) AS n FROM events GROUP BY {CUSTOMER})"
    ).fetchall()
    kinds = db.execute(f"SELECT {KIND}, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC").fetchall()
    cells = customers * products
    return {
        "customers": customers,
        "products": products,
        "events": events,
        "first": _day(first),
        "last": _day(last),
        "days": days,
        "kinds": {str(k): int(n) for k, n in kinds},
        "cold_customers": cold,
        "customers_outside_table": active - (customers - cold),
        "products_without_events": unused,
        "sparsity": 1 - pairs / cells if cells else None,
        "events_per_customer_median": float(lengths[0][0]) if lengths[0][0] else 0.0,
        "events_per_customer_most": int(lengths[0][1]) if lengths[0][1] else 0,
        "largest_product_share": float(counts.max() / counts.sum()) if len(counts) else None,
        "imbalance": float(counts.max() / counts.min()) if len(counts) else None,
        "gini": _gini(np.append(np.zeros(unused), counts)) if len(counts) else None,
        "future_events": future,
        "repeated_events": repeats,
        "negative_amounts": negative,
        "unknown_amounts": unpriced,
    }


def _count(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(db.execute(sql).fetchall()[0][0])


def _gini(counts: np.ndarray) -> float:
    """Gini coefficient of sorted counts: 0 all equal, near 1 all on one product."""
    ranks = np.arange(1, len(counts) + 1)
    return float((2 * ranks - len(counts) - 1) @ counts / (len(counts) * counts.sum()))


def _findings(columns: pd.DataFrame, figures: dict[str, Any]) -> Iterator[str]:
    gaps = columns[(columns["missing"] > 0) & (columns["table"] != "events")]
    if len(gaps):
        worst = gaps.sort_values("missing").to_dict("records")[-1]
        many = "1 column has" if len(gaps) == 1 else f"{len(gaps)} columns have"
        yield f"{many} gaps; {worst['column']} is unknown in {worst['missing']:.1%} of rows."
    else:
        yield "No attribute has gaps."
    strange = columns[(columns["outliers"] > 0) & (columns["column"] != ORDER)]
    for row in strange.to_dict("records"):
        yield (
            f"{row['column']}: {int(row['outliers']):,} of {row['rows']:,} values lie far "
            f"outside the middle half of all, by more than {FAR:.0f} times its width (all lie from "
            f"{row['min']:,.10g} to {row['max']:,.10g})."
        )
    ages = columns[columns["column"].str.lower().isin(["age", "edad"])]
    for row in ages[ages["type"] == "number"].to_dict("records"):
        if row["max"] is not None and (row["max"] > OLDEST or row["min"] < 0):
            yield f"Ages reach from {row['min']:.6g} to {row['max']:.6g}."
    for name, noun, one, many in (
        ("future_events", "event", "is dated after today", "are dated after today"),
        ("repeated_events", "event", f"repeats {AGAIN}", f"repeat {AGAIN}"),
        ("negative_amounts", "event", "has a negative amount", "have a negative amount"),
        ("cold_customers", "customer", "has no event", "have no event"),
        ("products_without_events", "product", "has no event", "have no event"),
    ):
        if figures[name] == 1:
            yield f"1 {noun} {one}."
        elif figures[name]:
            yield f"{figures[name]:,} {noun}s {many}."
    if figures["imbalance"] and figures["imbalance"] >= SKEWED:
        yield (
            f"The most frequent product has {figures['imbalance']:,.0f} times the events of the "
            "rarest one that has any."
        )
