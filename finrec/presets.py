"""Ready-made settings: ``quick`` to try, ``standard`` to work with, ``best`` to take time."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from finrec.config import PARTS, ModelSettings, RunSettings, TrainSettings, refusal
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
        of = {"ModelSettings": "model.", "TrainSettings": "train."}.get(error.title, "")
        raise refusal(error, of) from error


def idle(made: RunSettings) -> dict[str, str]:
    """Settings that differ from the preset's and change nothing, each with why, by name."""
    with_text, with_graph = PARTS[made.parts]
    model, train = made.model, made.train
    undated = ("gaps", "repeats", "trend", "calendar", "regime", "timing")
    graph = ("kind", "layers", "attributes", "links", "neighbours")
    reasons = {
        "train.balance is none": ["train.balance_power"] if train.balance == "none" else [],
        "no cosine is taken": ["model.sharpness"] if model.matching in ("dot", "mlp") else [],
        "model.timing is off": [] if model.timing else ["train.timing"],
        "only GAT draws neighbours": (
            [] if model.graph_kind in ("gat", "gatv2") else ["model.graph_neighbours"]
        ),
        "R1 does not say when": (
            [*(f"model.{n}" for n in undated), "train.timing", "train.baskets"]
            if made.protocol == "R1"
            else []
        ),
        f"{made.parts} reads no texts": (
            [] if with_text else ["model.text_encoder", "model.text_layers", "model.id_dropout"]
        ),
        f"{made.parts} has no graph": (
            [] if with_graph else [*(f"model.graph_{n}" for n in graph), "train.hide_own_edges"]
        ),
    }
    shape, course = PRESETS[made.preset]
    usual = {"model": ModelSettings(**shape), "train": TrainSettings(**course)}
    found = {}
    for why, names in reasons.items():
        for name in names:
            part, _, inner = name.partition(".")
            if getattr(getattr(made, part), inner) != getattr(usual[part], inner):
                found[name] = why
    return found


def without_effect(made: RunSettings) -> str:
    """A sentence on settings that change nothing; empty when there are none."""
    found = idle(made)
    if not found:
        return ""
    return f"Without effect here: {'; '.join(f'{name} ({why})' for name, why in found.items())}."
