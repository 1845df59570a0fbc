"""How far apart methods are, and whether customers or seeds could have made the difference."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finrec import baselines
from finrec.config import PARTS
from finrec.evaluation import significance
from finrec.pipeline.cells import Cell
from finrec.schema import DataError

NO_METRIC = ("customer", "warm")


@dataclass(frozen=True)
class Seen:
    """A metric of one method.

    Args:
        method: its name.
        cases: of each case, mean over seeds, float [C].
        customers: code of each case's customer, int64 [C].
        seeds: mean over the cases, of each seed.
    """

    method: str
    cases: np.ndarray
    customers: np.ndarray
    seeds: list[float]

    @property
    def by_chance(self) -> bool:
        """Whether another seed gives another figure."""
        return self.method in PARTS or baselines.method(self.method).seeded


def seen(cells: list[Cell], metric: str, part: str = "all") -> dict[str, Seen]:
    """The metric by method, of finished cells of one protocol.

    Args:
        cells: finished.
        metric: of the headline view.
        part: ``all`` cases or those of ``warm`` customers.

    Raises:
        DataError: for a metric that was not measured.
    """
    frames: dict[str, list[pd.DataFrame]] = {}
    for cell in cells:
        frame = cell.per_case()
        names = [str(c) for c in frame if c not in NO_METRIC]
        if metric not in names:
            raise DataError(f"{metric!r} was not measured; there are {', '.join(names)}.")
        frames.setdefault(cell.method, []).append(frame[frame["warm"]] if part == "warm" else frame)
    return {
        method: Seen(
            method,
            np.mean([f[metric].to_numpy() for f in found], axis=0),
            found[0]["customer"].to_numpy(),
            [float(f[metric].mean()) for f in found],
        )
        for method, found in frames.items()
    }


def p_customers(first: Seen, second: Seen) -> float:
    """P that other customers would not tell the trained models apart."""
    return significance.paired(first.cases, second.cases, first.customers)


def p_seeds(first: Seen, second: Seen) -> float:
    """P that other customers and other seeds would not; NaN where a seeded one has one seed."""
    if any(m.by_chance and len(m.seeds) < 2 for m in (first, second)):
        return float("nan")
    return significance.anew(first.seeds, second.seeds, first.cases - second.cases, first.customers)


def holm(p: dict[str, float]) -> dict[str, float]:
    """Adjusted for their number; what is NaN stays so and does not count."""
    known = significance.holm({k: v for k, v in p.items() if v == v})
    return {k: known.get(k, float("nan")) for k in p}


def tested(two: dict[str, tuple[Seen, Seen]]) -> tuple[dict[str, float], dict[str, float]]:
    """P over customers, and over customers and seeds, by pair; each adjusted for their number."""
    return (
        holm({name: p_customers(*both) for name, both in two.items()}),
        holm({name: p_seeds(*both) for name, both in two.items()}),
    )


def pairs(cells: list[Cell], metric: str, part: str = "all") -> pd.DataFrame:
    """Every two methods of a protocol, the better one first.

    Returns:
        Columns better, worse, difference, p (paired permutation over customers), p_seeds (over
        customers and seeds); both Holm-adjusted over all rows.
    """
    found = sorted(seen(cells, metric, part).values(), key=lambda m: -float(np.mean(m.seeds)))
    two = {f"{a.method} {b.method}": (a, b) for a, b in itertools.combinations(found, 2)}
    over_customers, over_seeds = tested(two)
    rows = [
        {
            "better": a.method,
            "worse": b.method,
            "difference": float(np.mean(a.seeds)) - float(np.mean(b.seeds)),
            "p": over_customers[name],
            "p_seeds": over_seeds[name],
        }
        for name, (a, b) in two.items()
    ]
    return pd.DataFrame(rows, columns=["better", "worse", "difference", "p", "p_seeds"])
