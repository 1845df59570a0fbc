"""Sources of data: one file each, found by name; each has ``load(path) -> Dataset``.

A module here with a function ``load`` is a source; its first docstring line describes it.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from finrec.schema import DataError, Dataset


def sources() -> dict[str, str]:
    """Name and one-line description of every source."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "load"):
            found[module.name] = (loaded.__doc__ or "").strip().splitlines()[0]
    return found


def load(source: str, path: Path | None) -> Dataset:
    """Read a source's files.

    Raises:
        DataError: for an unknown source, a missing path, or files that can't be used.
    """
    known = sources()
    if source not in known:
        raise DataError(f"Data set {source!r} is unknown; choose one of {', '.join(known)}.")
    if path is not None and not path.exists():
        raise DataError(f"{path} does not exist; check the path.")
    loaded: Dataset = importlib.import_module(f"{__name__}.{source}").load(path)
    return loaded
