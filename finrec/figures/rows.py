"""The row of a frame with the largest or smallest value, as plain values by column."""

from __future__ import annotations

from typing import Any

import pandas as pd


def largest(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    """First row with the largest value; the frame has at least one row."""
    place = int(frame[column].astype(float).to_numpy().argmax())
    return {str(name): frame[name].iloc[place] for name in frame.columns}


def smallest(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    """First row with the smallest value; the frame has at least one row."""
    place = int(frame[column].astype(float).to_numpy().argmin())
    return {str(name): frame[name].iloc[place] for name in frame.columns}
