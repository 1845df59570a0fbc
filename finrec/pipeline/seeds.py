"""The same model trained from other seeds: found, loaded once, asked for its evidence."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from finrec.config import RunSettings
from finrec.explain import seeds
from finrec.explain.seeds import Seeds
from finrec.scorer import Cohort
from finrec.serving.recommender import Recommender
from finrec.training import runs as run_store
from finrec.training.fused_scorer import FusedScorer
from finrec.training.runs import Run

MOST = 2  # other trainings asked; each costs about as much as the measured effects do
_held: OrderedDict[str, FusedScorer] = OrderedDict()


def siblings(run: Run, most: int = MOST) -> list[Run]:
    """Runs of the same snapshot and settings in all but the seed, newest first."""
    same = _but_seed(run.settings)
    others = (r for r in run_store.runs() if r.id != run.id and _but_seed(r.settings) == same)
    mine = run.settings.train.seed
    return [r for r in others if r.settings.train.seed != mine][:most]


def over_seeds(
    recommender: Recommender,
    customer: Cohort,
    product: int,
    effects: np.ndarray,
    shares: np.ndarray,
) -> Seeds:
    """Whether other trainings show the same evidence for an offer; see :class:`Seeds`.

    Args:
        recommender: loaded run.
        customer: one customer.
        product: catalogue index of the offer.
        effects: fall of the score without each event read, float [T].
        shares: attention to each, float [T].
    """
    ids = recommender.catalogue.ids
    others = [_loaded(run) for run in siblings(recommender.run)]
    fitting = [s for s in others if np.array_equal(s.given.catalogue.ids, ids)]
    return seeds.stability(fitting, customer, product, effects, shares)


def _but_seed(settings: RunSettings) -> RunSettings:
    return settings.model_copy(
        update={"device": "auto", "train": settings.train.model_copy(update={"seed": 0})}
    )


def _loaded(run: Run) -> FusedScorer:
    key = str(run.path)
    if key not in _held:
        _held[key] = run.scorer()
        while len(_held) > 2 * MOST:
            _held.popitem(last=False)
    _held.move_to_end(key)
    return _held[key]
