"""Commands about offers: recommend, explain, reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from finrec.commands import screen


def recommend(
    run: str,
    customer: Annotated[
        list[str] | None, typer.Option(help="Customer id; may be repeated.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="All customers.")] = False,
    k: Annotated[int, typer.Option("-k", min=1, help="Products a customer.")] = 10,
    out: Annotated[Path | None, typer.Option(help="CSV, XLSX or Parquet file.")] = None,
    as_json: screen.Json = False,
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
        screen.say(True, brief if everybody else {**brief, "recommendations": frame}, "")
    elif out is None:
        screen.table(frame)
    else:
        print(f"{len(frame):,} rows written to {out}.")


def explain(
    run: str,
    customer: Annotated[str, typer.Option(help="Customer id.")],
    product: Annotated[str, typer.Option(help="Product id.")],
    as_json: screen.Json = False,
) -> None:
    """Why a product is offered to a customer."""
    from finrec import pipeline

    found = pipeline.explain(run, customer, product)
    if as_json:
        screen.say(
            True,
            {
                k: screen.plain(v) if isinstance(v, pd.DataFrame) else v
                for k, v in vars(found).items()
            },
            "",
        )
        return
    print(
        f"{found.name} ({found.product}) for {found.customer}: "
        f"rank {found.rank}, score {found.score:.3f}"
    )
    if not found.offered:
        print("Not offered, because the customer has it already; the rank is as if it could be.")
    for sentence in found.sentences:
        print(f"- {sentence}")
    screen.table(found.ledger[["label", "contribution"]], "What speaks for it")
    if len(found.events):
        screen.table(found.events[["time", "name", "kind", "attention", "effect"]], "Events")


def reasons(
    campaign: Annotated[str, typer.Argument(help="Name of a saved campaign.")],
    out: Annotated[Path, typer.Option(help="CSV, JSON or HTML file.")],
    safe: Annotated[
        bool, typer.Option("--safe", help="Only what may be told to the customers.")
    ] = False,
    as_json: screen.Json = False,
) -> None:
    """Reason codes for every offer of a saved campaign."""
    from rich.console import Console
    from rich.progress import Progress

    from finrec.pipeline import reasons as verbs

    verbs.kind_of(out)
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("Asking the model", total=None)
        found = verbs.campaign_reasons(
            campaign, safe, lambda done, of: shown.update(task, completed=done, total=of)
        )
    verbs.write(found, out)
    told = {"campaign": campaign, "run": found.run, "offers": found.offers,
            "left_out": found.gone, "rows": len(found.frame), "out": str(out)}  # fmt: skip
    screen.say(as_json, told, f"{found.sentence} Written to {out}.")


COMMANDS = (recommend, explain, reasons)
