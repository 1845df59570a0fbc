"""Ready-made settings: ``quick`` to try, ``standard`` to work with, ``best`` to take time."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from finrec.config import ModelSettings, RunSettings, TrainSettings
from finrec.schema import DataError, DatasetInfo

PRESETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "quick": ({"width": 64, "layers": 1}, {"epochs": 4, "minutes": 3, "rate": 2e-3}),
    "standard": ({}, {"epochs": 10, "minutes": 9}),
    "best": ({}, {"epochs": 20, "minutes": 20}),
}


def settings(
    info: DatasetInfo,
    snapshot: str,
    preset: str = "standard",
    parts: str = "+tl+gnn",
    seed: int = 0,
    device: str = "auto",
    model: dict[str, Any] | None = None,
    train: dict[str, Any] | None = None,
    protocol: str = "",
) -> RunSettings:
    """Settings of a preset for a data set, with single values replaced.

    ``protocol`` is R1 or R2; empty: the data set's own.

    Raises:
        DataError: for an unknown preset or a value out of range.
    """
    if preset not in PRESETS:
        raise DataError(f"Preset {preset!r} is unknown; choose one of {', '.join(PRESETS)}.")
    shape, course = PRESETS[preset]
    try:
        return RunSettings(
            snapshot=snapshot,
            protocol=protocol or info.protocol,
            parts=parts,
            preset=preset,
            device=device,
            model=ModelSettings(**{**shape, **(model or {})}),
            train=TrainSettings(**{**course, "seed": seed, **(train or {})}),
        )
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # what is wrong is how settings go together
            raise DataError(f"{first['msg'].removeprefix('Value error, ')}.") from error
        of = {"ModelSettings": "model.", "TrainSettings": "train."}.get(error.title, "")
        where = of + ".".join(map(str, first["loc"]))
        raise DataError(f"Setting {where}: {first['msg']} (given: {first['input']!r}).") from error
