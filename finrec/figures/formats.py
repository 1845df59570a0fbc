"""Numbers, dates and names as a reader sees them; the only place that decides how.

Separators, currency and the order of a date are those of :mod:`finrec.figures.conventions`.

Text from data is never shown as it is: :func:`markdown` for Streamlit's texts and :func:`markup`
for plotly's make it mean itself and nothing else.
"""

from __future__ import annotations

import html
import math
import re
from datetime import UTC, datetime
from typing import Any

from finrec.figures import conventions

UNKNOWN = "–"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&=^])")
_JOINER = "\u2060"  # invisible; keeps an address in a name from becoming a link


def _absent(value: Any) -> bool:
    return value is None or value != value  # NaN and NaT are unequal to themselves


def _local(plain: str) -> str:
    """A number as Python writes it, with the separators of the convention that holds."""
    held, _ = conventions.chosen()
    if (held.group, held.decimal) == (",", "."):
        return plain
    return "".join({",": held.group, ".": held.decimal}.get(c, c) for c in plain)


def separators() -> str:
    """Decimal mark and thousands mark, as plotly wants them."""
    held, _ = conventions.chosen()
    return held.decimal + held.group


def number(value: float | None, digits: int = 0) -> str:
    """``1,234`` or, with digits, ``1,234.5``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if round(value, digits) == 0:
        value = 0.0  # no sign on nothing
    return _local(f"{value:,.{digits}f}".replace("-", "−"))


def money(value: float | None, digits: int = 0, currency: str = "") -> str:
    """``€1,234`` or ``1.234 €``; a number alone where no currency is given or set."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    held, sign = conventions.chosen()
    if currency:
        sign = conventions.CURRENCIES.get(currency, currency)
    amount = number(abs(value), digits)
    minus = "−" if value < 0 and round(value, digits) else ""
    if not sign:
        return minus + amount
    if held.before:
        return f"{minus}{sign}{conventions.FIXED if sign[-1].isalpha() else ''}{amount}"
    return f"{minus}{amount}{conventions.FIXED}{sign}"


def signed(value: float | None, digits: int = 2) -> str:
    """``+0.12`` or, with a real minus sign, ``−0.12``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if round(value, digits) == 0:
        value = 0.0  # no sign on nothing
        return _local(f"{value:.{digits}f}")
    return _local(f"{value:+,.{digits}f}".replace("-", "−"))


def share(value: float | None, digits: int = 1) -> str:
    """``12.3%`` of a share between 0 and 1."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    held, _ = conventions.chosen()
    return f"{_local(f'{100 * value:.{digits}f}')}{held.percent}%"


def chance(value: float | None) -> str:
    """A probability with two digits that count: ``12.3%``, ``0.12%``, ``0.012%``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return share(value, 1 if value >= 0.01 else 2 if value >= 0.001 else 3)


def metric(value: float | None) -> str:
    """A quality measure, four digits: ``0.1234``."""
    return number(value, 4)


def measure(name: str) -> str:
    """A quality measure's name: ``ndcg@5`` is ``NDCG@5``, ``recall@5`` is ``Recall@5``."""
    base, at, k = name.partition("@")
    known = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC", "gini": "Gini"}
    short = base.upper() if len(base) <= 4 else words(base)
    return known.get(base, short) + at + k


def day(value: Any) -> str:
    """``2 Nov 2024`` of a date, a time or its ISO form."""
    if _absent(value):
        return UNKNOWN
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return str(value.strftime(conventions.chosen()[0].day))


def moment(value: Any) -> str:
    """``2 Nov 2024, 14:05`` of a time or its ISO form, in UTC."""
    if _absent(value):
        return UNKNOWN
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    return str(value.strftime(f"{conventions.chosen()[0].day}, %H:%M"))


def duration(seconds: float | None) -> str:
    """``45 s``, ``2 min 10 s`` or ``1 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def size(count: float) -> str:
    """``1.4 MB`` of a number of bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{number(count)} {unit}" if unit == "B" else f"{number(count, 1)} {unit}"


def counted(count: int, word: str, plural: str = "") -> str:
    """``1 event``, ``2 events``."""
    return f"{number(count)} {word if count == 1 else plural or word + 's'}"


def words(column: str) -> str:
    """A column's name as words: ``marital_status`` is ``Marital status``."""
    text = re.sub(r"[_\s]+", " ", str(column)).strip()
    return text[:1].upper() + text[1:]


def value(given: Any) -> str:
    """Any attribute's value: whole numbers whole, dates as dates, yes and no."""
    if isinstance(given, str):
        return given or UNKNOWN
    if _absent(given):
        return UNKNOWN
    if isinstance(given, bool) or type(given).__name__ in ("bool", "bool_"):
        return "yes" if given else "no"
    if hasattr(given, "strftime"):
        return day(given)
    if isinstance(given, float) or hasattr(given, "dtype"):
        plain = float(given)
        return number(plain) if plain.is_integer() else number(plain, 2)
    return number(given) if isinstance(given, int) else str(given)


def shortened(text: str, most: int = 28) -> str:
    """The text, or its beginning and an ellipsis, at most ``most`` characters."""
    text = " ".join(str(text).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def markdown(text: str) -> str:
    """Text that Streamlit's Markdown shows letter by letter: no link, image, colour or formula."""
    plain = " ".join(str(text).split())
    plain = re.sub(
        r"(?i)(https?|ftp):(?=//)|www(?=\.)|@(?=[\w-]+\.)", lambda m: m[0] + _JOINER, plain
    )
    return _MARKDOWN.sub(r"\\\1", plain)


def markup(text: str) -> str:
    """Text that plotly shows letter by letter: it reads a little HTML."""
    return html.escape(" ".join(str(text).split()), quote=False)
