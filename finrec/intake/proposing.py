"""Guess what each column means, from its name and its content, and say how sure that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from finrec.intake.held import COUNTED, FLAGS, balances, lists, once, opened, yes_or_no
from finrec.intake.linked import ends_of
from finrec.intake.looks import IDENTIFIER, Look, look_at, sample
from finrec.intake.mapping import Column, Mapping, Role, Table, TableKind
from finrec.intake.tables import Raw


def propose(tables: Sequence[Raw], name: str) -> Mapping:
    """A mapping for these tables; nothing in it is sure, and each column says why.

    Args:
        tables: parsed files (a sample of their rows is enough).
        name: of the data set.
    """
    proposed = [_table(raw) for raw in tables]
    return Mapping(name=name, tables=tuple(_joined(proposed)), title=name.replace("_", " "))


def with_formats(raw: Raw, table: Table) -> Table:
    """The table with formats for date columns that a person chose and that have none yet."""
    lacking = [c for c in table.columns if (c.role == "date" or c.type == "date") and not c.formats]
    if not lacking:
        return table
    cells = sample(raw)
    columns = tuple(
        replace(c, type="date", formats=look_at(c.name, cells[f"c{i}"], raw).formats)
        if c in lacking
        else c
        for i, c in enumerate(table.columns)
    )
    return replace(table, columns=columns)


def _table(raw: Raw) -> tuple[Raw, Table, pd.DataFrame]:
    cells = sample(raw)
    looks = [look_at(n, cells[f"c{i}"], raw) for i, n in enumerate(raw.columns)]
    taken = opened(looks)
    date = _date([k for k in looks if k not in taken])
    held = yes_or_no(looks) or balances(looks)
    customer = _customer([k for k in looks if k not in taken], date)
    product = _product([k for k in looks if k not in taken], customer, date)
    if _series(looks, customer, product, date):
        product = None
    if held and product and not product.named("product") and customer:
        at = {k: f"c{looks.index(k)}" for k in (customer, product, *([date] if date else []))}
        monthly = (
            date and date.distinct < customer.distinct and once(cells[[at[customer], at[date]]])
        )
        if monthly or _of_the_person(cells[at[customer]], cells[at[product]]):
            product = None  # a sex or a segment, say: the products are the columns
    if taken and (customer is None or product is not None):
        date, taken = _date(looks), []
    ends = None if product or held or taken else ends_of(looks, date, cells)
    kind = _kind(looks, customer, product, date, held or taken)
    if ends:
        customer, kind = ends[0], "links"
    columns = [
        Column(look.name, "target", confidence=0.6, why="the other end of the link")
        if ends and look is ends[1]
        else _column(look, kind, customer, product, date, held if kind == "holdings" else [])
        if not (look in taken and kind == "holdings")
        else Column(look.name, "opened", "date", look.formats, confidence=0.7,
                    why="days, and not in every row: when the product was taken")
        for look in looks
    ]  # fmt: skip
    columns = _only_one(columns)
    blank = kind == "holdings" and any(
        look.yes_no and look.blanks > 0.2 and look.distinct == 1 for look in held
    )
    if product is not None and kind == "events":
        columns = lists(columns, product, cells[f"c{looks.index(product)}"])
    table = Table(raw.source.name, kind, tuple(columns), raw.format, blank)
    return raw, table, cells


def _date(looks: list[Look]) -> Look | None:
    """The date of what the row tells: named so first, otherwise the fullest."""
    dated = [
        k
        for k in looks
        if k.dates > (0.5 if k.named("date") else 0.8)
        and (k.formats not in (*COUNTED, ("%Y%m%d",), ("%Y%m",)) or k.named("date"))
        and not re.search("birth|geburt|nacim|dob", k.plain)
    ]  # fmt: skip
    joined = re.compile("join|open|since|alta|start|last|ult|update")
    return max(
        dated,
        key=lambda k: (
            k.named("date") - 0.5 * bool(joined.search(k.plain)),
            k.known,
            -looks.index(k),
        ),
        default=None,
    )


def _customer(looks: list[Look], date: Look | None) -> Look | None:
    named = [k for k in looks if k.named("customer") and k.known and k is not date
             and not k.yes_no and k.length < 64]  # fmt: skip
    identified = [k for k in named if IDENTIFIER.search(k.words) or k.named("customer") == 1.0]
    if identified:
        return max(
            identified,
            key=lambda k: (
                k.named("customer") + 0.5 * bool(IDENTIFIER.search(k.words)),
                k.distinct,
            ),
        )
    if named:
        return max(named, key=lambda k: k.distinct)
    ids = [
        k
        for k in looks
        if k.known and k is not date and k.length < 40 and IDENTIFIER.search(k.words)
        and not k.named("product") and k.dates < 0.8
    ]  # fmt: skip
    return ids[0] if ids else None


def _product(looks: list[Look], customer: Look | None, date: Look | None) -> Look | None:
    named = [k for k in looks if k.named("product") and k.known and k is not customer
             and k is not date and not k.yes_no]  # fmt: skip
    if not named:
        return _taken(looks, customer, date)
    return max(
        named,
        key=lambda k: (
            k.named("product") + 0.5 * bool(IDENTIFIER.search(k.words)) - 0.7 * k.named("text")
            - (0.4 if re.search("name|title|type|categ|class|group", k.plain) else 0),
            -looks.index(k),
        ),
    )  # fmt: skip


def _taken(looks: list[Look], customer: Look | None, date: Look | None) -> Look | None:
    """Where customers stand in many dated rows: the column of names that can be what was taken.

    Of columns that differ between rows but not in every row, the one with the most values; what
    was done (buy, sell) and plain measures are not it.
    """
    if customer is None or date is None or customer.distinct > 0.9 * customer.known:
        return None
    able = [
        k
        for k in looks
        if k not in (customer, date)
        and 1 < k.distinct <= 0.2 * k.known
        and k.length <= 60
        and k.dates < 0.5
        and not k.yes_no
        and k.actions < 0.5
        and not any(k.named(role) for role in ("customer", "amount", "price", "date", "kind"))
        and (k.numbers < 0.5 or bool(IDENTIFIER.search(k.words)))
        and not FLAGS.search(k.plain)
    ]
    return max(able, key=lambda k: (k.distinct, -looks.index(k)), default=None)


def _of_the_person(customers: pd.Series, values: pd.Series) -> bool:
    """Whether nearly every customer has one value in all rows, cells [rows] each."""
    return bool((values.groupby(customers).nunique() <= 1).mean() > 0.9)


def _kind(
    looks: list[Look],
    customer: Look | None,
    product: Look | None,
    date: Look | None,
    held: list[Look],
) -> TableKind:
    priced = any(k.named("price") and k.numbers > 0.9 for k in looks)
    if customer and held and not (product and product not in held):
        return "holdings"
    if customer and product:
        return "events"
    if customer:
        linked = any(k.named("target") and k.plain != customer.plain for k in looks)
        return "links" if linked and len(looks) <= 4 else "customers"
    if product:
        unique = product.distinct == product.known
        if date and not unique:  # whose events they are, a person must say
            return "prices" if priced else "events"
        return "products"
    return "prices" if _series(looks, customer, product, date) else "ignore"


def _series(
    looks: list[Look], customer: Look | None, product: Look | None, date: Look | None
) -> bool:
    """Whether there are only a date and numbers, so that each column is a price series."""
    if customer or date is None or (product and product.named("product") == 1.0):
        return False
    others = [k for k in looks if k is not date and k.known]
    return bool(others) and all(k.numbers > 0.5 and not k.yes_no for k in others)


def _column(
    look: Look,
    kind: TableKind,
    customer: Look | None,
    product: Look | None,
    date: Look | None,
    held: list[Look],
) -> Column:
    if look is customer:
        sure = 0.95 if look.named("customer") else 0.5
        return Column(look.name, "customer", confidence=sure, why=_reason(look, "customer"))
    if look is product and kind in ("events", "products", "prices"):
        if look.named("product"):
            return Column(look.name, "product", confidence=0.9, why=_reason(look, "product"))
        why = "customers come back to its values on different dates"
        return Column(look.name, "product", confidence=0.5, why=why)
    if look is date and kind in ("events", "holdings", "prices"):
        doubt = " (day and month could be swapped: check)" if look.doubt else ""
        sure = 0.6 if look.doubt else 0.95 if look.named("date") else 0.8
        why = f"{look.dates:.0%} of its values are dates{doubt}"
        return Column(look.name, "date", "date", look.formats, confidence=sure, why=why)
    if look in held:
        sure = 0.9 if len(held) > 5 else 0.7
        why = "only yes and no in it" if look.yes_no else "a balance: held where it is not 0"
        return Column(look.name, "holding", confidence=sure, why=why)
    if not look.known:
        return Column(look.name, "ignore", confidence=0.9, why="empty")
    if kind == "events":
        if date is None and _unread(look):
            why = "its name says date, but no dates are read in it: write them as 2024-01-31"
            return Column(look.name, "ignore", confidence=0.3, why=why)
        if look.numbers > 0.5 and look.named("amount"):
            return Column(look.name, "amount", "number", confidence=0.85,
                          why=_reason(look, "amount"))  # fmt: skip
        if look.actions > 0.6 or (look.named("kind") == 1.0 and look.distinct <= 12):
            return Column(
                look.name, "kind", confidence=0.7, why="few values that say what was done"
            )
    if kind == "prices" and not product:
        return Column(look.name, "price", "number", confidence=0.7, why="numbers by date")
    if kind == "prices" and look.numbers > 0.9 and look.named("price"):
        return Column(look.name, "price", "number", confidence=0.85, why=_reason(look, "price"))
    if kind == "links" and look.named("target"):
        return Column(look.name, "target", confidence=0.6, why=_reason(look, "target"))
    if kind == "products" and look.named("name") and look.length > 1 and look.numbers < 0.5:
        return Column(look.name, "name", confidence=0.8, why=_reason(look, "name"))
    if kind == "products" and look.named("text") == 1.0:
        return Column(look.name, "text", confidence=0.8, why=_reason(look, "text"))
    return _attribute(look, kind)


def _unread(look: Look) -> bool:
    """Whether a column is called a date and holds something else, of another calendar, say."""
    called = look.named("date") == 1.0 or re.search("date|datum|fecha|تاريخ|дата", look.plain)
    return bool(called) and look.distinct > 2 and look.dates < 0.5 and not look.yes_no


def _attribute(look: Look, kind: TableKind) -> Column:
    role: Role = "product attribute" if kind == "products" else "attribute"
    if kind in ("prices", "links", "ignore"):
        return Column(look.name, "ignore", confidence=0.6, why="not needed in such a table")
    if look.numbers < 0.5 and look.length > 30 and look.distinct > 0.5 * look.known:
        return Column(look.name, "text", confidence=0.7, why="long and different in every row")
    if look.dates > 0.9 and look.formats not in (*COUNTED, ("%Y%m",)):
        return Column(look.name, role, "date", look.formats, confidence=0.8, why="dates")
    if look.numbers > 0.98 and not look.yes_no:
        codes = IDENTIFIER.search(look.words) and not re.search("amount|age", look.plain)
        if not codes:
            return Column(look.name, role, "number", confidence=0.8, why="numbers")
    other_id = look.distinct > 200 and IDENTIFIER.search(look.words)
    if other_id or (look.distinct == look.known and look.known > 50):
        return Column(look.name, "ignore", confidence=0.6, why="different in every row: says who")
    return Column(look.name, role, confidence=0.7, why="a few values")


def _reason(look: Look, role: str) -> str:
    if look.named(role):
        return f"its name says {role}"
    return "the first column that looks like an id"


def _only_one(columns: list[Column]) -> list[Column]:
    """Of roles that can be had once, the surest stays; the others are attributes."""
    wide = not any(c.role == "product" for c in columns)
    for role in ("amount", "kind", "name", "price", "target"):
        if role == "price" and wide:
            continue
        having = [c for c in columns if c.role == role]
        best = max(having, key=lambda c: c.confidence, default=None)
        columns = [
            replace(c, role="attribute" if role != "price" else "ignore")
            if c.role == role and c is not best
            else c
            for c in columns
        ]
    return columns


def _joined(proposed: list[tuple[Raw, Table, pd.DataFrame]]) -> list[Table]:
    """In a table of events, what depends on the product alone describes the product."""
    tables = []
    for raw, table, cells in proposed:
        if table.kind == "events" and table.having("customer") and len(cells) > 20:
            keys = {
                r: cells[f"c{table.index(table.having(r)[0])}"] for r in ("customer", "product")
            }
            columns = list(table.columns)
            for i, column in enumerate(columns):
                if column.role not in ("attribute", "text"):
                    continue
                per = {
                    r: float((cells[f"c{i}"].groupby(key).nunique() <= 1).mean())
                    for r, key in keys.items()
                }
                named = raw.columns[i].lower().startswith(("product", "item", "asset", "fund"))
                if per["product"] > 0.99 and (per["customer"] < 0.99 or named):
                    called = re.search("name|title", raw.columns[i].lower())
                    first = called and not any(c.role == "name" for c in columns)
                    role: Role = "name" if first else "product attribute"
                    columns[i] = replace(
                        column, role=role, why="the same for every row of a product"
                    )
                elif per["customer"] < 0.9:
                    columns[i] = replace(
                        column, role="ignore", why="differs between a customer's rows"
                    )
            table = replace(table, columns=tuple(columns))
        tables.append(table)
    return tables
