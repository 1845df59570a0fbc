"""From a trained run to recommendations and their explanation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from finrec import snapshots as store
from finrec.explain.explanation import Explanation
from finrec.explain.explanation import explain as explain_offer
from finrec.schema import CheckpointError, DataError
from finrec.serving.recommender import Recommender
from finrec.training import runs as run_store
from finrec.training.device import device_of


def evaluate(run: str) -> dict[str, Any]:
    """Metrics of a run by protocol, as measured once when it was trained."""
    return dict(run_store.find(run).metrics)


def load(run: str) -> Recommender:
    """A run with its snapshot, in memory.

    Raises:
        CheckpointError: when there is no such run, or its snapshot is gone.
    """
    found = run_store.find(run)
    try:
        snapshot = store.find(found.settings.snapshot)
    except DataError as error:
        raise CheckpointError(
            f"Run {found.id} needs the snapshot {found.settings.snapshot}, which is not here; "
            "ingest the same data again."
        ) from error
    device = device_of(found.settings) if found.settings.device != "cuda" else None
    return Recommender(found, snapshot, found.scorer(device))


def recommend(run: str, customers: Sequence[str] | None, k: int = 10) -> pd.DataFrame:
    """Top k products of these customers, each once, or of all (``None``), in batches."""
    recommender = load(run)
    ids = sorted(recommender.known) if customers is None else list(dict.fromkeys(customers))
    parts = [recommender.recommend(ids[i : i + 4096], k) for i in range(0, len(ids), 4096)]
    return pd.concat(parts, ignore_index=True)


def explain(run: str | Recommender, customer: str, product: str) -> Explanation:
    """Why ``product`` is offered to ``customer`` by a run, named or already loaded."""
    recommender = load(run) if isinstance(run, str) else run
    one = recommender.cohort([customer])
    return explain_offer(
        recommender.scorer, one, product, recommender.offerable(one)[0], recommender.company
    )
