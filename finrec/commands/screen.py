"""What every command shares: JSON or text on stdout, tables, a progress bar on stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from finrec.schema import DataError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


def plain(value: Any) -> Any:
    """Values that JSON lacks."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pd.Series):
        return value.tolist()
    if isinstance(value, pd.DataFrame):
        return json.loads(value.to_json(orient="records", date_format="iso"))
    return str(value)


def say(as_json: bool, found: dict[str, Any], text: str) -> None:
    """Print the JSON object (what is no number is null there), or the text for people."""
    print(json.dumps(_known(found), default=plain, allow_nan=False) if as_json else text)


def _known(value: Any) -> Any:
    """The same with None for numbers that JSON lacks."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _known(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_known(one) for one in value]
    if isinstance(value, np.ndarray | np.generic | pd.Series | pd.DataFrame):
        return _known(plain(value))
    return value


def table(frame: pd.DataFrame, title: str = "") -> None:
    """Print a table."""
    drawn = Table(title=title or None)
    for column in frame.columns:
        drawn.add_column(str(column), overflow="fold")
    for row in frame.itertuples(index=False):
        drawn.add_row(*map(_cell, row), style=None)
    Console().print(drawn, markup=False)


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT or value != value:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


@contextmanager
def bar() -> Iterator[Any]:
    """A progress bar on stderr for training events."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Preparing", total=1.0)

        def tell(event: dict[str, Any]) -> None:
            kind = event["event"]
            if kind == "text":
                progress.update(task, description="Reading texts", completed=event["share"])
            elif kind == "pretraining":
                progress.update(task, description="Filling in events", completed=event["share"])
            elif kind == "step":
                what = "Learning" if event.get("stage") == "choose" else "Learning again, to test"
                done = (event["epoch"] + event["share"]) / event["epochs"]
                progress.update(
                    task, description=f"{what}, pass {event['epoch'] + 1}", completed=done
                )
            elif kind in ("evaluating", "done"):
                progress.update(task, description="Testing", completed=1.0)

        yield tell


def overrides(given: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """``model.x=1`` and ``train.y=2`` as two dicts of JSON values."""
    groups = settings(given, ("model", "train"))
    return groups["model"], groups["train"]


def settings(given: list[str], known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``GROUP.NAME=VALUE`` as a dict of JSON values for each group that is known."""
    groups: dict[str, dict[str, Any]] = {name: {} for name in known}
    for entry in given:
        name, equals, value = entry.partition("=")
        group, dot, key = name.partition(".")
        if not (equals and dot and group in groups):
            raise typer.BadParameter(
                f"{entry!r}: write model.NAME=VALUE or train.NAME=VALUE"
                + (", or METHOD.NAME=VALUE." if len(groups) > 2 else ".")
            )
        try:
            groups[group][key] = json.loads(value)
        except ValueError:
            groups[group][key] = value
    return groups


def text(file: Path) -> str:
    """A text file's content.

    Raises:
        DataError: when it can't be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{file} can't be read ({error}); name a text file.") from error
