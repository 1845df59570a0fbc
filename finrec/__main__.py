"""The command line: ``python -m finrec``; every command is one verb of finrec.pipeline."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from finrec.schema import FinrecError

app = typer.Typer(
    help="Which financial product fits which customer, and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


def _plain(value: Any) -> Any:
    """Values that JSON lacks."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pd.DataFrame):
        return json.loads(value.to_json(orient="records", date_format="iso"))
    return str(value)


def _say(as_json: bool, found: dict[str, Any], text: str) -> None:
    print(json.dumps(found, default=_plain) if as_json else text)


def _table(frame: pd.DataFrame, title: str = "") -> None:
    table = Table(title=title or None)
    for column in frame.columns:
        table.add_column(str(column), overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row), style=None)
    Console().print(table, markup=False)


@contextmanager
def _bar() -> Iterator[Any]:
    """A progress bar on stderr for training events."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Preparing", total=1.0)

        def tell(event: dict[str, Any]) -> None:
            kind = event["event"]
            if kind == "text":
                progress.update(task, description="Reading texts", completed=event["share"])
            elif kind == "step":
                what = "Learning" if event.get("stage") == "choose" else "Learning again, to test"
                done = (event["epoch"] + event["share"]) / event["epochs"]
                progress.update(
                    task, description=f"{what}, pass {event['epoch'] + 1}", completed=done
                )
            elif kind in ("evaluating", "done"):
                progress.update(task, description="Testing", completed=1.0)

        yield tell


@app.command()
def ingest(
    dataset: Annotated[str, typer.Argument(help="Source: demo, insurance, amazon, …")],
    path: Annotated[Path | None, typer.Argument(help="Its folder or file.")] = None,
    as_json: Json = False,
) -> None:
    """Read a source's files and keep them as an immutable snapshot."""
    from finrec import pipeline

    made = pipeline.ingest(dataset, path)
    found = {"snapshot": made.ref, "rows": dict(made.rows), "title": made.info.title}
    rows = ", ".join(f"{count:,} {name}" for name, count in made.rows.items())
    _say(as_json, found, f"{made.ref}: {made.info.title}; {rows}.")


@app.command()
def snapshots(as_json: Json = False) -> None:
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
        _say(True, {"snapshots": every}, "")
    elif every:
        _table(pd.DataFrame(every))
    else:
        print("No snapshots yet. Make one with `python -m finrec ingest demo`.")


@app.command()
def train(
    snapshot: Annotated[str, typer.Argument(help="name, name@hash or the start of a hash.")],
    preset: Annotated[str, typer.Option(help="quick, standard or best.")] = "standard",
    parts: Annotated[str, typer.Option(help="baseline, +tl, +gnn or +tl+gnn.")] = "+tl+gnn",
    seed: Annotated[int, typer.Option(help="Of weights, batches and dropout.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, for example train.rate=0.002.")
    ] = None,
    background: Annotated[bool, typer.Option(help="Return at once; watch it in the app.")] = False,
    as_json: Json = False,
) -> None:
    """Train the fused model, choose its epoch on validation, test it once, keep it as a run."""
    from finrec import pipeline, presets
    from finrec import snapshots as store

    found = store.find(snapshot)
    model, course = _overrides(set_ or [])
    settings = presets.settings(
        found.info,
        found.ref,
        preset,
        parts,
        seed,
        device,
        model,
        course,
    )
    if background:
        run = pipeline.start(settings)
        _say(as_json, {"run": run, "state": "queued"}, f"Started {run}.")
        return
    with _bar() as tell:
        done = pipeline.train(settings, tell)
    _say(as_json, {"run": done.id, "metrics": done.metrics, **done.provenance}, _summary(done))


