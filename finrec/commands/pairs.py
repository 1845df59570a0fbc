"""The command that tests every two methods of a comparison against each other."""

from __future__ import annotations

from typing import Annotated

import typer

from finrec.commands import screen


def pairs(
    comparison: Annotated[str, typer.Argument(help="Its name, or latest.")] = "latest",
    metric: Annotated[str, typer.Option(help="One of those measured; empty: the headline.")] = "",
    part: Annotated[
        str, typer.Option("--slice", help="all cases, or those of warm customers.")
    ] = "all",
    as_json: screen.Json = False,
) -> None:
    """Test every two methods: p over customers, and p over customers and seeds (Holm-adjusted)."""
    from finrec.pipeline import compare, differences
    from finrec.schema import DataError

    if part not in ("all", "warm"):
        raise DataError(f"Slice {part!r} is unknown; choose all or warm.")
    made = compare.find(comparison)
    wanted = metric or compare.headline(made)
    for protocol, cells in made.measured().items():
        found = differences.pairs(cells, wanted, part)
        told = {"comparison": made.name, "protocol": protocol, "metric": wanted, "pairs": found}
        if as_json:
            screen.say(True, told, "")
        else:
            screen.table(found, f"{made.name}, {protocol}: {wanted}, {part}")


COMMANDS = (pairs,)
