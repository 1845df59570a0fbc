"""A form for every setting of a training: what it is, what it may be, and what is wrong with it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from finrec import config, presets
from finrec.config import Frozen, ModelSettings, RunSettings, TrainSettings
from finrec.presets import without_effect
from finrec.schema import DataError, DatasetInfo
from finrec.training import runs as run_store

Kind = Literal["yes", "choice", "whole", "number", "text"]
MODELS: dict[str, type[Frozen]] = {"model": ModelSettings, "train": TrainSettings}
GROUPS: dict[str, tuple[str, ...]] = {
    "Shape of the network": (
        "model.width", "model.layers", "model.decoder_layers", "model.heads", "model.inner",
        "model.length", "model.dropout", "model.pre_norm", "model.matching", "model.sharpness",
    ),
    "Time and repeats": (
        "model.gaps", "model.repeats", "model.trend", "model.calendar", "model.regime",
        "model.timing", "train.timing", "train.baskets", "train.half_life_days",
    ),
    "Texts": ("model.text_encoder", "model.text_layers", "model.id_dropout"),
    "Graph": (
        "model.graph_kind", "model.graph_layers", "model.graph_attributes", "model.graph_links",
        "model.graph_neighbours", "train.hide_own_edges",
    ),
    "Learning": (
        "train.epochs", "train.minutes", "train.patience", "train.batch", "train.rate",
        "train.warmup", "train.weight_decay", "train.smoothing", "train.average",
    ),
    "Rare products": ("train.balance", "train.balance_power", "train.focal", "train.negatives"),
    "Beginning": ("train.masked_passes", "train.start_from"),
}  # fmt: skip
ELSEWHERE = ("train.seed",)  # asked for beside the preset


@dataclass(frozen=True)
class Setting:
    """One setting.

    Args:
        name: ``model.width`` and the like.
        title: for people.
        help: what it is.
        kind: of widget.
        default: under the preset; None: not set.
        optional: whether it may be left empty.
        choices: of a ``choice``.
    """

    name: str
    title: str
    help: str
    kind: Kind
    default: Any
    optional: bool
    choices: tuple[str, ...]


def form(preset: str) -> dict[str, list[Setting]]:
    """Every setting by group, with the preset's values; what has no group comes under Others."""
    given = dict(zip(MODELS, presets.PRESETS[preset], strict=True))
    every: dict[str, Setting] = {}
    for part, model in MODELS.items():
        for inner, field in model.model_fields.items():
            name = f"{part}.{inner}"
            kind, optional, choices = _kind(field.annotation)
            title = inner.replace("_", " ").capitalize()
            default = given[part].get(inner, field.default)
            if kind == "number" and default is not None:
                default = float(default)  # a preset may give a whole number
            about = str(field.description or "")
            about = about[:1].upper() + about[1:] + "."
            every[name] = Setting(name, title, about, kind, default, optional, choices)
    grouped = {
        title: [every.pop(name) for name in names if name in every]
        for title, names in GROUPS.items()
    }
    for name in ELSEWHERE:
        every.pop(name)
    return grouped | ({"Others": list(every.values())} if every else {})


def _kind(annotation: Any) -> tuple[Kind, bool, tuple[str, ...]]:
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (a for a in get_args(annotation) if a is not type(None))
        optional = True
    if get_origin(annotation) is Literal:
        return "choice", optional, tuple(str(a) for a in get_args(annotation))
    kinds: dict[Any, Kind] = {bool: "yes", int: "whole", float: "number", str: "text"}
    return kinds[annotation], optional, ()


def check(
    info: DatasetInfo,
    snapshot: str,
    preset: str,
    parts: str,
    seed: int,
    device: str,
    given: Mapping[str, Any],
) -> tuple[RunSettings | None, dict[str, str]]:
    """Settings from a form, or what is wrong.

    Args:
        info: of the snapshot.
        snapshot: ref.
        preset: whose values hold where none is given.
        parts: of the ablation.
        seed: of everything random.
        device: auto, cpu or cuda.
        given: values by name; one equal to the preset's changes nothing.

    Returns:
        The settings, None when something is wrong; and a sentence for each wrong setting by name.
    """
    defaults = {s.name: s.default for group in form(preset).values() for s in group}
    own = {n: v for n, v in given.items() if n not in defaults or v != defaults[n]}
    split: dict[str, dict[str, Any]] = {"model": {}, "train": {}}
    for name, value in own.items():
        part, _, inner = name.partition(".")
        split[part][inner] = value
    errors: dict[str, str] = {}
    for (part, model), base in zip(MODELS.items(), presets.PRESETS[preset], strict=True):
        try:
            model(**{**base, **split[part]})
        except ValidationError as error:
            for one in error.errors():
                if not one["loc"]:  # of two settings together: said at one of them below
                    continue
                name = ".".join([part, *map(str, one["loc"][:1])])
                errors.setdefault(name, _words(dict(one)))
    errors |= {n: w for n, w in _beyond(defaults | own).items() if n not in errors}
    if errors:
        return None, errors
    return presets.settings(
        info, snapshot, preset, parts, seed, device, split["model"], split["train"]
    ), {}


def _words(error: Mapping[str, Any]) -> str:
    """What pydantic found, as a sentence."""
    limits: Mapping[str, Any] = error.get("ctx", {})
    known = {
        "greater_than_equal": "It must be at least {ge}.",
        "greater_than": "It must be more than {gt}.",
        "less_than_equal": "It must be at most {le}.",
        "less_than": "It must be less than {lt}.",
        "int_from_float": "It must be a whole number.",
        "int_type": "It must be a whole number.",
        "float_type": "It must be a number.",
    }
    pattern = known.get(str(error["type"]))
    return pattern.format(**limits) if pattern else f"{error['msg']}."


def _beyond(values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with settings that depend on others, or on what is on disk."""
    errors = {}
    width, heads = values["model.width"], values["model.heads"]
    if isinstance(width, int) and isinstance(heads, int) and heads > 0 and width % heads:
        errors["model.heads"] = f"It must divide the width, {width}, without a rest."
    if values["train.focal"] and values["train.smoothing"]:
        errors["train.focal"] = "It goes without label smoothing; set one of them to 0."
    encoder = values["model.text_encoder"]
    if encoder:
        try:
            there = config.text_encoder_dir(encoder).is_dir()
            words = f"There is no encoder {encoder!r} in models/texts; leave it empty for MiniLM."
        except DataError as error:
            there, words = False, str(error)
        if not there:
            errors["model.text_encoder"] = words
    run = values["train.start_from"]
    if run and run not in {r.id for r in run_store.runs()}:
        errors["train.start_from"] = f"There is no run {run!r}; leave it empty to begin anew."
    return errors


__all__ = ["Setting", "check", "form", "without_effect"]
