"""The command line: ``python -m finrec``."""

from __future__ import annotations

import logging
import os
import sys

import typer

from finrec.commands import backtest, compare, data, models, offers, outreach, pairs, texts
from finrec.schema import FinrecError

app = typer.Typer(
    help="Which financial product fits which customer, and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (backtest, compare, pairs, data, models, offers, outreach, texts):
    for command in module.COMMANDS:
        app.command()(command)


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
