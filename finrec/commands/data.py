"""Commands about data: ingest, propose, snapshots, drift, delete, erase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from finrec.commands import screen
from finrec.schema import DataError

Files = Annotated[list[Path], typer.Argument(help="Files: CSV, TSV, Parquet, XLSX, zipped or not.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def ingest(
    dataset: Annotated[
        str, typer.Argument(help="Source: demo, insurance, amazon, …, or uploaded.")
    ],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Its folder or file; files of your own.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="What your columns mean, as `propose --out` wrote it.")
    ] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Take the proposed meaning.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of a source (core=10), or of any (market=FOLDER)."),
    ] = None,
    as_json: screen.Json = False,
) -> None:
    """Read a source's files, or your own, and keep them as an immutable snapshot."""
    from finrec import pipeline

    given = list(paths or [])
    if dataset == "uploaded":
        _ingest_own(given, mapping, auto, as_json)
        return
    if len(given) > 1 or mapping or auto:
        raise DataError(
            f"{dataset} takes one folder or file; several files, --mapping and --auto go with "
            "`ingest uploaded`."
        )
    made = pipeline.ingest(dataset, given[0] if given else None, _options(set_ or []))
    found = {"snapshot": made.ref, "rows": dict(made.rows), "title": made.info.title}
    rows = ", ".join(f"{count:,} {name}" for name, count in made.rows.items())
    screen.say(as_json, found, f"{made.ref}: {made.info.title}; {rows}.")


def _options(given: list[str]) -> dict[str, str]:
    for one in given:
        if "=" not in one:
            raise DataError(f"--set {one}: write NAME=VALUE, for example core=10.")
    return dict(one.split("=", 1) for one in given)


def _ingest_own(files: list[Path], mapping: Path | None, auto: bool, as_json: bool) -> None:
    from finrec import intake

    if not files:
        raise DataError("Name the files to read: `ingest uploaded FILE… --auto`.")
    if auto == bool(mapping):
        raise DataError(
            "Say what the columns mean: --auto takes the proposal, --mapping FILE a saved one; "
            "`propose FILE…` shows the proposal."
        )
    chosen = intake.Mapping.from_json(screen.text(mapping)) if mapping else None
    made, receipt = intake.ingest_uploaded(files, chosen)
    found = {
        "snapshot": made.ref,
        "rows": dict(made.rows),
        **receipt.to_json(),
        "mapping": made.lineage["mapping"],
    }
    lines = [
        f"{made.ref}: {receipt.rows_in:,} rows = {receipt.loaded:,} loaded + "
        f"{receipt.rejected:,} rejected.",
        *(f"- {count:,} rows: {reason}" for reason, count in receipt.reasons.items()),
        *receipt.notes,
        *(intake.Mapping.from_json(json.dumps(found["mapping"])).doubts() if auto else ()),
    ]
    screen.say(as_json, found, "\n".join(lines))


def propose(
    files: Files,
    out: Annotated[Path | None, typer.Option(help="Write the mapping here, to edit.")] = None,
    as_json: screen.Json = False,
) -> None:
    """Show what finrec thinks the columns of your files mean."""
    from finrec import intake
    from finrec.training.checkpoint import write_json

    proposal = intake.propose(files)
    if out is not None:
        write_json(out, json.loads(proposal.to_json()))
    said = "\n".join([*proposal.meaning(), *proposal.doubts()])
    screen.say(as_json, {"mapping": json.loads(proposal.to_json())}, said)


def drift(before: str, after: str, as_json: screen.Json = False) -> None:
    """Compare two snapshots: customers new and lost, and how far each column has moved."""
    from finrec import snapshots as store

    found = store.compare(store.find(before), store.find(after))
    if as_json:
        screen.say(True, vars(found), "")
        return
    for name, value in vars(found).items():
        if isinstance(value, pd.DataFrame):
            screen.table(value, name)
        else:
            print(f"{name}: {list(value) if isinstance(value, pd.Series) else value}")


def delete(snapshot: str, yes: Yes = False) -> None:
    """Delete a snapshot for good."""
    from finrec import snapshots as store

    found = store.find(snapshot)
    if not yes and not typer.confirm(f"Delete {found.ref} for good?"):
        return
    store.delete(found)
    print(f"Deleted {found.ref}.")


def erase(customer: str, yes: Yes = False, as_json: screen.Json = False) -> None:
    """Erase a customer from snapshots, records and batches, with a proof; flag their models."""
    from finrec.figures import quality
    from finrec.pipeline import custody

    question = "Erase this customer from every snapshot, record and batch for good?"
    if not yes and not typer.confirm(question):
        return
    found = custody.erase(customer)
    screen.say(as_json, vars(found), "\n".join(quality.erasure(found)))


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


COMMANDS = (ingest, propose, snapshots, drift, delete, erase)
