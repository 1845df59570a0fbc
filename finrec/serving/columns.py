"""Columns of customers and products by what they mean, as numbers, flags, words or dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from finrec.serving.policy import Condition

YES = ("1", "1.0", "true", "yes", "y", "s", "si", "sí", "ja", "j", "oui", "t")
NO = ("0", "0.0", "false", "no", "n", "nein", "non", "f")
SECONDS_PER_YEAR = 365.25 * 86_400


class Columns:
    """A table read by meaning.

    Args:
        frame: the table.
        names: columns that may hold each meaning, the first that exists is read.
        levels: numbers that stand for words, by meaning.
        table: what the table is called, for sentences.
        asof: seconds since 1970 at which ages are reckoned, int64 [rows].
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        names: Mapping[str, Sequence[str]],
        levels: Mapping[str, Mapping[str, float]],
        table: str,
        asof: np.ndarray | None = None,
    ) -> None:
        self.frame, self.names, self.levels = frame, names, levels
        self.table, self.asof = table, asof
        self.missing: set[str] = set()

    def found(self, *meanings: str) -> str | None:
        """The column for the first of these meanings that has one; noted when none has."""
        for meaning in meanings:
            for name in self.names.get(meaning, ()):
                if name in self.frame.columns:
                    return name
        tried = [n for m in meanings for n in self.names.get(m, ())]
        what = meanings[0].replace("_", " ")
        listed = f"no column {', '.join(tried)}" if tried else "the policy names no column"
        self.missing.add(f"{what} of {self.table}: {listed}, not checked.")
        return None

    def number(self, meaning: str) -> np.ndarray | None:
        """float64 [rows], NaN where unknown; None without a column."""
        name = self.found(meaning)
        return None if name is None else numbers(self.frame[name], self.levels.get(meaning, {}))

    def text(self, meaning: str) -> np.ndarray | None:
        """Words without regard to case, object [rows], empty where unknown; None: no column."""
        name = self.found(meaning)
        return None if name is None else words(self.frame[name])

    def flag(self, meaning: str) -> np.ndarray | None:
        """1 yes, 0 no, NaN neither, float64 [rows]; None without a column."""
        said = self.text(meaning)
        if said is None:
            return None
        return np.where(np.isin(said, YES), 1.0, np.where(np.isin(said, NO), 0.0, np.nan))

    def dates(self, meaning: str) -> np.ndarray | None:
        """datetime64[s] [rows], NaT where unknown; None without a column."""
        name = self.found(meaning)
        if name is None:
            return None
        return pd.to_datetime(self.frame[name], errors="coerce").to_numpy("datetime64[s]")

    def age(self) -> np.ndarray:
        """Years, float64 [rows]; NaN where unknown."""
        name = self.found("age", "birth_date")
        if name is None:
            return np.full(len(self.frame), np.nan)
        if name in self.names.get("age", ()):
            return numbers(self.frame[name], {})
        born = pd.to_datetime(self.frame[name], errors="coerce").to_numpy("datetime64[s]")
        assert self.asof is not None
        lived = self.asof.astype("datetime64[s]") - born
        years = lived / np.timedelta64(1, "s") / SECONDS_PER_YEAR
        return np.asarray(np.floor(years), dtype=np.float64)


def numbers(column: pd.Series, levels: Mapping[str, float]) -> np.ndarray:
    """A column as float64; words through their levels, NaN where neither."""
    if levels and not pd.api.types.is_numeric_dtype(column):
        by_word = {k.casefold(): v for k, v in levels.items()}
        column = pd.Series(words(column)).map(lambda w: by_word.get(w, w))
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64)


def words(column: pd.Series) -> np.ndarray:
    """A column as text without regard to case or outer spaces; empty where unknown."""
    return np.array(["" if pd.isna(v) else str(v).strip().casefold() for v in column], dtype=object)


def conditions(condition: Condition | None, columns: Columns) -> np.ndarray:
    """Where a condition holds, bool [rows]; an unknown value meets none."""
    held = np.ones(len(columns.frame), dtype=bool)
    if condition is None:
        return held
    column = columns.frame[condition.column]
    said = words(column)
    if condition.one_of is not None:
        held &= np.isin(said, [_word(v) for v in condition.one_of])
    if condition.none_of is not None:
        held &= ~np.isin(said, [_word(v) for v in condition.none_of]) & (said != "")
    if condition.above is not None:
        held &= numbers(column, {}) > condition.above
    if condition.below is not None:
        held &= numbers(column, {}) < condition.below
    return held


def _word(value: object) -> str:
    return str(value).strip().casefold()
