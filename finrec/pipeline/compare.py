"""Compare methods on a snapshot: cell by cell, resumable, with intervals and paired tests."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finrec import config
from finrec import snapshots as store
from finrec.evaluation import significance
from finrec.pipeline import differences, published
from finrec.pipeline.cells import Cell, in_a_child, measure
from finrec.pipeline.committed import command
from finrec.pipeline.planning import chosen, grid, titles
from finrec.schema import DataError
from finrec.training.checkpoint import read_json, write_json

Progress = Callable[[dict[str, Any]], None]
TIDY = ("dataset", "snapshot", "protocol", "split", "masked", "slice", "method", "seed", "metric",
        "value", "seconds_train", "seconds_score", "parameters", "peak_mib", "commit", "machine",
        "command", "low", "high")  # fmt: skip
WITH_INTERVAL = ("ndcg", "map", "mrr", "hr")  # at the first list length
OWNERSHIP = ("persistence", "never", "taken")  # slices of protocol O
OURS = "+tl+gnn"


@dataclass(frozen=True)
class Comparison:
    """A grid of cells under a name.

    Args:
        name: its file is ``data/comparisons/<name>.json``.
        cells: in the order in which they are measured.
        created: ISO time (UTC).
    """

    name: str
    cells: tuple[Cell, ...]
    created: str

    @property
    def done(self) -> list[Cell]:
        """Cells that are measured."""
        return [c for c in self.cells if c.done]

    def measured(self) -> dict[str, list[Cell]]:
        """Cells that are measured, by protocol.

        Raises:
            DataError: when there is none yet.
        """
        found: dict[str, list[Cell]] = {}
        for cell in self.done:
            found.setdefault(cell.protocol, []).append(cell)
        if not found:
            raise DataError(f"{self.name} has no finished cell; run `finrec compare {self.name}`.")
        return found


def plan(
    snapshot: str,
    methods: Sequence[str],
    protocols: Sequence[str] = (),
    seeds: int = 5,
    preset: str = "standard",
    budget: float = 0.0,
    progress: Progress = lambda event: None,
    given: dict[str, dict[str, Any]] | None = None,
    as_reference: bool = False,
) -> Comparison:
    """The cells to measure; with a budget every method is tuned on validation before.

    Args:
        snapshot: name, ref or start of a hash.
        methods: names.
        protocols: R1, R2; empty: the snapshot's own.
        seeds: of methods in which chance plays a part; others are measured once.
        preset: of the fused model.
        budget: minutes of tuning for each method, the same for all; 0: defaults.
        progress: told which method is tuned.
        given: settings over those of preset and tuning: ``model`` and ``train`` of our network, and
            arguments of other methods by their name.
        as_reference: with preset and settings of the committed figures.

    Raises:
        DataError: for what can't be measured; nothing is tuned or kept then.
    """
    found = store.find(snapshot)
    cells = grid(snapshot, methods, protocols, seeds, preset, budget, progress, given, as_reference)
    stamp = datetime.now(UTC)
    while _file(name := f"{found.info.name}-{stamp:%y%m%d-%H%M%S}").exists():
        stamp += timedelta(seconds=1)  # two in one second have two names
    cells = tuple(replace(c, planned=c.key) for c in cells)
    made = Comparison(name, cells, stamp.isoformat(timespec="seconds"))
    write_json(_file(name), {"created": made.created, "cells": [asdict(c) for c in made.cells]})
    return made


def _file(name: str) -> Path:
    folder = config.data_dir() / "comparisons"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.json"


def comparisons() -> list[Comparison]:
    """All comparisons, newest first."""
    files = sorted((config.data_dir() / "comparisons").glob("*.json"), reverse=True)
    return [find(f.stem) for f in files]


def find(name: str) -> Comparison:
    """The comparison of that name; ``latest`` is the newest.

    Raises:
        DataError: when there is none.
    """
    folder = config.data_dir() / "comparisons"
    known = sorted((f.stem for f in folder.glob("*.json")), key=lambda n: n[-13:])
    if name == "latest" and known:
        name = known[-1]
    if name not in known:
        raise DataError(f"{name!r} is no comparison; there are: {', '.join(known) or 'none yet'}.")
    told = read_json(folder / f"{name}.json")
    return Comparison(name, tuple(Cell(**c) for c in told["cells"]), told["created"])


def run(
    made: Comparison,
    progress: Progress = lambda event: None,
    cancelled: Callable[[], bool] = lambda: False,
    apart: bool = True,
) -> list[str]:
    """Measure what is not measured yet.

    Args:
        made: a comparison.
        progress: told of each cell before it begins, with the time left.
        cancelled: asked all the time; True ends the cell that is being measured.
        apart: each cell in a process of its own, so that its peak memory is its own.

    Returns:
        A sentence for each cell that failed; the others go on.
    """
    failed: list[str] = []
    spent: list[float] = []
    todo = [c for c in made.cells if not c.done]
    for place, cell in enumerate(todo):
        if cancelled():
            return failed
        left = float(np.mean(spent)) * (len(todo) - place) if spent else None
        progress({"event": "cell", "method": cell.method, "seed": cell.seed, "done": place,
                  "of": len(todo), "eta_seconds": left})  # fmt: skip
        began = time.monotonic()
        reason = _apart(cell, cancelled) if apart else _here(cell)
        if reason:
            failed.append(f"{cell.method}, seed {cell.seed}: {reason}")
        spent.append(time.monotonic() - began)
        if cell.done or reason:
            progress({"event": "measured", "dataset": cell.snapshot.partition("@")[0],
                      "method": cell.method, "preset": cell.preset, "seed": cell.seed,
                      "seconds": spent[-1], "message": reason})  # fmt: skip
    if not cancelled():
        progress({"event": "done", "done": len(todo), "of": len(todo), "eta_seconds": 0.0})
    return failed


def _here(cell: Cell) -> str:
    try:
        measure(cell)
    except Exception as error:  # one method's fault must not end the comparison
        return str(error) or type(error).__name__
    return ""


def _apart(cell: Cell, cancelled: Callable[[], bool]) -> str:
    """Why a cell failed in a process of its own; empty when it did not."""
    child = in_a_child(cell)
    while True:
        try:
            _, said = child.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if cancelled():
                child.terminate()
    if cell.done or cancelled():
        return ""
    lines = said.decode(errors="replace").strip().splitlines()
    if not child.returncode:  # measured, under the key of other code than this process has
        return "finrec was changed meanwhile; start the comparison again to take up the change"
    return lines[-1] if lines else "it ended without a word"


def tidy(made: Comparison) -> pd.DataFrame:
    """One row a metric of every finished cell; columns ``TIDY``.

    ``low`` and ``high`` are the bootstrap interval over customers of the headline metrics, NaN for
    others. The slice of pairs is the way their negatives were drawn; ``all`` is uniform. ``split``
    is the protocol by which data were held out, of pairs, too. ``masked``: what was held before was
    not ranked; never where a product may be taken again, or the data say what may be taken. Pairs
    (P) never have it beside what was taken; ownership (O) and T leave nothing out.
    """
    rows: list[dict[str, Any]] = []
    for cell in made.done:
        found = cell.result()
        intervals = _intervals(cell)
        fixed = {
            "dataset": cell.snapshot.partition("@")[0],
            "snapshot": cell.snapshot,
            "split": cell.protocol,
            "method": cell.method,
            "seed": cell.seed,
            **{k: found[k] for k in ("seconds_train", "seconds_score", "parameters", "peak_mib",
                                     "commit", "machine")},
            "command": command(cell),
        }  # fmt: skip
        for protocol, block in found["metrics"].items():
            for headline_view, masked, part, values in _views(protocol, block):
                told = intervals if headline_view else {}
                rows += [
                    {**fixed, "protocol": protocol, "masked": masked, "slice": part,
                     "metric": metric, "value": float(value),
                     **told.get((protocol, part, metric), {})}
                    for metric, value in values.items()
                    if isinstance(value, int | float) and metric not in ("cases", "k", "pairs")
                ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(TIDY))


def _intervals(cell: Cell) -> dict[tuple[str, str, str], dict[str, float]]:
    cases = cell.per_case()
    k = store.find(cell.snapshot).info.ks[0]
    found = {}
    for part, rows in (("all", cases), ("warm", cases[cases["warm"]])):
        for metric in (f"{name}@{k}" for name in WITH_INTERVAL):
            if metric in rows and len(rows):
                who = rows["customer"].to_numpy()
                interval = significance.bootstrap(rows[metric].to_numpy(), who)
                told = {"low": interval.low, "high": interval.high}
                found[(cell.protocol, part, metric)] = told
    pairs = cell.result()["metrics"].get("P", {})
    for _, _, part, block in _views("P", pairs):
        for metric, (low, high) in block.get("intervals", {}).items():
            found[("P", part, metric)] = {"low": low, "high": high}
    return found


def _views(protocol: str, block: dict[str, Any]) -> list[tuple[bool, bool, str, dict[str, Any]]]:
    """Of a protocol's metrics: whether it is the headline view, masked, the slice, values."""
    if "masked" not in block:  # no lists
        drawn = {k: v for k, v in block.get("variants", {}).items() if k != "uniform"}
        drawn |= {k: block[k] for k in OWNERSHIP if k in block}
        apart = protocol == "P"  # what was held is no negative
        return [(True, apart, name, values) for name, values in {"all": block, **drawn}.items()]
    masked = "unmasked" in block  # else there was nothing to leave out
    found = [(True, masked, "all", block["masked"]), (True, masked, "all", block.get("lists", {}))]
    found += [(True, masked, name, values) for name, values in block.get("slices", {}).items()]
    if masked:
        found.append((False, False, "all", block["unmasked"]))
    return found


