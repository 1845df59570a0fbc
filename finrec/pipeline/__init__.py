"""The verbs that pages, the command line and notebooks share."""

from finrec import datasets, intake, presets
from finrec.explain.explanation import Explanation
from finrec.pipeline.answering import evaluate, explain, load, recommend
from finrec.pipeline.learning import (
    demo,
    device_name,
    estimate,
    ingest,
    runs,
    snapshots,
    start,
    train,
    work,
)
from finrec.serving import export
from finrec.serving.lookup import CustomerView, customer, filters, search
from finrec.serving.recommender import Recommender
from finrec.snapshots import Snapshot
from finrec.training import jobs
from finrec.training.estimate import Estimate
from finrec.training.runs import Run

__all__ = [
    "CustomerView",
    "Estimate",
    "Explanation",
    "Recommender",
    "Run",
    "Snapshot",
    "customer",
    "datasets",
    "demo",
    "device_name",
    "estimate",
    "evaluate",
    "explain",
    "export",
    "filters",
    "ingest",
    "intake",
    "jobs",
    "load",
    "presets",
    "recommend",
    "runs",
    "search",
    "snapshots",
    "start",
    "train",
    "work",
]
