"""Commands that compare methods: compare, cell, tune, report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer

from finrec.commands import screen
from finrec.schema import DataError

if TYPE_CHECKING:
    from finrec.pipeline.compare import Comparison


def compare(
    context: typer.Context,
    snapshot: Annotated[
        str,
        typer.Argument(
            help="A snapshot, or several with commas between; or the name of a comparison to go "
            "on with."
        ),
    ],
    methods: Annotated[
        str, typer.Option(help="all, ablation, baselines, or names with commas between.")
    ] = "ablation",
    protocols: Annotated[
        str,
        typer.Option(help="R1, R2 or both with a comma; empty: the data's own. P is always in."),
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Of methods with chance in them.")] = 5,
    preset: Annotated[str, typer.Option(help="Of our network.")] = "standard",
    budget: Annotated[float, typer.Option(min=0, help="Minutes of tuning for each method.")] = 0.0,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="One setting of our network (train.epochs=12) or of a method (ease.penalty=30).",
        ),
    ] = None,
    as_reference: Annotated[
        bool, typer.Option(help="With the preset and settings of the committed figures.")
    ] = False,
    metric: Annotated[str, typer.Option(help="What the printed table shows.")] = "",
    reference: Annotated[
        Path | None, typer.Option(help="Put the rows into this CSV, in place of older ones.")
    ] = None,
    as_json: screen.Json = False,
) -> None:
    """Measure methods on a snapshot, each cell once; killed, give the same command again."""
    from finrec.pipeline import compare as verbs
    from finrec.pipeline import comparing, planning

    def tell(event: dict[str, Any]) -> None:
        if event["event"] == "cell":
            left = event["eta_seconds"]
            eta = "" if left is None else f", about {left / 60:.0f} min left"
            what = f"{event['method']}, seed {event['seed']}{eta}"
            typer.echo(f"{event['done'] + 1} of {event['of']}: {what}", err=True)
        elif event["event"] == "behind":
            typer.echo("Another comparison is at work; this one begins when it ends.", err=True)
        elif event["event"] == "tuning":
            typer.echo(f"Tuning {event['method']} for {event['minutes']:.3g} min", err=True)

    if reference is not None:
        _writable(reference)
    if any(c.name == snapshot for c in verbs.comparisons()):
        made = verbs.find(snapshot)
        _nothing_new(context, snapshot)
        _known(metric, made.cells[0].snapshot)
        begin: list[Callable[[], verbs.Comparison]] = [lambda: made]
    else:
        wanted = [p.strip() for p in protocols.split(",") if p.strip()]
        names = verbs.chosen(methods)
        given = screen.settings(set_ or [], ("model", "train", *verbs.titles()))
        data = list(dict.fromkeys(n.strip() for n in snapshot.split(",") if n.strip()))
        for name in data:  # all of them, before the first takes its hours
            _known(metric, name)
            planning.check(name, names, wanted, preset, budget, given, as_reference)
        how = (names, wanted, seeds, preset, budget, tell, given, as_reference)
        begin = [partial(verbs.plan, name, *how) for name in data]
    found = []
    for one in begin:
        made = one()
        failed = comparing.work(made, tell)
        if comparing.cancel_asked(made.name) and not made.done:
            raise DataError(f"{made.name} was cancelled before a cell was done.")
        if made.done and reference is not None:
            with _writing(reference):
                verbs.refer(made, reference)
        found.append(_told(made, failed, metric, as_json))
        if comparing.cancel_asked(made.name):
            break
    if not any(told["done"] for told in found):
        raise DataError(" ".join(sentence for told in found for sentence in told["failed"]))
    if as_json:
        screen.say(True, found[0] if len(begin) == 1 else {"comparisons": found}, "")


def _told(made: Comparison, failed: list[str], metric: str, as_json: bool) -> dict[str, Any]:
    """What came of a comparison, printed unless it is to be one JSON object."""
    from finrec.pipeline import compare as verbs

    if not made.done:
        return {"comparison": made.name, "done": 0, "of": len(made.cells), "failed": failed}
    shown = verbs.summary(made, metric or verbs.headline(made))
    if not as_json:
        screen.table(_short(shown), f"{made.name}: {metric or verbs.headline(made)}")
        for sentence in failed:
            typer.echo(f"Failed: {sentence}", err=True)
    return {"comparison": made.name, "done": len(made.done), "of": len(made.cells),
            "failed": failed, "summary": shown}  # fmt: skip


def _known(metric: str, snapshot: str) -> None:
    """Refuse a metric that no case has, before anything is measured."""
    from finrec import snapshots as store
    from finrec.evaluation import metrics
    from finrec.pipeline import choices

    if metric:
        choices.metric(metric, metrics.names(store.find(snapshot).info.ks))


def _nothing_new(context: typer.Context, name: str) -> None:
    """Refuse options of a comparison to be beside the name of one that is there already."""
    given = [
        "--set" if option == "set_" else f"--{option.replace('_', '-')}"
        for option in ("methods", "protocols", "seeds", "preset", "budget", "set_", "as_reference")
        if (source := context.get_parameter_source(option)) and source.name != "DEFAULT"
    ]
    if given:
        raise DataError(
            f"{name} is a comparison with methods and settings of its own; leave out "
            f"{', '.join(given)}, or name the snapshot to begin another one."
        )


def _writable(file: Path) -> None:
    """Refuse a file that can't be written before hours are spent on what it is to hold."""
    folder = next(f for f in (file.absolute().parent, *file.absolute().parents) if f.exists())
    if file.is_dir() or not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise DataError(f"{file} can't be written; name a file in a folder that you may write to.")


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    """Say in a sentence that a file can't be written."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{file} can't be written ({error.strerror or error}); name another file."
        ) from error


def _short(shown: pd.DataFrame) -> pd.DataFrame:
    """What fits into a terminal of 80 columns; nothing where there is no number."""
    kept = ["method", "seeds", "mean", "sd", "low", "high", "p"]
    if shown["protocol"].nunique() > 1:
        kept.insert(0, "protocol")
    table = shown[kept].astype(object).where(shown[kept].notna(), "")
    return table.assign(learning=shown["seconds_train"].map("{:.0f} s".format))


def cell(
    told: Annotated[str, typer.Argument(help="A cell as JSON (used by compare).")],
    parent: Annotated[int, typer.Option(help="The process to end with; 0: none.")] = 0,
) -> None:
    """Measure one cell of a comparison."""
    if parent:
        from finrec.commands.parent import end_with

        end_with(parent)  # before what takes long to import
    from finrec.pipeline import cells

    cells.measure(cells.Cell(**json.loads(told)))


def tune(
    snapshot: Annotated[str, typer.Argument(help="name, name@hash or the start of a hash.")],
    method: Annotated[
        str, typer.Argument(help="all, ablation, baselines, or names with commas between.")
    ],
    protocol: Annotated[str, typer.Option(help="R1 or R2; empty: the data's own.")] = "",
    preset: Annotated[str, typer.Option(help="Of our network.")] = "standard",
    trials: Annotated[int, typer.Option(min=0, help="Most trials; 0: no limit.")] = 0,
    minutes: Annotated[
        float, typer.Option(min=0, help="Time of this call for each method; 0: no limit.")
    ] = 10.0,
    as_json: screen.Json = False,
) -> None:
    """Choose methods' settings on validation; compare uses what is found."""
    from finrec.pipeline import compare as verbs
    from finrec.pipeline import tuning

    found = {}
    for name in verbs.chosen(method):
        found[name] = tuning.tune(snapshot, name, protocol, preset, trials, minutes)
        if not as_json:
            typer.echo(f"{name}: {json.dumps(found[name])}")
    if as_json:
        screen.say(True, {"settings": found}, "")


