"""Comparisons in a process of their own: started, watched, cancelled, gone on with, deleted.

``data/comparisons/work/<name>/`` holds what the working process says: ``log.jsonl``, ``cancel``,
``output.txt``, and ``lock``, by which is told whether it lives. One comparison works at a time,
because what is measured side by side takes longer than it should.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from finrec import config, locks
from finrec.pipeline import compare, learning
from finrec.pipeline.cells import RESULT, Cell
from finrec.pipeline.compare import Comparison
from finrec.schema import DataError
from finrec.training.checkpoint import read_json

Progress = Callable[[dict[str, Any]], None]
State = Literal["planned", "waiting", "running", "cancelled", "interrupted", "failed", "done"]
LIVE = ("waiting", "running")
SECONDS_TO_START = 120  # one that was asked for and has no process after this has died
UNKNOWN_SECONDS = 30.0  # of a method that was never measured here


@dataclass(frozen=True)
class Standing:
    """How far a comparison is.

    Args:
        comparison: which.
        state: ``interrupted`` means that its process died; ``failed``: it went through, and some
            cells could not be measured. Both can be gone on with.
        done: cells measured.
        of: all cells.
        doing: method and seed that are measured now; empty when none is.
        left: seconds to the end; None when nothing works.
        failed: a sentence for each cell that failed the last time.
    """

    comparison: Comparison
    state: State
    done: int
    of: int
    doing: tuple[str, int] | None
    left: float | None
    failed: tuple[str, ...]


def start(name: str) -> None:
    """Work on a comparison in a process of its own, which goes on with what is not measured.

    Raises:
        DataError: when there is no such comparison, or it is at work.
    """
    if standing(name).state in LIVE:
        raise DataError(f"{name} is at work already.")
    folder = _folder(name)
    (folder / "cancel").unlink(missing_ok=True)
    (folder / "asked").touch()
    root = Path(__file__).parent.parent.parent
    environment = {**os.environ, "FINREC_HOME": str(config.home().resolve())}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(root), os.environ.get("PYTHONPATH", "")])
    )
    with (folder / "output.txt").open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "finrec", "compare", name],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )


def work(made: Comparison, progress: Progress = lambda event: None) -> list[str]:
    """Measure in this process what is not measured yet, when no other comparison works.

    Returns:
        A sentence for each cell that failed.

    Raises:
        DataError: when another process works on it.
    """

    def tell(event: dict[str, Any]) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        with (_folder(made.name) / "log.jsonl").open("a") as stream:
            stream.write(json.dumps({"time": stamp, **event}, default=str) + "\n")
        progress(event)

    def cancelled() -> bool:
        return cancel_asked(made.name)

    taken = DataError(f"Another process works on {made.name}.")
    with locks.alone(_folder(made.name) / "lock", taken):
        (_folder(made.name) / "cancel").unlink(missing_ok=True)
        tell({"event": "waiting"})
        with _turn(cancelled, lambda: progress({"event": "behind"})):
            failed = compare.run(made, tell, cancelled)
        if cancelled():
            tell({"event": "cancelled"})
        if made.done:
            summary(made, compare.headline(made))  # so that a page has it at once
        return failed


@contextmanager
def _turn(cancelled: Callable[[], bool], behind: Callable[[], None]) -> Iterator[None]:
    """Wait until no other comparison works, or until this one is cancelled; tells once if so."""
    told = False
    while not cancelled():
        with locks.held(_folder("") / "turn") as free:
            if free:
                yield
                return
        if not told:
            behind()
        told = True
        time.sleep(0.5)
    yield


def _folder(name: str) -> Path:
    if "/" in name or name.startswith("."):
        raise DataError(f"{name!r} is not the name of a comparison.")
    folder = config.data_dir() / "comparisons" / "work" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cancel(name: str) -> None:
    """Ask a comparison to stop; what is measured stays, and it can be gone on with."""
    compare.find(name)
    (_folder(name) / "cancel").touch()


def cancel_asked(name: str) -> bool:
    """Whether a stop was asked for."""
    return (_folder(name) / "cancel").exists()


def delete(name: str) -> None:
    """Delete a comparison with the cells that no other one has.

    Raises:
        DataError: when it is at work, or there is none.
    """
    if standing(name).state in LIVE:
        raise DataError(f"{name} is at work; cancel it first.")
    others = [c.asked for m in compare.comparisons() if m.name != name for c in m.cells]
    own = [c.asked for c in compare.find(name).cells]
    own = [told for told in own if told not in others]
    folder = config.data_dir() / "comparisons"
    for result in (folder / "cells").glob(f"*/{RESULT}"):
        if read_json(result).get("cell") in own:  # of whatever code measured it
            shutil.rmtree(result.parent)
    (folder / f"{name}.json").unlink()
    shutil.rmtree(_folder(name))


def standings() -> list[Standing]:
    """All comparisons, newest first."""
    speeds = _speeds()
    found = [_standing(made, speeds) for made in compare.comparisons()]
    return sorted(found, key=lambda s: s.comparison.created, reverse=True)


def standing(name: str) -> Standing:
    """How far a comparison is."""
    return _standing(compare.find(name), _speeds())


def _standing(made: Comparison, speeds: dict[tuple[str, str, str], float]) -> Standing:
    folder = _folder(made.name)
    todo = [c for c in made.cells if not c.done]
    log = _log(folder / "log.jsonl")
    last = log[-1] if log else {}
    asked = folder / "asked"
    state: State = "planned"
    if locks.locked(folder / "lock"):
        state = "waiting" if last.get("event") == "waiting" else "running"
    elif not todo:
        state = "done"
    elif cancel_asked(made.name):
        state = "cancelled"
    elif asked.exists() and not _since(log, asked.stat().st_mtime):
        # Nothing was said since it was asked for: it is starting, or died before its first word.
        died = time.time() - asked.stat().st_mtime > SECONDS_TO_START
        state = "interrupted" if died else "waiting"
    elif last.get("event") == "done":
        state = "failed"
    elif log:
        state = "interrupted"
    doing, left = None, None
    if state in LIVE:
        left = sum(_expected(c, speeds) for c in todo)
    if state == "running" and last.get("event") == "cell":
        doing = (str(last["method"]), int(last["seed"]))
        gone = time.time() - datetime.fromisoformat(last["time"]).timestamp()
        now = next((c for c in todo if (c.method, c.seed) == doing), None)
        left = (left or 0.0) - min(gone, _expected(now, speeds) if now else 0.0)
    begun = max((i for i, e in enumerate(log) if e["event"] == "waiting"), default=0)
    failed = tuple(
        f"{e['method']}, seed {e['seed']}: {e['message']}"
        for e in log[begun:]
        if e["event"] == "measured" and e["message"]
    )
    return Standing(made, state, len(made.cells) - len(todo), len(made.cells), doing, left, failed)


def _since(log: Sequence[dict[str, Any]], moment: float) -> bool:
    return any(datetime.fromisoformat(e["time"]).timestamp() >= moment for e in log[-1:])


def _log(file: Path) -> list[dict[str, Any]]:
    lines = []
    if file.exists():
        for line in file.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue  # cut by a crash
    return lines


def _speeds() -> dict[tuple[str, str, str], float]:
    """Seconds that a method took, by data set, method and preset, as last measured here."""
    files = (config.data_dir() / "comparisons" / "work").glob("*/log.jsonl")
    told = sorted((e for f in files for e in _log(f)), key=lambda e: str(e["time"]))
    return {
        (e["dataset"], e["method"], e["preset"]): float(e["seconds"])
        for e in told
        if e["event"] == "measured" and not e["message"]
    }


def _expected(cell: Cell, speeds: dict[tuple[str, str, str], float]) -> float:
    dataset = cell.snapshot.partition("@")[0]
    known = speeds.get((dataset, cell.method, cell.preset))
    if known is None and cell.fused:
        guess = learning.estimate(cell.run_settings())
        return (guess.low + guess.high) / 2
    return UNKNOWN_SECONDS if known is None else known


def expected(cells: Sequence[Cell]) -> float:
    """Seconds that these cells will take, those that are measured left out."""
    speeds = _speeds()
    return sum(_expected(c, speeds) for c in cells if not c.done)


def mark(made: Comparison) -> str:
    """Changes whenever another cell is measured; part of the caches' keys."""
    return hashlib.sha256("".join(c.folder.name for c in made.done).encode()).hexdigest()[:12]


def coverage(made: Comparison, protocol: str) -> dict[str, float]:
    """Share of products on somebody's list, by method; mean over its seeds."""
    found: dict[str, list[float]] = {}
    for cell in made.done:
        lists = cell.result()["metrics"].get(protocol, {}).get("lists", {})
        if cell.protocol == protocol and "coverage" in lists:
            found.setdefault(cell.method, []).append(float(lists["coverage"]))
    return {method: sum(values) / len(values) for method, values in found.items()}


def summary(made: Comparison, metric: str, part: str = "all") -> pd.DataFrame:
    """As :func:`finrec.pipeline.compare.summary`, worked out once for what is measured now.

    Intervals and tests over many customers and methods take from seconds to a minute.
    """
    folder = _folder(made.name) / "tables"
    file = folder / f"{mark(made)}-{metric.replace('/', '_')}-{part}.parquet"
    if file.is_file():
        return pd.read_parquet(file)
    table = compare.summary(made, metric, part)
    folder.mkdir(exist_ok=True)
    staged = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    table.to_parquet(staged, index=False)
    staged.replace(file)
    return table
