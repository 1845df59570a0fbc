"""Whether a comparison can be made as asked for, said before anything is tuned or trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from finrec import baselines, presets
from finrec.config import PARTS
from finrec.schema import DataError
from finrec.snapshots import Snapshot

OURS = ("model", "train")


def check(
    snapshot: Snapshot,
    methods: Sequence[str],
    preset: str,
    given: Mapping[str, Mapping[str, Any]],
) -> None:
    """Refuse what no cell could be measured with.

    Args:
        snapshot: that is compared on.
        methods: names that are known.
        preset: of our own network.
        given: settings by group: ``model`` and ``train`` of our network, or a method's name.

    Raises:
        DataError: for an unknown preset, a setting of what is not compared, one that is unknown,
            or a value that can't be.
    """
    for name in given:
        if not (any(m in PARTS for m in methods) if name in OURS else name in methods):
            whose = "our network" if name in OURS else name
            raise DataError(
                f"{name}.{next(iter(given[name]))} is a setting of {whose}, which is not compared; "
                f"compared are {', '.join(methods)}."
            )
    if "seed" in given.get("train", {}):
        raise DataError("A comparison takes its seeds itself; leave out train.seed.")
    # Whatever is compared, for a preset that is misspelt is a mistake beside other methods, too.
    model, train = (dict(given.get(group, {})) for group in OURS)
    presets.settings(snapshot.info, snapshot.ref, preset, model=model, train=train)
    for name in set(methods) - set(PARTS):
        _arguments(name, given.get(name, {}))


def metric(wanted: str, known: Collection[str]) -> str:
    """The metric, when it is measured.

    Raises:
        DataError: when it is not.
    """
    if wanted not in known:
        raise DataError(f"Metric {wanted!r} is unknown; choose one of {', '.join(known)}.")
    return wanted


def _arguments(name: str, own: Mapping[str, Any]) -> None:
    known = baselines.method(name).space
    for argument, value in own.items():
        if argument not in known:
            raise DataError(
                f"Method {name} has no setting {argument!r}; it has "
                f"{', '.join(known) or 'none that can be changed'}."
            )
        if not _fits(value, known[argument]):
            tried = ", ".join("null" if v is None else str(v) for v in known[argument])
            raise DataError(
                f"{name}.{argument} can't be {value!r}; give a value like those that tuning "
                f"tries: {tried}."
            )


def _fits(value: Any, tried: Sequence[Any]) -> bool:
    """Whether a value is of the kind of those that are tried, and in no way below them all."""
    if value is None:
        return None in tried
    numbers = [v for v in tried if v is not None]
    whole = all(isinstance(v, int) for v in numbers)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return math.isfinite(value) and value >= 0 and (value >= 1 or not whole)
