"""The worker's work in this process, so that many files can be tried quickly."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from finrec.intake import Limits, Mapping, worker
from finrec.intake.mapping import checked

TODAY = "2026-11-23"


@dataclass
class Result:
    """Tables by name, the receipt as JSON, and the rejected rows."""

    mapping: Mapping
    tables: dict[str, pd.DataFrame]
    receipt: dict[str, Any]
    rejects: pd.DataFrame


def propose(files: list[Path], limits: Limits | None = None) -> Mapping:
    """The worker's proposal."""
    with tempfile.TemporaryDirectory() as folder:
        request = {"task": "propose", "files": [str(f) for f in files], "name": "trial"}
        told = worker.work(request, Path(folder), limits or Limits())
    return Mapping.unchecked(json.loads(told["mapping"]))


def read(files: list[Path], mapping: Mapping | None = None, limits: Limits | None = None) -> Result:
    """What the worker makes of the files, by the proposed mapping if none is given."""
    chosen = checked(mapping or propose(files, limits))
    request = {"task": "read", "files": [str(f) for f in files], "mapping": chosen.to_json()}
    with tempfile.TemporaryDirectory() as folder:
        told = worker.work(
            {**request, "today": TODAY, "rows": None}, Path(folder), limits or Limits()
        )
        tables = {f.stem: pd.read_parquet(f) for f in (Path(folder) / "tables").glob("*.parquet")}
        rejects = pd.read_csv(Path(folder) / "rejected.csv", dtype="str", keep_default_na=False)
    return Result(Mapping.from_json(told["mapping"]), tables, told["receipt"], rejects)
