"""Commands about data: ingest, snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from finrec.commands import screen


def ingest(
    dataset: Annotated[str, typer.Argument(help="Source: demo, insurance, amazon, …")],
    path: Annotated[Path | None, typer.Argument(help="Its folder or file.")] = None,
    as_json: screen.Json = False,
) -> None:
    """Read a source's files and keep them as an immutable snapshot."""
    from finrec import pipeline

    made = pipeline.ingest(dataset, path)
    found = {"snapshot": made.ref, "rows": dict(made.rows), "title": made.info.title}
    rows = ", ".join(f"{count:,} {name}" for name, count in made.rows.items())
    screen.say(as_json, found, f"{made.ref}: {made.info.title}; {rows}.")


def snapshots(as_json: screen.Json = False) -> None:
    """List snapshots, newest first."""
    from finrec import pipeline

    every = [
        {
            "snapshot": s.ref,
            "title": s.info.title,
            "customers": s.rows["customers"],
            "products": s.rows["products"],
            "events": s.rows["events"],
            "created": s.created,
        }
        for s in pipeline.snapshots()
    ]
    if as_json:
        screen.say(True, {"snapshots": every}, "")
    elif every:
        screen.table(pd.DataFrame(every))
    else:
        print("No snapshots yet. Make one with `python -m finrec ingest demo`.")


COMMANDS = (ingest, snapshots)
