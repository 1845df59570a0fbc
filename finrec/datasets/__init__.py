"""Sources of data: one file each, found by name; each has ``load(path) -> Dataset``.

A module here with a function ``load`` is a source; its first docstring line describes it. One whose
files may be too large for memory also has ``stage(path, folder) -> Staged | None``.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from finrec.schema import DataError, Dataset, Staged


def sources() -> dict[str, str]:
    """Name and one-line description of every source."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "load"):
            found[module.name] = (loaded.__doc__ or "").strip().splitlines()[0]
    return found


def load(source: str, path: Path | None) -> Dataset:
    """Read a source's files into memory.

    Raises:
        DataError: for an unknown source, a missing path, or files that can't be used.
    """
    loaded: Dataset = _module(source, path).load(path)
    return loaded


def stage(source: str, path: Path | None, folder: Path) -> Staged | Dataset:
    """Read a source's files, those of a large source into ``folder`` (empty) and not into memory.

    Raises:
        DataError: for an unknown source, a missing path, or files that can't be used.
    """
    module = _module(source, path)
    staged: Staged | None = module.stage(path, folder) if hasattr(module, "stage") else None
    return load(source, path) if staged is None else staged


def _module(source: str, path: Path | None) -> ModuleType:
    known = sources()
    if source not in known:
        raise DataError(f"Data set {source!r} is unknown; choose one of {', '.join(known)}.")
    if path is not None and not path.exists():
        raise DataError(f"{path} does not exist; check the path.")
    return importlib.import_module(f"{__name__}.{source}")