def _overrides(given: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """``model.x=1`` and ``train.y=2`` as two dicts of JSON values."""
    groups: dict[str, dict[str, Any]] = {"model": {}, "train": {}}
    for entry in given:
        name, equals, value = entry.partition("=")
        group, dot, key = name.partition(".")
        if not (equals and dot and group in groups):
            raise typer.BadParameter(f"{entry!r}: write model.NAME=VALUE or train.NAME=VALUE.")
        try:
            groups[group][key] = json.loads(value)
        except ValueError:
            groups[group][key] = value
    return groups["model"], groups["train"]


def _summary(run: Any) -> str:
    lines = [f"{run.id}: {run.provenance['parameters']:,} parameters"]
    for name, block in run.metrics.items():
        for view in ("masked", "unmasked"):
            values = block.get(view) if isinstance(block, dict) else None
            if isinstance(values, dict):
                shown = "  ".join(f"{k} {v:.4f}" for k, v in values.items() if isinstance(v, float))
                lines.append(f"{name} {view}: {shown}")
    return "\n".join(lines)


@app.command()
def work(run: str) -> None:
    """Do a job that was created before, from its latest checkpoint (used by the app)."""
    from finrec import pipeline
    from finrec.training.fit import Cancelled

    try:
        pipeline.work(run)
    except Cancelled:
        print("Cancelled.")


@app.command()
def resume(run: str, as_json: Json = False) -> None:
    """Go on with a training that was cancelled or killed, in this process."""
    from finrec import pipeline

    with _bar() as tell:
        done = pipeline.work(run, tell)
    _say(as_json, {"run": done.id, "metrics": done.metrics}, _summary(done))


@app.command()
def runs(as_json: Json = False) -> None:
    """List trained runs and unfinished jobs, newest first."""
    from finrec import pipeline
    from finrec.training import jobs

    every = [
        {
            "run": r.id,
            "snapshot": r.settings.snapshot,
            "parts": r.settings.parts,
            "valid": r.provenance.get("valid"),
            "created": r.provenance.get("created"),
            "state": "done",
        }
        for r in pipeline.runs()
    ]
    every += [
        {
            "run": j.run,
            "snapshot": j.settings.snapshot,
            "parts": j.settings.parts,
            "valid": None,
            "created": j.created,
            "state": j.state,
        }
        for j in jobs.jobs()
    ]
    if as_json:
        _say(True, {"runs": every}, "")
    elif every:
        _table(pd.DataFrame(every))
    else:
        print("No runs yet. Make one with `python -m finrec train SNAPSHOT`.")


@app.command()
def evaluate(run: str, as_json: Json = False) -> None:
    """Show a run's metrics by protocol, as measured once on what was held out."""
    from finrec import pipeline
    from finrec.training import runs as store

    found = store.find(run)
    metrics = pipeline.evaluate(found.id)
    _say(as_json, {"run": found.id, **metrics}, _summary(found))


@app.command()
def recommend(
    run: str,
    customer: Annotated[
        list[str] | None, typer.Option(help="Customer id; may be repeated.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="All customers.")] = False,
    k: Annotated[int, typer.Option("-k", min=1, help="Products a customer.")] = 10,
    out: Annotated[Path | None, typer.Option(help="CSV, XLSX or Parquet file.")] = None,
    as_json: Json = False,
) -> None:
    """Products that fit a customer, or everybody."""
    from finrec import pipeline
    from finrec.serving import export

    if everybody == bool(customer):
        raise typer.BadParameter("Give --customer ID (once or more) or --all.")
    if everybody and out is None:
        raise typer.BadParameter("--all needs --out FILE.")
    if out is not None:
        export.check(out)
    frame = pipeline.recommend(run, None if everybody else customer, k)
    if out is not None:
        export.write(frame, out)
    if as_json:
        brief = {"run": run, "rows": len(frame), "out": str(out) if out else None}
        _say(True, brief if everybody else {**brief, "recommendations": frame}, "")
    elif out is None:
        _table(frame)
    else:
        print(f"{len(frame):,} rows written to {out}.")


@app.command()
def explain(
    run: str,
    customer: Annotated[str, typer.Option(help="Customer id.")],
    product: Annotated[str, typer.Option(help="Product id.")],
    as_json: Json = False,
) -> None:
    """Why a product is offered to a customer."""
    from finrec import pipeline

    found = pipeline.explain(run, customer, product)
    if as_json:
        _say(
            True,
            {k: _plain(v) if isinstance(v, pd.DataFrame) else v for k, v in vars(found).items()},
            "",
        )
        return
    print(
        f"{found.name} ({found.product}) for {found.customer}: "
        f"rank {found.rank}, score {found.score:.3f}"
    )
    for sentence in found.sentences:
        print(f"- {sentence}")
    _table(found.ledger[["label", "contribution"]], "What speaks for it")
    if len(found.events):
        _table(found.events[["time", "name", "kind", "attention", "effect"]], "Events")


@app.command()
def demo() -> None:
    """Make the demo bank and a first run of it, if ``models/`` has none."""
    from finrec import pipeline

    with _bar() as tell:
        run = pipeline.demo(tell)
    print(f"Demo model: {run.id}")


def main() -> None:
    """Run the command line; a user's error is one sentence on stderr and exit code 2."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        app()
    except FinrecError as error:
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
