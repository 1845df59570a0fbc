"""What a mapping says, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finrec.intake.mapping import Table


def sentence(table: Table) -> str:
    """What a table of a mapping says, for the person who checks it."""

    def one(role: str) -> str:
        named = table.having(role)
        return named[0].name if named else ""

    held, opened = table.having("holding"), table.having("opened")
    attributes = len(table.having("attribute"))
    describe = "1 column describes" if attributes == 1 else f"{attributes} columns describe"
    also = f" {describe} the customer." if attributes else ""
    if table.kind == "holdings" and opened and not held:
        shown = ", ".join(c.name for c in opened[:3]) + (" …" if len(opened) > 3 else "")
        return (
            f"{table.file}: {len(opened)} columns look like the days on which products were taken "
            f"({shown}) by the customer in {one('customer')}.{also}"
        )
    if table.kind == "holdings":
        shown = ", ".join(c.name for c in held[:3]) + (" …" if len(held) > 3 else "")
        when = f"in the month of {one('date')}" if one("date") else "now (no month is given)"
        return (
            f"{table.file}: {len(held)} columns look like products held ({shown}) by the customer "
            f"in {one('customer')}, {when}.{also}"
        )
    if table.kind == "events":
        when = f"on the day in {one('date')}" if one("date") else "at a time that is not known"
        worth = f", for {one('amount')}" if one("amount") else ""
        return (
            f"{table.file}: each row says that the customer in {one('customer')} took the product "
            f"in {one('product')} {when}{worth}.{also}"
        )
    if table.kind == "customers":
        return f"{table.file}: each row is a customer, called {one('customer')}.{also}"
    if table.kind == "products":
        return f"{table.file}: each row is a product, called {one('product')}."
    if table.kind == "prices" and not table.having("product"):
        count = len(table.having("price"))
        return f"{table.file}: {count} columns are price series by {one('date')}."
    if table.kind == "prices":
        return f"{table.file}: prices ({one('price')}) of {one('product')} by {one('date')}."
    if table.kind == "links":
        return f"{table.file}: links from {one('customer')} to {one('target')}."
    if table.having("customer") or table.having("product"):
        return f"{table.file}: not used."
    return (
        f"{table.file}: not used, because no name of a column says customer or product; say in the "
        "mapping which they are."
    )
