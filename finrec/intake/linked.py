"""Tables in which each row links two customers."""

from __future__ import annotations

import re

import pandas as pd

from finrec.intake.looks import Look

_ENDS = frozenset({"from", "to", "source", "target", "src", "dst", "dest", "origin", "destination",
                   "payer", "payee", "sender", "receiver", "recipient", "truster", "trustor",
                   "trustee", "referrer", "referee", "referred", "by", "friend", "linked",
                   "related", "other", "first", "second", "1", "2", "a", "b"})  # fmt: skip


def ends_of(looks: list[Look], date: Look | None, cells: pd.DataFrame) -> tuple[Look, Look] | None:
    """Where rows are pairs of customers, with a date and numbers at most: who, and with whom.

    Their names differ in a word that tells ends apart (from and to, 1 and 2), and say customer or
    hold the same ids.
    """
    told = {k: re.findall("[a-z]+|[0-9]+", k.words) for k in looks if k is not date}
    bare = {k: [w for w in words if w not in _ENDS] for k, words in told.items()}
    ends = [k for k in told if k.known and (k.named("customer") or bare[k] in ([], ["id"]))]
    others = [k for k in told if k not in ends and k.numbers < 0.98]
    if others or len(ends) != 2 or bare[ends[0]] != bare[ends[1]]:
        return None
    first, second = (cells[f"c{looks.index(k)}"] for k in ends)
    shared = len(set(first) & set(second)) / min(k.distinct for k in ends)
    return (ends[0], ends[1]) if ends[0].named("customer") or shared > 0.1 else None
