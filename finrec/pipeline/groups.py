"""Fairness and coverage of a trained run by group of customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from finrec import snapshots as store
from finrec.evaluation import groups
from finrec.evaluation.groups import LEAST, Gap
from finrec.pipeline import answering
from finrec.schema import CUSTOMER, NAME, CheckpointError
from finrec.scorer import Cohort
from finrec.serving.recommender import Recommender
from finrec.split import split
from finrec.training import runs as run_store

__all__ = ["LEAST", "Exposure", "Gap", "Served", "exposed", "levelling", "served", "tested"]

MOST_CUSTOMERS = 4000  # whose lists are counted
NOT_METRICS = ("customer", "warm")


@dataclass(frozen=True)
class Tested:
    """The test cases of a run, with what is known of their customers.

    Args:
        run: its name.
        per_case: ``customer`` (a code), ``warm`` and one column a metric, one row a case.
        profile: attributes, one row a case.
        headline: name of the metric shown first.
        columns: attributes that give at least two groups.
        description: how cases were held out.
    """

    run: str
    per_case: pd.DataFrame
    profile: pd.DataFrame
    headline: str
    columns: tuple[str, ...]
    description: str

    @property
    def metrics(self) -> list[str]:
        """Metrics, the headline first."""
        names = [str(c) for c in self.per_case.columns if c not in NOT_METRICS]
        return sorted(names, key=lambda name: name != self.headline)


@dataclass(frozen=True)
class Served:
    """How well each group is served.

    Args:
        frame: ``group``, ``cases``, ``customers``, ``mean``, ``low``, ``high``.
        mean: over all cases, hidden groups included.
        gap: between the best and the worst; None with fewer than two groups.
        hidden: groups with too few cases.
    """

    frame: pd.DataFrame
    mean: float
    gap: Gap | None
    hidden: int


@dataclass(frozen=True)
class Exposure:
    """What each group would be shown now.

    Args:
        frame: ``group``, ``product_id``, ``name``, ``share`` of the group's list places.
        coverage: ``group``, ``customers``, ``coverage`` (share of products in a list at all).
        gap: how differently groups are shown products, 0 to 1.
        chance: the same for random groups of these sizes.
        customers: whose lists were counted.
        k: list length.
        hidden: groups with too few customers.
    """

    frame: pd.DataFrame
    coverage: pd.DataFrame
    gap: float
    chance: float
    customers: int
    k: int
    hidden: int


def tested(run: str, least: int = LEAST) -> Tested | None:
    """The test cases of a run, as it was measured once; nothing is scored again.

    None for a run made before metrics of each case were kept.

    Raises:
        CheckpointError: when the run does not fit its snapshot.
    """
    found = run_store.find(run)
    kept = found.per_case
    if kept is None:
        return None
    cases = split(store.find(found.settings.snapshot).load(), found.settings.protocol).test.cases
    codes = pd.factorize(cases.customers.ids)[0]
    if len(kept) != len(cases) or not np.array_equal(codes, kept["customer"].to_numpy()):
        raise CheckpointError(
            f"The test cases of {found.id} are not those of {found.settings.snapshot}; train again."
        )
    profile = cases.customers.profile
    block = found.metrics[found.settings.protocol]
    return Tested(
        found.id,
        kept,
        profile,
        str(block["headline"]),
        tuple(groups.usable(profile, least)),
        str(block["description"]),
    )


def served(cases: Tested, column: str, metric: str, least: int = LEAST) -> Served:
    """A metric by group of one attribute, groups below ``least`` cases hidden."""
    own = groups.assign(cases.profile[column], least)
    values = cases.per_case[metric].to_numpy(dtype=np.float64)
    people = cases.per_case["customer"].to_numpy()
    return Served(
        groups.by_group(values, people, own),
        float(values.mean()),
        groups.gap(values, people, own),
        own.hidden,
    )


def exposed(
    run: str | Recommender, column: str, k: int = 5, least: int = LEAST, seed: int = 0
) -> Exposure:
    """What each group would be offered now, counted over a sample of customers."""
    recommender = answering.load(run) if isinstance(run, str) else run
    known = recommender.dataset.customers[CUSTOMER].to_numpy(dtype=object)
    chosen = np.random.default_rng(seed).permutation(len(known))[:MOST_CUSTOMERS]
    cohort = recommender.cohort(list(known[np.sort(chosen)]))
    lists = _lists(recommender, cohort, k)
    own = groups.assign(cohort.profile[column], least)
    table = recommender.catalogue.table
    n = len(table)
    shares = groups.exposure(lists, own, n)
    shuffled = np.random.default_rng(seed).permutation(own.codes)
    sizes = [int((own.codes == g).sum()) for g in range(len(own.names))]
    frame = pd.DataFrame(
        {
            "group": np.repeat(np.array(own.names, dtype=object), n),
            "product_id": np.tile(recommender.catalogue.ids, len(own.names)),
            "name": np.tile(table[NAME].to_numpy(dtype=object), len(own.names)),
            "share": shares.ravel(),
        }
    )
    covered = groups.coverage(lists, own, n)
    return Exposure(
        frame,
        pd.DataFrame({"group": list(own.names), "customers": sizes, "coverage": covered}),
        groups.exposure_gap(lists, own, n),
        groups.exposure_gap(lists, groups.Groups(shuffled, own.names, own.hidden), n),
        len(cohort),
        lists.shape[1],
        own.hidden,
    )


def _lists(recommender: Recommender, cohort: Cohort, k: int) -> np.ndarray:
    parts = []
    for start in range(0, len(cohort), 1024):
        some = cohort.take(slice(start, start + 1024))
        parts.append(recommender.best(some, k)[0])
    return np.concatenate(parts)


def levelling(run: str, column: str) -> Mapping[str, Any] | None:
    """What showing groups more alike cost on validation, as measured when the run was made.

    None where it was not measured: the run is older, or the column gave no two groups there.
    """
    found: Mapping[str, Any] | None = run_store.find(run).metrics.get("levelling", {}).get(column)
    return found
