"""Whether a model's evidence is faithful, over many customers; measured once and kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from finrec import config
from finrec.explain import faithfulness, report
from finrec.pipeline import answering
from finrec.serving.recommender import Recommender
from finrec.training.checkpoint import read_json, write_json


def measure_faithfulness(
    run: str | Recommender,
    customers: int = 200,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Test a model's evidence on customers drawn at random, and keep the result.

    Returns:
        run, customers, methods (rows of :class:`finrec.explain.report.Report`), agreement,
        sentence.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    rng = np.random.default_rng(0)
    long = np.flatnonzero(recommender.training.lengths >= faithfulness.FEWEST)
    drawn = np.sort(rng.permutation(long)[:customers])
    cohort = recommender.cohort([str(i) for i in recommender.training.ids[drawn]])
    found = report.report(recommender.scorer, cohort, recommender.offerable, rng, progress=progress)
    told = {
        "run": recommender.run.id,
        "customers": found.customers,
        "methods": json.loads(found.methods.to_json(orient="records", double_precision=15)),
        "agreement": {n: None if math.isnan(v) else v for n, v in found.agreement.items()},
        "sentence": found.sentence,
    }
    file = _report_file(recommender.run.id)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, told)
    return told


def faithful(run: str) -> dict[str, Any] | None:
    """The kept result of :func:`measure_faithfulness`; None where it was not measured."""
    file = _report_file(run)
    return dict(read_json(file)) if file.is_file() else None


def _report_file(run: str) -> Path:
    return config.data_dir() / "faithfulness" / f"{run}.json"
