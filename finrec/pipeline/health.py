"""How data, model and work stand, in facts; the words are in :mod:`finrec.figures.health`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

import pandas as pd

from finrec import records
from finrec.pipeline import keeping
from finrec.serving import policy
from finrec.snapshots import Snapshot
from finrec.snapshots.erase import FLAGS
from finrec.training import jobs
from finrec.training.runs import FORETOLD, Run


@dataclass(frozen=True)
class Health:
    """What an Overview must tell.

    Args:
        last: day of the latest event; None where there is none.
        without_events: customers without any event.
        newer: snapshot of the same data that the model has not seen; None: it has the newest.
        erased: whether a customer was erased whom the model had learned from.
        measured: whether the model keeps what it foretold of validation cases.
        signed: whether somebody signed the model off.
        jobs: number of trainings by state (``queued``, ``running``, ``failed``, ...).
        policy: title of the policy in force.
        own_policy: whether it is the bank's own.
    """

    last: date | None
    without_events: int
    newer: str | None
    erased: bool
    measured: bool
    signed: bool
    jobs: dict[str, int]
    policy: str
    own_policy: bool


def of_data(snapshot: Snapshot) -> tuple[date | None, int]:
    """Day of the latest event, and customers without any."""
    found = snapshot.query(
        "SELECT (SELECT max(time) FROM events) AS last, (SELECT count(*) FROM customers "
        "ANTI JOIN events USING (customer_id)) AS cold"
    ).iloc[0]
    return None if pd.isna(found["last"]) else found["last"].date(), int(found["cold"])


def health(of: tuple[date | None, int], run: Run | None) -> Health:
    """The facts, looked up anew; cheap, but for those of the data, which never change.

    Args:
        of: of :func:`of_data`.
        run: the model that is chosen.
    """
    states = Counter(str(job.state) for job in jobs.jobs())
    rules = policy.load()
    return Health(
        *of,
        newer=None if run is None else keeping.stale(run),
        erased=run is not None and (run.path / FLAGS).exists(),
        measured=run is None or (run.path / FORETOLD).exists(),
        signed=run is not None and _signed(run.id),
        jobs=dict(states),
        policy=rules.title,
        own_policy=policy.file().exists(),
    )


def _signed(run: str) -> bool:
    found = records.find(kinds=("signed_off",), run=run, limit=None)
    return bool((~found["undone"].astype(bool)).any())