def report(
    comparison: Annotated[
        str,
        typer.Argument(
            help="Its name, latest; a CSV of compare --reference; or reference: the committed "
            "figures."
        ),
    ] = "latest",
    out: Annotated[
        Path, typer.Option(help="FILE.html or FILE.md; reference: a text with marks, as README.md.")
    ] = Path("comparison.html"),
    metric: Annotated[list[str] | None, typer.Option(help="Shown; repeat for more.")] = None,
) -> None:
    """Write a comparison as one HTML or Markdown file with charts, tables and provenance."""
    from finrec.pipeline import compare as verbs
    from finrec.pipeline import report as writing

    if comparison == "reference":
        from finrec.pipeline import reference_tables

        text = screen.text(out)
        with _writing(out):
            out.write_text(reference_tables.into(text), encoding="utf-8")
        typer.echo(f"Wrote the committed figures into {out}.")
        return
    if comparison.endswith(".csv"):
        from finrec.pipeline import published, reference_tables

        tables = reference_tables.whole(published.read(Path(comparison)))
        with _writing(out):
            out.write_text(tables, encoding="utf-8")
        typer.echo(f"Wrote the tables of {comparison} into {out}.")
        return
    made = verbs.find(comparison)
    with _writing(out):
        writing.write(made, out, metric or ())
    typer.echo(f"Wrote {out}.")


COMMANDS = (compare, cell, tune, report)
