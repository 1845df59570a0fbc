"""The command that measures a figure again, and the settings that the committed ones name."""

from __future__ import annotations

import json
import shlex
from typing import Any

from finrec import snapshots as store
from finrec.config import PARTS
from finrec.pipeline import published
from finrec.pipeline.cells import Cell
from finrec.schema import DataError


def command(cell: Cell) -> str:
    """What measures a cell again."""
    data = cell.snapshot.partition("@")[0]
    groups = cell.settings if cell.fused else {cell.method: cell.settings}
    sets = "".join(
        f" --set {group}.{name}={json.dumps(value)}"
        for group, values in groups.items()
        for name, value in values.items()
    )
    own = cell.protocol == store.find(cell.snapshot).info.protocol
    if cell.fused:
        how = f"--preset {cell.preset} --parts {cell.method} --seed {cell.seed}"
        return f"finrec train {data} {how}{'' if own else f' --protocol {cell.protocol}'}{sets}"
    protocol = "" if own else f" --protocols {cell.protocol}"
    return f"finrec compare {data} --methods {cell.method} --seeds {cell.seed + 1}{protocol}{sets}"


def settings(dataset: str, protocol: str, method: str) -> tuple[str, dict[str, Any]]:
    """Preset (empty for other methods than ours) and settings of a committed row's command.

    Args:
        dataset: name.
        protocol: R1 or R2.
        method: name.

    Raises:
        DataError: when nothing is committed of it.
    """
    rows = published.reference()
    if len(rows):
        mine = (rows["dataset"] == dataset) & (rows["split"] == protocol)
        rows = rows[mine & (rows["method"] == method)]
    if rows.empty:
        raise DataError(
            f"There are no committed figures of {method} on {dataset} under {protocol}; leave "
            "out --as-reference, or that method."
        )
    return read(str(rows.sort_values("seed")["command"].iloc[0]), method)


def read(command: str, method: str) -> tuple[str, dict[str, Any]]:
    """Preset and settings that a command of :func:`command` gives."""
    words = shlex.split(command)
    pairs = list(zip(words[:-1], words[1:], strict=True))
    groups: dict[str, dict[str, Any]] = {}
    for option, told in pairs:
        if option == "--set":
            name, _, value = told.partition("=")
            group, _, key = name.partition(".")
            groups.setdefault(group, {})[key] = json.loads(value)
    if method in PARTS:
        return next(told for option, told in pairs if option == "--preset"), groups
    return "", groups.get(method, {})
