"""Which cells a comparison has: methods by name, each with its settings and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from finrec import baselines
from finrec import snapshots as store
from finrec.config import PARTS
from finrec.pipeline import choices, committed, tuning
from finrec.pipeline.cells import Cell
from finrec.schema import DataError

Progress = Callable[[dict[str, Any]], None]


def chosen(methods: str) -> list[str]:
    """Names of methods: ``all``, ``ablation``, ``baselines``, or names with commas between.

    Raises:
        DataError: for an unknown name.
    """
    groups = {"ablation": list(PARTS), "baselines": list(baselines.METHODS)}
    groups["all"] = groups["ablation"] + groups["baselines"]
    names: list[str] = []
    for one in methods.split(","):
        names += groups.get(one.strip(), [one.strip()])
    for name in names:
        if name not in PARTS:
            baselines.method(name)
    return list(dict.fromkeys(names))


def titles() -> dict[str, str]:
    """Name of each method for people."""
    return {name: m.title for name, m in baselines.METHODS.items()}


def grid(
    snapshot: str,
    methods: Sequence[str],
    protocols: Sequence[str] = (),
    seeds: int = 5,
    preset: str = "standard",
    budget: float = 0.0,
    progress: Progress = lambda event: None,
    given: dict[str, dict[str, Any]] | None = None,
    as_reference: bool = False,
) -> tuple[Cell, ...]:
    """The cells of a comparison that is not made yet; see :func:`plan`.

    All that is asked for is checked before anything is tuned.
    """
    told = {name: values for name, values in (given or {}).items() if values}
    check(snapshot, methods, protocols, preset, budget, told, as_reference)
    found = store.find(snapshot)
    methods = list(dict.fromkeys(methods))
    under = list(dict.fromkeys(protocols)) or [found.info.protocol]
    cells = []
    for protocol in under:
        for name in methods:
            own = preset
            if as_reference:
                own, settings = committed.settings(found.info.name, protocol, name)
            else:
                settings = _tuned(found.ref, protocol, name, preset, budget, progress)
            fused = name in PARTS
            settings = _over(settings, told) if fused else settings | told.get(name, {})
            random = fused or baselines.method(name).seeded
            for seed in range(seeds if random else 1):
                cells.append(Cell(found.ref, protocol, name, seed, settings, own if fused else ""))
    return tuple(sorted(cells, key=lambda c: c.seed))  # a first look at all methods comes early


def check(
    snapshot: str,
    methods: Sequence[str],
    protocols: Sequence[str],
    preset: str,
    budget: float,
    given: dict[str, dict[str, Any]],
    as_reference: bool = False,
) -> None:
    """Refuse what can't be measured, before anything is tuned or kept.

    Raises:
        DataError: which names what is wrong.
    """
    found = store.find(snapshot)
    if not budget >= 0:  # not a number is refused, too
        raise DataError(f"A budget of {budget} minutes can't be; 0 means no tuning.")
    for protocol in protocols:
        if protocol not in ("R1", "R2"):
            raise DataError(f"Protocol {protocol!r} is unknown; choose R1 or R2 (P comes with it).")
    told = {name: values for name, values in given.items() if values}
    choices.check(found, list(dict.fromkeys(methods)), preset, told)
    if as_reference and budget:
        raise DataError("Committed figures have settings of their own; leave out --budget.")
    for protocol in (protocols or [found.info.protocol]) if as_reference else ():
        for name in methods:
            committed.settings(found.info.name, protocol, name)


def _tuned(
    ref: str, protocol: str, name: str, preset: str, budget: float, progress: Progress
) -> dict[str, Any]:
    """The best settings known, after as many minutes of tuning as are left of the budget."""
    known = tuning.tuned(ref, protocol, name, preset)
    left = budget - (known.seconds / 60 if known else 0.0)
    if left > 0 and not (known and known.whole):
        progress({"event": "tuning", "method": name, "minutes": left})
        return tuning.tune(ref, name, protocol, preset, minutes=left)
    return known.settings if known else {}


def _over(settings: dict[str, Any], given: dict[str, dict[str, Any]]) -> dict[str, Any]:
    joined = {group: {**settings.get(group, {}), **given.get(group, {})}
              for group in ("model", "train")}  # fmt: skip
    return {group: values for group, values in joined.items() if values}
