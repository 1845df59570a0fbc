"""What if, customers alike, and earlier offers: tables and sentences."""

from __future__ import annotations

import pandas as pd

from finrec.figures import formats
from finrec.figures.governing import KIND_WORDS
from finrec.schema import NAME


def moved(found: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """The best products after a change, with where each stood before."""
    top = found[found["after"].notna()].head(most)
    return pd.DataFrame(
        {
            "Place": top["after"].astype("int64"),
            "Product": top[NAME].astype("str"),
            "Before": [
                formats.UNKNOWN if pd.isna(b) else formats.number(int(b)) for b in top["before"]
            ],
            "Moved": [
                "new" if pd.isna(b) else _arrow(int(b) - int(a))
                for b, a in zip(top["before"], top["after"], strict=True)
            ],
            "Probability": [formats.chance(v) for v in top["probability_after"]],
            "Probability before": [formats.chance(v) for v in top["probability"]],
        }
    )


def _arrow(places: int) -> str:
    return "same" if not places else f"{'▲' if places > 0 else '▼'} {abs(places)}"


def describe_moved(found: pd.DataFrame, first: int = 5) -> str:
    """What comes into the first places and what leaves them."""
    after = found[found["after"].fillna(first + 1) <= first]
    before = found[found["before"].fillna(first + 1) <= first]
    came = [str(n) for n in after[NAME] if n not in set(before[NAME])]
    left = [str(n) for n in before[NAME] if n not in set(after[NAME])]
    if not came and not left:
        return f"The first {first} stay the same."
    told = []
    if came:
        told.append(f"Into the first {first} come {', '.join(came)}.")
    if left:
        told.append(f"Out of them go {', '.join(left)}.")
    return " ".join(told)


def alike_products(found: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """What customers alike have, beside everybody."""
    top = found.head(most)
    return pd.DataFrame(
        {
            "Product": top[NAME].astype("str"),
            "Share": top["share"],
            "Of everybody": [formats.share(v) for v in top["everybody"]],
            "Own": ["yes" if h else "" for h in top["held"]],
        }
    )


def alike_attributes(found: pd.DataFrame) -> pd.DataFrame:
    """What customers alike are, beside this one and everybody."""
    return pd.DataFrame(
        {
            "Attribute": [formats.words(a) for a in found["attribute"]],
            "This customer": [formats.value(_one(v)) for v in found["own"]],
            "Those alike": [formats.value(_round(v)) for v in found["theirs"]],
            "Everybody": [formats.value(_round(v)) for v in found["everybody"]],
        }
    )


def _one(value: object) -> object:
    return None if value is None or value != value else value


def _round(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value


def earlier(found: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """What was offered to a customer and what came of it, newest first."""
    return pd.DataFrame(
        {
            "When (UTC)": [formats.moment(t) for t in found["time"]],
            "What": [
                KIND_WORDS.get(k, k) + (" (taken back)" if u else "")
                for k, u in zip(found["kind"], found["undone"], strict=True)
            ],
            "Product": [names.get(str(p), str(p)) for p in found["product_id"]],
            "Reason": found["reason_code"],
            "Note": found["note"],
            "Who": found["who"],
        }
    )
