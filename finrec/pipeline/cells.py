"""One cell of a comparison: a method measured once on a snapshot, kept whole or not at all.

A cell is named by the hash of all that decides its figures, so a finished one is never computed
again, whatever comparison asks for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from finrec import baselines, config, presets
from finrec import snapshots as store
from finrec.config import PARTS, RunSettings
from finrec.evaluation import protocols
from finrec.pipeline import code, learning
from finrec.snapshots import publish, sweep
from finrec.split import split
from finrec.training import jobs
from finrec.training import runs as run_store
from finrec.training.checkpoint import read_json, write_json
from finrec.training.runs import Run

RESULT, PER_CASE = "cell.json", "per_case.parquet"
Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Args:
        snapshot: ref.
        protocol: R1 or R2; P is measured with either.
        method: of :data:`finrec.baselines.METHODS`, or a part of the ablation.
        seed: of everything random.
        settings: of the method, where not its defaults: arguments, or ``model`` and ``train``.
        preset: of the fused model; empty for other methods.
        planned: key when it was planned. What was measured under it stays, though the code has
            changed since; what was not is measured under the key of the code as it is.
    """

    snapshot: str
    protocol: str
    method: str
    seed: int
    settings: dict[str, Any]
    preset: str = ""
    planned: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """What is measured, without when it was planned."""
        return {name: value for name, value in asdict(self).items() if name != "planned"}

    @property
    def fused(self) -> bool:
        """Whether it is a variant of our own network."""
        return self.method in PARTS

    @property
    def key(self) -> str:
        """Hash of what decides the figures."""
        told = {
            **self.asked,
            "code": code.of_fused() if self.fused else code.of_method(self.method),
            # Its values, for its name says nothing of them.
            **({"values": presets.PRESETS.get(self.preset or "standard")} if self.fused else {}),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where the finished cell is, or will be."""
        cells = config.data_dir() / "comparisons" / "cells"
        if self.planned and (cells / self.planned / RESULT).is_file():
            return cells / self.planned
        return cells / self.key

    @property
    def done(self) -> bool:
        """Whether it was measured."""
        return (self.folder / RESULT).is_file()

    def result(self) -> dict[str, Any]:
        """Metrics, seconds, parameters, memory, machine, commit."""
        return read_json(self.folder / RESULT)

    def per_case(self) -> pd.DataFrame:
        """Metrics of each test case; see :class:`finrec.evaluation.protocols.Evaluation`."""
        return pd.read_parquet(self.folder / PER_CASE)

    def run_settings(self) -> RunSettings:
        """Of a variant of our own network."""
        return presets.settings(
            store.find(self.snapshot).info,
            self.snapshot,
            self.preset or "standard",
            self.method,
            self.seed,
            model=self.settings.get("model"),
            train=self.settings.get("train"),
            protocol=self.protocol,
        )


def measure(cell: Cell, progress: Progress = lambda event: None) -> None:
    """Measure a cell in this process and keep it; a finished one is left as it is.

    Where another process measures the same cell, this one waits for it.
    """
    with _alone(cell):
        if not cell.done:
            _measure(cell, progress)


@contextmanager
def _alone(cell: Cell) -> Iterator[None]:
    locks = cell.folder.parent.parent / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / cell.key).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _measure(cell: Cell, progress: Progress) -> None:
    found, per_case = _fused(cell, progress) if cell.fused else _baseline(cell)
    found |= {
        "cell": cell.asked,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "commit": code.commit(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    folder = cell.folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        per_case.to_parquet(staging / PER_CASE, index=False)
        write_json(staging / RESULT, found)
        publish(staging, cell.folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _baseline(cell: Cell) -> tuple[dict[str, Any], pd.DataFrame]:
    snapshot = store.find(cell.snapshot)
    parts = split(snapshot.load(), cell.protocol)
    method = baselines.method(cell.method)
    began = time.perf_counter()
    test = method.build(cell.settings, cell.seed).fit(parts.test, parts)
    seconds = time.perf_counter() - began
    # Under R1 both folds learn from the same events.
    valid = test if cell.protocol == "R1" else (
        method.build(cell.settings, cell.seed).fit(parts.valid, parts))  # fmt: skip
    fitted = {"valid": valid, "test": test}
    measured = protocols.evaluate(lambda fold: fitted[fold], parts, snapshot.info, {})
    cases = parts.test.cases.customers
    began = time.perf_counter()
    for start in range(0, len(cases), 1024):
        test.score(cases.take(slice(start, min(start + 1024, len(cases)))))
    return {
        "metrics": measured.metrics,
        "seconds_train": seconds,
        "seconds_score": time.perf_counter() - began,
        "parameters": int(getattr(test, "parameters", 0)),
    }, measured.per_case


def _fused(cell: Cell, progress: Progress) -> tuple[dict[str, Any], pd.DataFrame]:
    settings = cell.run_settings()
    run = _have(settings) or _go_on(settings, progress) or learning.train(settings, progress)
    per_case = run.per_case
    assert per_case is not None  # of a new run, or one that was chosen for having it
    cases = split(store.find(cell.snapshot).load(), cell.protocol).test.cases.customers
    scorer = run.scorer()
    began = time.perf_counter()
    for start in range(0, len(cases), 1024):
        scorer.score(cases.take(slice(start, min(start + 1024, len(cases)))))
    told = run.provenance
    return {
        "metrics": dict(run.metrics),
        "seconds_train": told["seconds_train"] + told["seconds_refit"],
        "seconds_score": time.perf_counter() - began,
        "parameters": told["parameters"],
        "run": run.id,
    }, per_case


def _have(settings: RunSettings) -> Run | None:
    """A run of just these settings that kept the metrics of each case, and of this code."""
    fits = (r for r in run_store.runs() if r.settings == settings and r.per_case is not None)
    return next((r for r in fits if r.provenance.get("code") == code.of_fused()), None)


def _go_on(settings: RunSettings, progress: Progress) -> Run | None:
    """Finish a training of these settings that was interrupted, where this code began it."""
    for job in jobs.jobs():
        if job.settings != settings or job.code != code.of_fused():
            continue
        if job.state in ("stopped", "paused", "cancelled"):
            (jobs.folder(job.run) / "cancel").unlink(missing_ok=True)
            return learning.work(job.run, progress)
    return None


def in_a_child(cell: Cell) -> subprocess.Popen[bytes]:
    """Measure a cell in a process of its own, so that its memory is its own; it ends with us."""
    root = Path(__file__).parent.parent.parent
    environment = {**os.environ, "FINREC_HOME": str(config.home().resolve())}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(root), os.environ.get("PYTHONPATH", "")])
    )
    return subprocess.Popen(
        [sys.executable, "-m", "finrec", "cell", json.dumps(asdict(cell)),
         "--parent", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )  # fmt: skip
