"""Sources of data: one file each, found by name; each has ``load(path) -> Dataset``.

A module here with a function ``load`` is a source; its first docstring line describes it. One whose
files may be too large for memory also has ``stage(path, folder) -> Staged | None``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from finrec.schema import DataError, Dataset, Staged

_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def sources() -> dict[str, str]:
    """Name and one-line description of every source."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "load"):
            found[module.name] = (loaded.__doc__ or "").strip().splitlines()[0]
    return found


def load(source: str, path: Path | None, options: Mapping[str, str] | None = None) -> Dataset:
    """Read a source's files into memory.

    Args:
        source: its name.
        path: folder or file.
        options: of that source's ``load``, as text, for example ``core``; and for any source
            ``market``: a folder of price and macro series (see :mod:`finrec.datasets.market`)
            that is joined to it, each value as it was known the day before.

    Raises:
        DataError: for an unknown source, a missing path, or files that can't be used.
    """
    module = _module(source, path)
    told = dict(options or {})
    series = told.pop("market", None)
    loaded: Dataset = module.load(path, **_chosen(source, module, told))
    if series is None:
        return loaded
    market = _module("market", Path(series))
    joined: Dataset = market.join(loaded, market.load(Path(series)))
    return joined


def stage(
    source: str, path: Path | None, folder: Path, options: Mapping[str, str] | None = None
) -> Staged | Dataset:
    """Read a source's files, those of a large source into ``folder`` (empty) and not into memory.

    Args:
        source: its name.
        path: folder or file.
        folder: where large tables go.
        options: as in :func:`load`.

    Raises:
        DataError: for an unknown source, a missing path, or files that can't be used.
    """
    module = _module(source, path)
    staged: Staged | None = None
    if hasattr(module, "stage") and "market" not in (options or {}):  # joined in memory
        staged = module.stage(path, folder)
    return load(source, path, options) if staged is None else staged


def _chosen(source: str, module: ModuleType, options: Mapping[str, str]) -> dict[str, Any]:
    """Options as the types that the source's ``load`` gives them by its defaults."""
    known = {
        name: type(p.default)
        for name, p in inspect.signature(module.load).parameters.items()
        if isinstance(p.default, int | bool)
    }
    found: dict[str, Any] = {}
    for name, text in options.items():
        if name not in known:
            raise DataError(
                f"{source} has no option {name!r}; it has {', '.join(known) or 'none'}."
            )
        try:
            found[name] = _YES_NO[text.lower()] if known[name] is bool else int(text)
        except (KeyError, ValueError) as error:
            kind = "true or false" if known[name] is bool else "a whole number"
            raise DataError(f"{name}={text}: give {kind}.") from error
    return found


def _module(source: str, path: Path | None) -> ModuleType:
    known = sources()
    if source not in known:
        raise DataError(f"Data set {source!r} is unknown; choose one of {', '.join(known)}.")
    if path is not None and not path.exists():
        raise DataError(f"{path} does not exist; check the path.")
    return importlib.import_module(f"{__name__}.{source}")
