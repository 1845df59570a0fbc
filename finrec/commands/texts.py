"""Commands about text encoders: pretraining, adaptation, fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError

from finrec import config
from finrec.commands import screen
from finrec.schema import DataError

STAGES = ("general", "adapt", "finetune")
UNUSED = {  # options that a stage has no use for
    "general": ("start", "label", "test", "also"),
    "adapt": ("label", "test"),
    "finetune": ("also",),
}


def pretrain(
    stage: Annotated[str, typer.Argument(help="general, adapt or finetune.")],
    text: Annotated[
        list[Path], typer.Argument(help="Files or folders of text; for finetune one table.")
    ],
    name: Annotated[str, typer.Option(help="The encoder becomes models/texts/NAME.")],
    start: Annotated[
        Path | None,
        typer.Option(help="Encoder to begin with: a folder, or a name in models/texts."),
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Text column of a table.")] = None,
    label: Annotated[str | None, typer.Option(help="Class column, for finetune.")] = None,
    test: Annotated[Path | None, typer.Option(help="Labelled table measured once.")] = None,
    also: Annotated[
        list[Path] | None, typer.Option(help="More text to learn from, for adapt.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, for example epochs=6.")
    ] = None,
    as_json: screen.Json = False,
) -> None:
    """Pretrain a text encoder from scratch, adapt one to financial text, or teach it classes.

    Killed, it goes on where it was when the same command is given again. The recommender reads
    texts with it when trained with ``--set model.text_encoder=NAME``.
    """
    from finrec.training.finetune import FinetuneSettings
    from finrec.training.pretrain import GENERAL
    from finrec.training.pretrain import pretrain as run
    from finrec.training.word_prediction import PretrainSettings

    if stage not in STAGES:
        raise DataError(f"Stage {stage!r} is unknown; choose one of {', '.join(STAGES)}.")
    given = {"start": start, "label": label, "test": test, "also": also}
    idle = next((option for option in UNUSED[stage] if given[option]), None)
    if idle is not None:
        raise DataError(f"{stage} has no use for --{idle}; leave it out or choose another stage.")
    missing = next((t for t in [*text, *(also or []), *([test] if test else [])] if not t.exists()),
                   None)  # fmt: skip
    if missing is not None:
        raise DataError(f"{missing} does not exist; give a file or folder of text.")
    more: dict[str, Any] = {}
    settings: Any
    if stage == "finetune":
        if not column or not label or len(text) != 1:
            raise DataError("finetune takes one table, --column for its text and --label.")
        settings = _settings(FinetuneSettings(), set_ or [])
        more = {"columns": column, "label": label, "test": test}
    elif stage == "adapt":
        settings = _settings(PretrainSettings(), set_ or [])
        more = {"also": also or [], "columns": column}
    else:
        settings = _settings(GENERAL, set_ or [])
        more = {"columns": column}
    out = config.text_encoder_dir(name)
    began = None if start is None else start if start.exists() else _known(str(start))

    def tell(line: dict[str, Any]) -> None:
        if line.get("event") != "step":
            words = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}"
                              for k, v in line.items() if k != "time")  # fmt: skip
            typer.echo(words, err=True)

    found = run(stage, out, text, began, settings, tell, **more)  # type: ignore[arg-type]
    metrics = found["metrics"]
    said = "\n".join(f"{k}: {v}" for k, v in metrics.items() if k != "curve")
    screen.say(as_json, {"encoder": name, **found}, f"{name}\n{said}")


def _known(name: str) -> Path:
    folder = config.text_encoder_dir(name)
    if not folder.is_dir():
        raise DataError(f"{name!r} is neither a folder nor an encoder in models/texts.")
    return folder


def _settings(defaults: BaseModel, given: list[str]) -> BaseModel:
    values: dict[str, Any] = defaults.model_dump()
    for one in given:
        key, _, value = one.partition("=")
        if key not in values or not value:
            raise DataError(
                f"--set {one}: give one of {', '.join(values)} as NAME=VALUE, for example epochs=6."
            )
        values[key] = value
    try:
        return type(defaults).model_validate(values)
    except ValidationError as error:
        raise config.refusal(error) from error


COMMANDS = (pretrain,)
