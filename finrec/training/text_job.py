"""The folder of a text training job: settings, log, measured figures, and the rename at the end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from finrec.schema import CheckpointError
from finrec.snapshots import file_lineage, publish
from finrec.training.text_loop import Log, Progress

SETTINGS, METRICS = "settings.json", "metrics.json"


class TextJob:
    """One job: works in ``<parent>/jobs/<name>`` and ends as ``<parent>/<name>``.

    A job that was interrupted is taken up again by starting it with the same arguments.
    """

    def __init__(
        self,
        out: Path,
        stage: str,
        settings: BaseModel,
        inputs: dict[str, Any],
        progress: Progress | None,
    ) -> None:
        """Open or take up the job that shall end as ``out``.

        Raises:
            CheckpointError: when ``out`` exists, or an unfinished job there had other settings.
        """
        if out.exists():
            raise CheckpointError(f"{out} exists already; choose another name or remove it.")
        self.out, self.work = out, out.parent / "jobs" / out.name
        self.work.mkdir(parents=True, exist_ok=True)
        told = {"stage": stage, "settings": settings.model_dump(), "inputs": inputs}
        told = json.loads(json.dumps(told, default=str))
        file = self.work / SETTINGS
        if file.exists() and json.loads(file.read_text()) != told:
            raise CheckpointError(
                f"{self.work} holds an unfinished job with other settings; finish it with those, "
                "or remove that folder."
            )
        _write(file, told)
        self.told = told
        self.log = Log(self.work / "log.jsonl", progress)

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


def _write(file: Path, content: Any) -> None:
    staging = file.with_name(f".{file.name}")
    staging.write_text(json.dumps(content, indent=1))
    os.replace(staging, file)
