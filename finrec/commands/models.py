"""Commands about models: train, resume, runs, evaluate, demo."""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
import typer

from finrec.commands import screen
from finrec.schema import DataError


def train(
    snapshot: Annotated[str, typer.Argument(help="name, name@hash or the start of a hash.")],
    preset: Annotated[str, typer.Option(help="quick, standard or best.")] = "standard",
    parts: Annotated[str, typer.Option(help="baseline, +tl, +gnn or +tl+gnn.")] = "+tl+gnn",
    seed: Annotated[int, typer.Option(help="Of weights, batches and dropout.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    protocol: Annotated[str, typer.Option(help="R1 or R2; empty: the data's own.")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, for example train.rate=0.002.")
    ] = None,
    background: Annotated[bool, typer.Option(help="Return at once; watch it in the app.")] = False,
    as_json: screen.Json = False,
) -> None:
    """Train the fused model, choose its epoch on validation, test it once, keep it as a run."""
    from finrec import pipeline, presets
    from finrec import snapshots as store

    found = store.find(snapshot)
    model, course = screen.overrides(set_ or [])
    settings = presets.settings(
        found.info,
        found.ref,
        preset,
        parts,
        seed,
        device,
        model,
        course,
        protocol,
    )
    if without := presets.without_effect(settings):
        typer.echo(without, err=True)
    if background:
        run = pipeline.start(settings)
        screen.say(as_json, {"run": run, "state": "queued"}, f"Started {run}.")
        return
    with screen.bar() as tell:
        done = pipeline.train(settings, tell)
    screen.say(
        as_json, {"run": done.id, "metrics": done.metrics, **done.provenance}, _summary(done)
    )


def _summary(run: Any) -> str:
    lines = [f"{run.id}: {run.provenance['parameters']:,} parameters"]
    for name, block in run.metrics.items():
        for view in ("masked", "unmasked"):
            values = block.get(view) if isinstance(block, dict) else None
            if isinstance(values, dict):
                shown = "  ".join(f"{k} {v:.4f}" for k, v in values.items() if isinstance(v, float))
                lines.append(f"{name} {view}: {shown}")
    return "\n".join(lines)


def work(run: str) -> None:
    """Do a job that was created before, from its latest checkpoint (used by the app)."""
    from finrec import pipeline
    from finrec.training.fit import Cancelled

    try:
        pipeline.work(run)
    except Cancelled:
        print("Cancelled.")


def resume(run: str, as_json: screen.Json = False) -> None:
    """Go on with a training that was cancelled or killed, in this process."""
    from finrec import pipeline

    with screen.bar() as tell:
        done = pipeline.work(run, tell)
    screen.say(as_json, {"run": done.id, "metrics": done.metrics}, _summary(done))


def runs(as_json: screen.Json = False) -> None:
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
        screen.say(True, {"runs": every}, "")
    elif every:
        screen.table(pd.DataFrame(every))
    else:
        print("No runs yet. Make one with `python -m finrec train SNAPSHOT`.")


def evaluate(run: str, as_json: screen.Json = False) -> None:
    """Show a run's metrics by protocol, as measured once on what was held out."""
    from finrec import pipeline
    from finrec.training import runs as store

    found = store.find(run)
    metrics = pipeline.evaluate(found.id)
    screen.say(as_json, {"run": found.id, **metrics}, _summary(found))


def demo() -> None:
    """Make the demo bank and a first run of it, if ``models/`` has none."""
    from finrec import pipeline

    with screen.bar() as tell:
        run = pipeline.demo(tell)
    print(f"Demo model: {run.id}")


def cold(
    snapshot: Annotated[str, typer.Argument(help="name, name@hash or the start of a hash.")],
    share: Annotated[float, typer.Option(help="Share of products nobody has bought yet.")] = 0.05,
    k: Annotated[int, typer.Option("-k", min=1, help="List length.")] = 10,
    preset: Annotated[str, typer.Option(help="quick, standard or best.")] = "quick",
    parts: Annotated[str, typer.Option(help="baseline, +tl, +gnn or +tl+gnn.")] = "+tl",
    seed: Annotated[int, typer.Option(help="Of products, weights and batches.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, for example train.rate=0.002.")
    ] = None,
    as_json: screen.Json = False,
) -> None:
    """Measure how well products without any training event are found by their text."""
    from finrec import presets
    from finrec import snapshots as store
    from finrec.pipeline import cold as measured

    if not 0 < share < 0.5:
        raise DataError(f"--share {share}: give a share above 0 and below 0.5.")
    found = store.find(snapshot)
    model, course = screen.overrides(set_ or [])
    settings = presets.settings(
        found.info, found.ref, preset, parts, seed, model=model, train=course
    )
    with screen.bar() as tell:
        done = measured.products(settings, share, seed, k, tell)
    said = (
        f"{done.held_out} products taken out, {done.cases} test cases: recall@{k} "
        f"{done.recall:.4f}, popularity {done.popularity:.4f}, random {done.random:.4f}."
    )
    screen.say(as_json, vars(done), said)


COMMANDS = (train, work, resume, runs, evaluate, demo, cold)
