"""Does a customer take anything at all in the period that follows? Protocol T.

Which product fits is one question, whether anything is taken another; an expected value needs both.
Asked of every customer with a past, so that those who took nothing count, who have no test case.
Only for a split by time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from finrec.evaluation import calibration
from finrec.schema import CUSTOMER, KIND, TIME
from finrec.scorer import KINDS, TAKEN, Cohort, cohort
from finrec.split import Fold, FoldName, Split

MOST_CUSTOMERS = 50_000
FEWEST = 30  # of those who took something, and of those who did not, that a figure needs
NAMES = [KINDS[code] for code in TAKEN]


class Timed(Protocol):
    """A scorer that also says how likely anything is taken."""

    def chance(self, customers: Cohort, window: float, intensity: float = 1.0) -> np.ndarray:
        """Chance within so many days, float64 [B]; NaN where nothing is known of a customer."""
        ...


Rival = Callable[[Cohort, float], np.ndarray]


def evaluate(
    scorer_for: Callable[[FoldName], Timed],
    split: Split,
    rivals: Mapping[str, Rival],
    seed: int = 0,
) -> dict[str, Any] | None:
    """Figures over customers with a past, beside simpler ways to say the same.

    The calibration (``intensity``, one number by which cumulative hazards are multiplied) has the
    least log-loss on the validation period. ``best_on_validation`` says who had the least log-loss
    there: the scorer (``network``) or a rival, of which ``constant`` is the validation period's
    own rate for everybody, scaled to the days asked about.

    Args:
        scorer_for: the scorer fitted for a fold.
        split: by time.
        rivals: chance of customers within a window, each by what is known of them alone.
        seed: of the draw where customers are very many.

    Returns:
        Brier score, log-loss, ECE and ROC-AUC of the scorer and of each rival; None where the
        split is not by time, or too few customers took anything, or nearly all did.
    """
    if split.later is None:
        return None
    people, window, truth = _period(split, split.valid, split.test.until, seed)
    if min(truth.sum(), (~truth).sum()) < FEWEST:
        return None
    scorer, days, stays = scorer_for("valid"), window, float(1 - truth.mean())
    intensity = calibrated(scorer, people, window, truth)
    rivals = {"constant": lambda c, w: np.full(len(c), 1 - stays ** (w / days)), **rivals}
    told = {"network": scorer.chance(people, window, intensity)}
    told |= {name: rival(people, window) for name, rival in rivals.items()}
    best = min(told, key=lambda name: calibration.log_loss(truth, told[name]))
    people, window, truth = _period(split, split.test, None, seed)
    if min(truth.sum(), (~truth).sum()) < FEWEST:
        return None
    chance = scorer_for("test").chance(people, window, intensity)
    return {
        "description": (
            f"Took anything within {window:.0f} days, over {len(truth):,} customers with a past."
        ),
        "days": window,
        "customers": len(truth),
        "prevalence": float(truth.mean()),
        "intensity": intensity,
        "best_on_validation": best,
        **_figures(truth, chance),
        "rivals": {name: _figures(truth, rival(people, window)) for name, rival in rivals.items()},
    }


def calibrated(scorer: Timed, people: Cohort, window: float, truth: np.ndarray) -> float:
    """The intensity with the least log-loss; chances are then ``1 - (1 - chance) ** intensity``."""
    stays = 1 - scorer.chance(people, window)

    def loss(log_intensity: float) -> float:
        return calibration.log_loss(truth, 1 - stays ** np.exp(log_intensity))

    found = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return float(np.exp(found.x))


def _period(
    split: Split, fold: Fold, end: pd.Timestamp | None, seed: int
) -> tuple[Cohort, float, np.ndarray]:
    """Customers as known at a fold's date, days of its period, and who took anything in it."""
    assert split.later is not None
    moment = fold.until
    finish = split.later[TIME].max() if end is None else end
    known = np.sort(np.asarray(fold.train[CUSTOMER].unique(), object))
    if len(known) > MOST_CUSTOMERS:
        drawn = np.random.default_rng(seed).choice(len(known), MOST_CUSTOMERS, replace=False)
        known = known[np.sort(drawn)]
    later = split.later
    inside = (later[TIME] >= fold.until) & later[KIND].isin(NAMES)
    inside &= (later[TIME] <= finish) if end is None else (later[TIME] < finish)
    took = set(later.loc[inside, CUSTOMER])
    people = cohort(known, fold.train, split.customers, split.catalogue, moment, split.links)
    people = people.take(np.flatnonzero(people.lengths > 0))
    window = max(1.0, (finish - moment).total_seconds() / 86_400 + (end is None))
    return people, window, np.array([c in took for c in people.ids])


def _figures(truth: np.ndarray, told: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score  # takes seconds to load

    return {
        "brier": calibration.brier(truth, told),
        "log_loss": calibration.log_loss(truth, told),
        "ece": calibration.ece(calibration.reliability(truth, told)),
        "roc_auc": float(roc_auc_score(truth, told)),
    }