def summary(made: Comparison, metric: str, part: str = "all") -> pd.DataFrame:
    """One row a method: mean, sd over seeds, interval over customers, p against the first of ours.

    Args:
        made: a comparison; only finished cells count.
        metric: of the headline view (history masked).
        part: ``all`` cases or those of ``warm`` customers.

    Returns:
        Columns protocol, method, seeds, mean, sd, low, high, p and p_seeds (against ``OURS``, over
        customers, and over customers and seeds, Holm-adjusted: see
        :mod:`finrec.pipeline.differences`; NaN for itself or where it is not measured),
        seconds_train, seconds_score, parameters; best mean first.
    """
    rows = []
    for protocol, cells in made.measured().items():
        told: dict[str, list[dict[str, Any]]] = {}
        for cell in cells:
            told.setdefault(cell.method, []).append(cell.result())
        found = differences.seen(cells, metric, part)
        others = {m: (found[OURS], s) for m, s in found.items() if m != OURS and OURS in found}
        p, p_seeds = differences.tested(others)
        for method, measured in found.items():
            middle, sd = significance.spread(measured.seeds)
            interval = significance.bootstrap(measured.cases, measured.customers)
            rows.append({
                "protocol": protocol, "method": method, "seeds": len(measured.seeds),
                "mean": middle, "sd": sd, "low": interval.low, "high": interval.high,
                "p": p.get(method, float("nan")), "p_seeds": p_seeds.get(method, float("nan")),
                **{k: float(np.mean([t[k] for t in told[method]]))
                   for k in ("seconds_train", "seconds_score", "parameters", "peak_mib")},
            })  # fmt: skip
    table = pd.DataFrame(rows)
    return table.sort_values(["protocol", "mean"], ascending=[True, False], ignore_index=True)


