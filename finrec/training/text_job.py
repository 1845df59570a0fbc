"""The folder of a text training job: settings, log, measured figures, and the rename at the end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from pydantic import BaseModel

from finrec import locks
from finrec.schema import CheckpointError, DataError
from finrec.snapshots import file_lineage, publish
from finrec.training.text_loop import Diverged, Log, Progress

SETTINGS, METRICS, LOCK = "settings.json", "metrics.json", "lock"


class TextJob:
    """One job: works in ``<parent>/jobs/<name>`` and ends as ``<parent>/<name>``.

    A job that was interrupted is taken up again by starting it with the same arguments. Within
    ``with`` it is this process's alone; ``record`` is what it published, where it was killed
    just afterwards.
    """

    def __init__(
        self,
        out: Path,
        stage: str,
        settings: BaseModel,
        inputs: dict[str, Any],
        progress: Progress | None,
    ) -> None:
        """Describe the job that shall end as ``out``."""
        self.out, self.work = out, out.parent / "jobs" / out.name
        told = {"stage": stage, "settings": settings.model_dump(), "inputs": inputs}
        self.told = json.loads(json.dumps(told, default=str))
        self.log = Log(self.work / "log.jsonl", progress)
        self.record: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        """Begin the job or take it up.

        Raises:
            CheckpointError: when ``out`` exists, another process works on the job, or an
                unfinished job there had other settings.
        """
        if self.out.exists() and not self.work.exists():
            raise self._exists()
        self._lock = _lock(self.work)
        try:
            if self.out.exists():  # killed between publication and the end, or another job's
                self._end()
            else:
                self._begin()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go; a job that would fail in the same way again is removed."""
        if isinstance(error, DataError | Diverged):
            shutil.rmtree(self.work, ignore_errors=True)
        self._lock.close()

    def _begin(self) -> None:
        if self._told_otherwise():
            raise CheckpointError(
                f"{self.work} holds an unfinished job with other settings; finish it with those, "
                "or remove that folder."
            )
        _write(self.work / SETTINGS, self.told)

    def _end(self) -> None:
        """Remove what is left of this very job, which is published; refuse any other."""
        record = _read(self.out / METRICS)
        if {k: record.get(k) for k in self.told} != self.told or self._told_otherwise():
            if not any(f.name != LOCK for f in self.work.iterdir()):
                shutil.rmtree(self.work, ignore_errors=True)
            raise self._exists()
        shutil.rmtree(self.work, ignore_errors=True)
        self.record = record
        if self.log.progress:
            self.log.progress({"event": "done", "message": f"{self.out.name} is finished already."})

    def _told_otherwise(self) -> bool:
        file = self.work / SETTINGS
        return file.exists() and _read(file) != self.told

    def _exists(self) -> CheckpointError:
        return CheckpointError(f"{self.out} exists already; choose another name or remove it.")

    def measured(self, name: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """A figure, measured once: a job taken up again reads it from its folder."""
        file = self.work / METRICS
        known: dict[str, dict[str, float]] = json.loads(file.read_text()) if file.exists() else {}
        if name not in known:
            known[name] = measure()
            _write(file, known)
            figures = ", ".join(f"{k} {v:.4g}" for k, v in known[name].items())
            self.log.write("evaluating", phase=name, message=f"Held-out text, {name}: {figures}.")
        return known[name]

    def publish(self, write: Callable[[Path], None], metrics: dict[str, Any]) -> dict[str, Any]:
        """Let ``write`` fill a folder, add metrics and log, and rename it to its final name."""
        staging = self.work / "result"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        write(staging)
        record = {**self.told, "metrics": metrics}
        _write(staging / METRICS, record)
        self.log.write("done", message=f"The encoder is in {self.out.name}.")
        shutil.copyfile(self.work / "log.jsonl", staging / "log.jsonl")
        publish(staging, self.out)
        shutil.rmtree(self.work, ignore_errors=True)
        return record


def sources(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, size and hash of the files behind paths, for a job's record."""
    files = [f for p in paths for f in ([p] if p.is_file() else sorted(p.rglob("*")))]
    return file_lineage(files)


def _lock(work: Path) -> TextIO:
    """A lock on the folder, made if need be, that lasts until it is closed or the process ends."""
    while True:
        work.mkdir(parents=True, exist_ok=True)
        try:
            lock = (work / LOCK).open("w")
        except FileNotFoundError:  # the process before has just removed the folder
            continue
        if not locks.take(lock.fileno()):
            lock.close()
            raise CheckpointError(f"Another process works on {work.name}.")
        try:
            if os.path.samestat(os.fstat(lock.fileno()), (work / LOCK).stat()):
                return lock
        except FileNotFoundError:
            pass
        lock.close()  # of a folder that is gone


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; {} where there is none."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, content: Any) -> None:
    staging = file.with_name(f".{file.name}")
    staging.write_text(json.dumps(content, indent=1))
    os.replace(staging, file)
