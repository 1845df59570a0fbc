"""Which columns say what a customer holds, and which name several products in a cell."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from finrec.intake.looks import Look
from finrec.intake.mapping import Column

FEWEST_HELD = 3  # columns of yes and no before they look like products
FEWEST_BALANCES = 2
FLAGS = re.compile(
    r"active|activ|new|nuevo|employee|empleado|deceased|resident|foreign|gender|sex|vip|consent|"
    r"newsletter|opt|spouse|blocked|verified|default|churn|digital|email|married|^is_|smoker|online"
)
FEWEST_OPENED = 2
COUNTED = (("seconds",), ("milliseconds",), ("spreadsheet",))  # dates that could be any number
_OPENED = re.compile(
    r"\b(opened|open(ing)?( date| on)?|since|start(ed)?( date)?|taken|bought|signed|acquired)\b"
)
_BALANCE = re.compile(
    r"balance|^bal(?!d)|saldo|solde|kontostand|bestand|holding|outstanding|exposure|"
    r"guthaben|depotwert|encours"
)


def yes_or_no(looks: list[Look]) -> list[Look]:
    """Columns of yes and no that are not plainly about the person."""
    found = [k for k in looks if k.yes_no and not FLAGS.search(k.plain)]
    if any(re.search("ult1$|^has|^holds|^prod", k.plain) for k in found):
        found = [k for k in found if re.search("ult1$|^has|^holds|^prod", k.plain)]
    return found if len(found) >= FEWEST_HELD else []


def balances(looks: list[Look]) -> list[Look]:
    """Columns of money on several accounts: what is not 0 is held."""
    found = [
        k for k in looks
        if _BALANCE.search(k.plain) and k.numbers > 0.95 and k.dates < 0.5 and not k.yes_no
        and not re.search("total|all|sum|gesamt|avg|mean|average|min|max", k.plain)
    ]  # fmt: skip
    return found if len(found) >= FEWEST_BALANCES else []


def opened(looks: list[Look]) -> list[Look]:
    """Columns that tell when a product was taken: days, named after opening, not all filled."""
    found = [
        k for k in looks
        if k.dates > 0.9 and k.formats not in COUNTED and _OPENED.search(k.words)
        and not re.search("birth|geburt|nacim|dob|join|account$|customer|client|last|update|first",
                          k.words)
    ]  # fmt: skip
    several = len(found) >= FEWEST_OPENED and any(k.blanks > 0 for k in found)
    return found if several else []


def once(cells: pd.DataFrame) -> bool:
    """Whether no two rows of customer and date are the same, as in tables of holdings."""
    return not bool(cells[(cells != "").all(axis=1)].duplicated().any())


def lists(columns: list[Column], product: Look, cells: pd.Series) -> list[Column]:
    """Doubt about a product column whose cells name several products at once."""
    for mark in ("|", ";", " + ", ", "):
        several = cells[cells.str.contains(mark, regex=False)]
        alone = set(cells[~cells.str.contains(mark, regex=False)])
        pieces = {p.strip() for cell in several.unique() for p in cell.split(mark)}
        if len(several) > 0.2 * len(cells) and len(pieces) < several.nunique() + len(alone):
            example = several.iloc[0][:60]
            why = f"cells such as {example!r} name several products: give one product a row"
            return [
                replace(c, confidence=0.3, why=why) if c.name == product.name else c
                for c in columns
            ]
    return columns