def metrics(made: Comparison) -> list[str]:
    """Metrics of each case that were measured, the headline first."""
    names = [str(c) for c in made.done[0].per_case() if c not in differences.NO_METRIC]
    first = headline(made)
    return [first, *(n for n in names if n != first)]


def headline(made: Comparison) -> str:
    """The metric that a comparison is read by: NDCG at the snapshot's first list length."""
    return f"ndcg@{store.find(made.cells[0].snapshot).info.ks[0]}"


def refer(made: Comparison, file: Path) -> None:
    """Put a comparison's rows into a tidy CSV, in place of older rows of the same cells."""
    rows = tidy(made)
    if file.is_file():
        older = published.with_split(pd.read_csv(file, dtype={"slice": "str", "commit": "str"}))
        mine = ["dataset", "protocol", "split", "method", "seed"]
        keys = set(rows[mine].astype(str).agg("|".join, axis=1))
        stays = ~older[mine].astype(str).agg("|".join, axis=1).isin(keys)
        rows = pd.concat([older[stays], rows], ignore_index=True)[list(TIDY)]
    rows = rows.sort_values(["dataset", "protocol", "split", "method", "seed", "slice", "metric"])
    part = file.with_suffix(".part")
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(part, index=False, float_format="%.6g")
    part.replace(file)


__all__ = [
    "OURS", "TIDY", "Cell", "Comparison", "chosen", "command", "comparisons", "find", "grid",
    "headline", "metrics", "plan", "refer", "run", "summary", "tidy", "titles",
]  # fmt: skip
