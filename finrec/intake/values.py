"""What cells look like: blanks, yes and no, numbers and dates, in Python for samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

# Lower case. "na" alone may be a code (Namibia), so it is unknown only beside numbers and dates.
UNKNOWN = frozenset({"", "null", "nan", "n/a", "none", "#n/a", "nat"})
UNKNOWN_NUMBER = UNKNOWN | {"na", "-", "?", ".", "--"}
YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "x", "s", "si", "sí", "ja", "j", "wahr"})
NO = frozenset({"0", "0.0", "false", "f", "no", "n", "nein", "falsch"})
# What was done with a product, lower case.
BUY = ("buy", "b", "purchase", "purchased", "acquired", "open", "opened", "add", "added",
       "subscribe", "new", "new business", "kauf", "compra", "1")  # fmt: skip
SELL = ("sell", "s", "sale", "sold", "dropped", "drop", "close", "closed", "cancel", "cancelled",
        "canceled", "cancellation", "redeem", "redemption", "lapse", "lapsed", "surrender",
        "surrendered", "terminate", "terminated", "termination", "expired", "verkauf", "venta",
        "storno", "kündigung", "baja", "-1")  # fmt: skip
# Blanks that do not break a line are written out, for DuckDB's engine reads this, too.
MONEY = re.compile("[€$£¥₹₽₩₺円元\\s\u00a0\u202f']|EUR|USD|GBP|CHF|JPY|CNY|INR|SAR|AED")
# Digits and signs of numbers and dates in other scripts: full width, Arabic, Persian, Indian.
OTHERS = "".join(
    "".join(chr(ord(zero) + i) for i in range(10)) for zero in "\uff10\u0660\u06f0\u0966"
) + "\uff0e\uff0c\uff0d\uff0f\uff1a\u066b\u066c\u2212"  # fmt: skip
PLAIN = "0123456789" * 4 + ".,-/:.,-"
_PLAIN = str.maketrans(OTHERS, PLAIN)
_FORMATS = (
    "%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d",
    "%d/%m/%y", "%m/%d/%y", "%Y-%m", "%m/%Y", "%m.%Y", "%b %Y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y",
    "%B %d, %Y", "%b %d, %Y", "%Y%m", "%Y年%m月%d日", "%Y년 %m월 %d일",
)  # fmt: skip
_TIMES = ("", " %H:%M:%S", " %H:%M")
_NOT_MONTHS = {"%Y-%m": r"^\d{4}-\d{2}$", "%Y%m": r"^(19|20)\d{2}(0[1-9]|1[0-2])$",
               "%Y%m%d": r"^(19|20)\d{6}$"}  # fmt: skip
ISO = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}.*)?$")
SHEET_DAYS = (20_000, 60_000)  # 1954 to 2064 as a spreadsheet counts days


def in_plain_digits(cell: str) -> str:
    """The cell with digits of other scripts (full width, Arabic, …) as 0 to 9."""
    return cell if cell.isascii() else cell.translate(_PLAIN)


def number(cell: str, decimal: str) -> float | None:
    """The number in a cell, with currency signs and thousands separators taken off."""
    plain = MONEY.sub("", in_plain_digits(cell))
    negative = plain.startswith("(") and plain.endswith(")")
    plain = plain.strip("()")
    if decimal == ",":
        if re.fullmatch(r"[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?", plain):
            plain = plain.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", plain):
        return None
    return -float(plain) if negative else float(plain)


def date_formats(cells: Sequence[str], day_first: bool) -> tuple[tuple[str, ...], float, bool]:
    """Formats that read these cells as dates, the share that they read, and whether in doubt.

    The order of day and month is in doubt when both would read every cell; then ``day_first``
    decides.
    """
    known = [in_plain_digits(c) for c in cells if c.lower() not in UNKNOWN_NUMBER]
    if not known:
        return (), 0.0, False
    iso = sum(bool(ISO.match(c)) and _iso(c) for c in known) / len(known)
    if iso > 0.5:
        return ("iso",), iso, False
    for name, pattern in (("seconds", r"^1?\d{9}$"), ("milliseconds", r"^1?\d{12}$")):
        share = sum(bool(re.match(pattern, c)) for c in known) / len(known)
        if share > 0.9:
            return (name,), share, False
    counted = sum(bool(re.match(r"^\d{5}(\.\d+)?$", c)) and _sheet_day(c) for c in known)
    if counted / len(known) > 0.9:
        return ("spreadsheet",), counted / len(known), False
    possible = [
        f + t for f in _FORMATS for t in _TIMES if any(_reads(c, f + t) for c in known[:50])
    ]
    shares = {
        f: sum(_reads(c, f) or bool(ISO.match(c) and _iso(c)) for c in known) / len(known)
        for f in possible
    }
    if not shares:
        return (), 0.0, False
    best = max(shares.values())
    top = [f for f, s in shares.items() if s >= best - 1e-9]
    doubt = any(f.startswith("%d") for f in top) and any(f.startswith("%m/%d") or
                f.startswith("%m-%d") for f in top)  # fmt: skip
    first = "%d" if day_first else "%m"
    chosen = next((f for f in top if f.startswith(first)), top[0]) if doubt else top[0]
    return (chosen,), best, doubt


def _sheet_day(cell: str) -> bool:
    return SHEET_DAYS[0] <= float(cell) <= SHEET_DAYS[1]


def _iso(cell: str) -> bool:
    if not 1900 <= int(cell[:4]) <= 2199:
        return False  # another calendar, say
    try:
        datetime.fromisoformat(cell.replace("Z", "+00:00"))
    except ValueError:
        return bool(re.match(r"^\d{4}-\d{1,2}-\d{1,2}$", cell))
    return True


def _reads(cell: str, form: str) -> bool:
    shape = _NOT_MONTHS.get(form)
    if shape and not re.match(shape, cell):
        return False
    try:
        year = datetime.strptime(cell, form).year
    except ValueError:
        return False
    return 1900 <= year <= 2199
