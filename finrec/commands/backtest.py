"""The command that tests month by month."""

from __future__ import annotations

from typing import Annotated

import typer

from finrec.commands import screen


def backtest(
    snapshot: Annotated[str, typer.Argument(help="name, name@hash or the start of a hash.")],
    methods: Annotated[
        str, typer.Option(help="Methods or parts of the ablation, with commas between.")
    ] = "popularity,recent_popularity,itemcf",
    months: Annotated[int, typer.Option(min=1, max=60, help="The last so many.")] = 6,
    metric: Annotated[str, typer.Option(help="What is printed; empty: the headline.")] = "",
    preset: Annotated[str, typer.Option(help="Of our own network.")] = "quick",
    seed: Annotated[int, typer.Option(min=0, help="Of methods with chance in them.")] = 0,
    as_json: screen.Json = False,
) -> None:
    """Test methods month by month, each month with what was known before it."""
    from finrec import snapshots as store
    from finrec.evaluation import metrics
    from finrec.pipeline import choices, rolling
    from finrec.schema import DataError

    info = store.find(snapshot).info
    names = [m.strip() for m in methods.split(",") if m.strip()]
    if not names:
        raise DataError("Name at least one method, for example --methods popularity.")
    wanted = choices.metric(metric or f"ndcg@{info.ks[0]}", metrics.names(info.ks))
    found = rolling.backtest(
        snapshot, names, months, seed, preset,
        lambda method, month: typer.echo(f"{method}: {month}", err=True),
    )  # fmt: skip
    if as_json:
        screen.say(True, {"snapshot": snapshot, "rows": found}, "")
        return
    shown = found[found["metric"] == wanted].drop(columns="metric")
    shown = shown.assign(month=shown["month"].dt.strftime("%Y-%m"))
    screen.table(shown, f"{wanted} by month")


COMMANDS = (backtest,)
