"""How a country writes numbers, money and dates; words stay English.

Source: Unicode CLDR 44. Whoever shows the figures says whose conventions hold, through
:func:`ask`: a server shows the same figure to several people.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

NARROW, FIXED = "\u202f", "\u00a0"  # spaces at which a line is not broken


@dataclass(frozen=True)
class Convention:
    """One country's.

    Args:
        title: for people.
        decimal: between whole and part.
        group: between thousands.
        day: a date, for strftime.
        column: the same for a column of a table, in the notation of moment.js.
        percent: between a number and its percent sign.
        before: whether a currency's sign comes before the number.
    """

    title: str
    decimal: str
    group: str
    day: str
    column: str
    percent: str = ""
    before: bool = True


CONVENTIONS = {
    "en-GB": Convention("United Kingdom", ".", ",", "%-d %b %Y", "D MMM YYYY"),
    "en-US": Convention("United States", ".", ",", "%b %-d, %Y", "MMM D, YYYY"),
    "de-DE": Convention("Germany", ",", ".", "%d.%m.%Y", "DD.MM.YYYY", FIXED, False),
    "es-ES": Convention("Spain", ",", ".", "%d/%m/%Y", "DD/MM/YYYY", FIXED, False),
    "fr-FR": Convention("France", ",", NARROW, "%d/%m/%Y", "DD/MM/YYYY", NARROW, False),
    "it-IT": Convention("Italy", ",", ".", "%d/%m/%Y", "DD/MM/YYYY", "", False),
    "nl-NL": Convention("Netherlands", ",", ".", "%d-%m-%Y", "DD-MM-YYYY"),
    "pl-PL": Convention("Poland", ",", FIXED, "%d.%m.%Y", "DD.MM.YYYY", "", False),
    "pt-PT": Convention("Portugal", ",", FIXED, "%d/%m/%Y", "DD/MM/YYYY", "", False),
    "de-CH": Convention("Switzerland", ".", "’", "%d.%m.%Y", "DD.MM.YYYY"),
    "iso": Convention("ISO 8601 dates", ".", ",", "%Y-%m-%d", "YYYY-MM-DD"),
}
DEFAULT = "en-GB"
CURRENCIES = {
    "": "", "EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "PLN": "zł", "CNY": "CN¥", "JPY": "¥",
}  # fmt: skip


def nearest(tag: str | None) -> str:
    """The convention for a language tag such as ``de-AT``: itself, its language's, or the default.

    Args:
        tag: as a browser says it; None or empty: unknown.
    """
    wanted = (tag or "").strip().lower()
    for name in CONVENTIONS:
        if name.lower() == wanted:
            return name
    language = wanted.partition("-")[0]
    if not language:
        return DEFAULT
    return next((n for n in CONVENTIONS if n.lower().partition("-")[0] == language), DEFAULT)


def _of_server() -> tuple[str, str]:
    """What the environment says: FINREC_LOCALE and FINREC_CURRENCY."""
    return os.environ.get("FINREC_LOCALE", ""), os.environ.get("FINREC_CURRENCY", "")


_asked: list[Callable[[], tuple[str, str]]] = [_of_server]


def ask(answer: Callable[[], tuple[str, str]]) -> None:
    """Let ``answer`` say, whenever something is shown, the names of convention and currency."""
    _asked[0] = answer


def chosen() -> tuple[Convention, str]:
    """The convention that holds now, and the currency's sign (empty: none)."""
    name, currency = _asked[0]()
    return CONVENTIONS[nearest(name)], CURRENCIES.get(currency, currency)
