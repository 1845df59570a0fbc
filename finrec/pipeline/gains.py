"""Whose lists become better or worse when one model or method takes another's place.

Both are looked at case by case: the same held-out cases, in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from finrec import snapshots as store
from finrec.config import PARTS
from finrec.figures.reference import label
from finrec.pipeline.cells import PER_CASE
from finrec.pipeline.compare import Comparison, titles
from finrec.schema import CUSTOMER, DataError
from finrec.serving import cases
from finrec.training.runs import Run

NOT_METRICS = ("customer", "warm")


@dataclass(frozen=True)
class Side:
    """A model or method, measured with one or more seeds.

    Args:
        key: parts and preset of a model, or a method's name; what a bar is known by.
        title: for people.
        files: metrics of each test case, one file a seed.
    """

    key: str
    title: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Moved:
    """Customers of the test cases, before and after.

    Args:
        frame: ``customer_id``, ``cases``, ``before``, ``after``, ``change`` (means over a
            customer's cases and over seeds); who gains most comes first, who loses most last.
        gained: customers whose mean rises.
        lost: customers whose mean falls.
        change: of the mean over all cases.
    """

    frame: pd.DataFrame
    gained: int
    lost: int
    change: float

    @property
    def same(self) -> int:
        """Customers whose mean stays."""
        return len(self.frame) - self.gained - self.lost


def of_runs(runs: Sequence[Run], protocol: str) -> list[Side]:
    """Runs that kept the metrics of each case, those of the same parts and preset together."""
    files: dict[tuple[str, str], list[Path]] = {}
    for run in runs:
        file = run.path / PER_CASE
        if run.settings.protocol == protocol and file.is_file():
            files.setdefault((run.settings.parts, run.settings.preset), []).append(file)
    return [
        Side(f"{parts}|{preset}", f"{label(parts)} · {preset}", tuple(found))
        for (parts, preset), found in files.items()
    ]


def of_comparison(made: Comparison, protocol: str) -> list[Side]:
    """Methods of a comparison that are measured, our own network's variants first."""
    files: dict[str, list[Path]] = {}
    for cell in made.done:
        if cell.protocol == protocol:
            files.setdefault(cell.method, []).append(cell.folder / PER_CASE)
    ours_first = sorted(files, key=lambda m: m not in PARTS)
    return [Side(m, label(m, titles()), tuple(files[m])) for m in ours_first]


def _customers(snapshot: str, protocol: str) -> np.ndarray:
    """Ids of the customers of the test cases by their codes, object [customers]."""
    return cases.test_customers(store.find(snapshot), protocol)


def moved(
    snapshot: str, protocol: str, before: Side, after: Side, metric: str, part: str = "all"
) -> Moved:
    """Who gains and who loses.

    Args:
        snapshot: ref of the data that both were measured on.
        protocol: R1 or R2, by which both were measured.
        before: one model or method.
        after: the other.
        metric: of each case; more is better.
        part: ``all`` cases or those of ``warm`` customers.

    Raises:
        DataError: when they were not measured on the same cases, or not in this metric.
    """
    (who, warm, old), (other, _, new) = _mean(before, metric), _mean(after, metric)
    ids = _customers(snapshot, protocol)
    if not np.array_equal(who, other) or int(who.max()) != len(ids) - 1:
        raise DataError(
            f"{before.title} and {after.title} were not measured on the same cases; measure both "
            "again with this version."
        )
    frame = pd.DataFrame({"code": who, "before": old, "after": new})
    if part == "warm":
        frame = frame[warm]
    if frame.empty:
        raise DataError("There is no test case of a customer with a past.")
    change = float(frame["after"].mean() - frame["before"].mean())
    grouped = frame.groupby("code", sort=False)
    table = grouped[["before", "after"]].mean()
    table = table.assign(cases=grouped.size(), change=table["after"] - table["before"])
    table = table.assign(**{CUSTOMER: ids[table.index.to_numpy()].astype(str)})
    table = table[[CUSTOMER, "cases", "before", "after", "change"]]
    table = table.sort_values(["change", CUSTOMER], ascending=[False, True], ignore_index=True)
    tiny = 1e-9  # of rounding
    return Moved(
        table,
        int((table["change"] > tiny).sum()),
        int((table["change"] < -tiny).sum()),
        change,
    )


def _mean(side: Side, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Customer code, whether warm, and the mean over seeds, of each case."""
    frames = [pd.read_parquet(f) for f in side.files]
    for frame in frames:
        if metric not in frame:
            known = ", ".join(str(c) for c in frame if c not in NOT_METRICS)
            raise DataError(f"{side.title}: {metric!r} was not measured; there are {known}.")
        if not frame["customer"].equals(frames[0]["customer"]):
            raise DataError(f"{side.title}: its seeds were measured on different cases.")
    first = frames[0]
    values = np.mean([f[metric].to_numpy(dtype=np.float64) for f in frames], axis=0)
    return first["customer"].to_numpy(), first["warm"].to_numpy(dtype=bool), values


__all__ = ["Moved", "Side", "moved", "of_comparison", "of_runs"]
