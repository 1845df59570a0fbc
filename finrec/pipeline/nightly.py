"""Batch: what to offer everybody, scored in the background or every night."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from finrec import config, records
from finrec.pipeline import answering
from finrec.pipeline.standing import abstention, batch_size, ordered, remembered, stand
from finrec.schema import CUSTOMER, NAME, PRODUCT, DataError, FinrecError
from finrec.serving import abstain
from finrec.serving import batch as parts
from finrec.serving import policy as rules
from finrec.serving.batch import Cancelled
from finrec.serving.gate import STATES
from finrec.serving.recommender import Recommender
from finrec.training import runs as run_store

__all__ = [
    "Batch", "Cancelled", "batch", "batches", "cancel_batch", "delete_batch", "forget_customer",
    "resume_batch", "start_batch", "work_batch",
]  # fmt: skip
SIZE = 2048  # customers a part, fewer where products are many


@dataclass(frozen=True)
class Batch:
    """A batch as it is now.

    Args:
        name: of its folder.
        run: that scores.
        k: products a customer.
        state: waiting, running, done, cancelled, failed or stopped (its process died).
        done: customers done.
        customers: customers in all.
        created: ISO time (UTC).
        message: of the error that ended it.
        file: result, when done.
    """

    name: str
    run: str
    k: int
    state: str
    done: int
    customers: int
    created: str
    message: str
    file: str


def folder(name: str = "") -> Path:
    """Folder of a batch, or of all.

    Raises:
        DataError: when the name could lead elsewhere.
    """
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", name):
        raise DataError(f"{name!r} is no name of a batch; use letters, digits, ., _ and -.")
    return config.data_dir() / "batches" / name


def batches() -> list[Batch]:
    """All batches, newest first."""
    found = [_read(f.parent.name) for f in folder().glob("*/job.json")]
    return sorted(found, key=lambda b: (b.created, b.name), reverse=True)


def _read(name: str) -> Batch:
    told = parts.read(folder(name))
    fields = ("run", "k", "state", "done", "customers", "created", "message", "file")
    return Batch(name, **{f: told[f] for f in fields})


def create_batch(
    run: str | Recommender, k: int = 5, suffix: str = ".parquet", name: str | None = None
) -> str:
    """A batch over every customer of a run's snapshot, not yet begun; returns its name."""
    recommender = answering.load(run) if isinstance(run, str) else run
    if k < 1:
        raise DataError("A list holds 1 product or more.")
    now = datetime.now(UTC)
    chosen = name or f"{recommender.run.id[:40]}-{now:%y%m%d-%H%M%S}"
    told = {"run": recommender.run.id, "k": k, "suffix": suffix,
            "size": min(SIZE, batch_size(recommender)),
            "created": now.isoformat(timespec="seconds")}  # fmt: skip
    parts.create(folder(chosen), told, sorted(recommender.known))
    return chosen


def work_batch(name: str, progress: parts.Progress = lambda done, total: None) -> Batch:
    """Do what is left of a batch, in this process.

    Raises:
        Cancelled: when someone asked for a stop.
    """
    told = parts.read(folder(name))
    if told["state"] == "done":
        return _read(name)
    try:
        recommender = answering.load(told["run"])
    except FinrecError as error:
        (folder(name) / "error").write_text(str(error))
        raise
    memory, policy = remembered(), rules.load()
    judge = abstention(recommender, policy)

    def score(ids: Sequence[str]) -> pd.DataFrame:
        return _scored(recommender, ids, told["k"], policy, memory, judge)

    parts.work(folder(name), sorted(recommender.known), score, progress)
    row = {"kind": "exported", "run": told["run"], "snapshot": recommender.snapshot.ref,
           "detail": {"batch": name, "customers": told["customers"]}}  # fmt: skip
    records.append(pd.DataFrame([row]))
    return _read(name)


def batch(
    run: str,
    k: int = 5,
    suffix: str = ".parquet",
    name: str | None = None,
    progress: parts.Progress = lambda done, total: None,
) -> Batch:
    """Score everybody now, in this process."""
    return work_batch(create_batch(run, k, suffix, name), progress)


def start_batch(run: str, k: int = 5, suffix: str = ".parquet", name: str | None = None) -> str:
    """Score everybody in a process of its own; returns the batch's name."""
    run_store.find(run)
    chosen = create_batch(run, k, suffix, name)
    _spawn(chosen)
    return chosen


def resume_batch(name: str) -> None:
    """Go on with a batch that was cancelled, failed or stopped, in a process of its own."""
    parts.resume(folder(name))
    _spawn(name)


def cancel_batch(name: str) -> None:
    """Ask a batch to stop after its present part; what is done stays."""
    parts.cancel(folder(name))


def delete_batch(name: str) -> None:
    """Delete a batch and its result."""
    parts.delete(folder(name))


def forget_customer(customer: str) -> int:
    """Take a customer out of every batch's files; returns how many batches they stood in."""
    return sum(parts.forget(folder(b.name), customer) for b in batches())


def _spawn(name: str) -> None:
    with (folder(name) / "output.txt").open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "finrec", "batch", "--work", name],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, "FINREC_HOME": str(config.home())},
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip


def _scored(
    recommender: Recommender,
    ids: Sequence[str],
    k: int,
    policy: rules.Policy,
    memory: pd.DataFrame,
    judge: abstain.Abstention | None,
) -> pd.DataFrame:
    """The offers of these customers; one without any has a row of rank 0 that says why."""
    at = stand(recommender, ids, policy, memory)
    reason = np.where(at.gate.allowed.any(1), 0, 1)
    if judge is not None:
        reason = judge.decide(at.probability, at.gate.allowed)
    may = at.gate.allowed & (reason == 0)[:, None]
    index = ordered(recommender, at, may, k)
    row, place = np.nonzero(index >= 0)
    product = index[row, place]
    table = recommender.catalogue.table
    silent = np.flatnonzero(reason)
    offers = pd.DataFrame(
        {
            CUSTOMER: at.customers.ids[row].astype(str),
            "rank": place + 1,
            PRODUCT: table[PRODUCT].to_numpy(dtype=object)[product],
            NAME: table[NAME].to_numpy(dtype=object)[product],
            "probability": at.probability[row, product].astype(np.float64),
            "take_up": at.take_up[row, product],
            "value": at.value[row, product],
            "state": [STATES[s] for s in at.gate.state[row, product]],
            "rules": [
                " ".join(r.code for r in at.gate.reasons(int(b), int(p)))
                for b, p in zip(row, product, strict=True)
            ],
            "no_offer": "",
        }
    )
    nothing = pd.DataFrame(
        {CUSTOMER: at.customers.ids[silent].astype(str), "rank": 0,
         "no_offer": [abstain.REASONS[r] for r in reason[silent]]}
    )  # fmt: skip
    both = pd.concat([offers, nothing], ignore_index=True) if len(nothing) else offers
    texts = [CUSTOMER, PRODUCT, NAME, "state", "rules", "no_offer"]
    numbers_ = ["probability", "take_up", "value"]
    return (
        both.astype(dict.fromkeys(texts, object))  # a column of nothing but gaps is numbers
        .fillna(dict.fromkeys(texts, ""))
        .astype(
            dict.fromkeys(texts, "str") | dict.fromkeys(numbers_, "float64") | {"rank": "int64"}
        )
        .sort_values([CUSTOMER, "rank"], kind="stable", ignore_index=True)
    )
