"""Protocol O: does the customer hold the product next month? Easy, and shown to be.

Nearly everybody holds next month what they hold now, so *persistence*, which says just that, is
right about nearly every pair; a claim of over 90 % on such data means no more. What a method adds
is seen among the pairs that were not held before. Only for data that tell holdings, that is, drops
or what was held when a customer was first seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from finrec.evaluation import pointwise
from finrec.schema import CUSTOMER, DROPPED, HELD, KIND, TIME
from finrec.scorer import Scorer, cohort
from finrec.split import Fold, FoldName, Split, next_moment

MOST_CELLS = 5_000_000  # pairs of customer and product
MOST_CUSTOMERS = 20_000
HELD_SCORE = 1e6  # above every standardised score


def applies(split: Split) -> bool:
    """Whether the data tell what is held, and when (protocol R2)."""
    kinds = split.test.train[KIND]
    return split.later is not None and bool(kinds.isin([DROPPED, HELD]).any())


def evaluate(
    scorer_for: Callable[[FoldName], Scorer], split: Split, seed: int = 0
) -> dict[str, Any] | None:
    """Figures over all pairs of customer and product a month after the test date.

    accuracy = right answers / all pairs; precision = right yes / all yes; recall = right yes /
    all held next month; F1 their harmonic mean. The method says yes to what is held now, and to
    what scores above a threshold that had the highest F1 a month after the validation date (or by
    the test date, if that is sooner). ``taken`` counts only pairs not held now.

    Returns:
        None for data that don't tell holdings.
    """
    if not applies(split):
        return None
    assert split.later is not None
    end = min(split.valid.until + pd.DateOffset(months=1), split.test.until)
    _, valid_truth, valid_score = _pairs(scorer_for("valid"), split, split.valid, end, seed)
    threshold = pointwise.best_threshold(valid_truth, valid_score)
    end = split.test.until + pd.DateOffset(months=1)
    held, truth, score = _pairs(scorer_for("test"), split, split.test, end, seed)
    yes = (score >= threshold) | held
    return {
        "description": "Held a month later, over all pairs of customer and product.",
        "threshold_from": "validation",
        "pairs": len(truth),
        "changed": float((held != truth).mean()),
        **_figures(truth, yes),
        "persistence": _figures(truth, held),
        "never": _figures(truth, np.zeros_like(held)),
        "taken": {
            "pairs": int((~held).sum()),
            **pointwise.counts(truth[~held], yes[~held]),
        },
    }


def _figures(truth: np.ndarray, yes: np.ndarray) -> dict[str, float]:
    return {"accuracy": float((truth == yes).mean()), **pointwise.counts(truth, yes)}


def _pairs(
    scorer: Scorer, split: Split, fold: Fold, end: pd.Timestamp, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Held now, held at ``end``, and score of each pair; what is held scores above all."""
    n = len(split.catalogue)
    known = fold.train[CUSTOMER].unique()
    size = max(min(MOST_CUSTOMERS, MOST_CELLS // n), 1)
    people = np.sort(np.random.default_rng(seed).permutation(np.asarray(known, object))[:size])
    moment = next_moment(fold.train[TIME], fold.until)
    now = cohort(people, fold.train, split.customers, split.catalogue, moment, split.links)
    later = split.later
    assert later is not None
    between = later[(later[TIME] >= fold.until) & (later[TIME] < end)]
    events = pd.concat([fold.train, between[fold.train.columns]], ignore_index=True)
    then = cohort(people, events, split.customers, split.catalogue, end)
    held, truth = now.held(n), then.held(n)
    parts = []
    for start in range(0, len(now), 1024):
        scores = scorer.score(now.take(slice(start, start + 1024))).astype(np.float64)
        scores -= scores.mean(1, keepdims=True)
        parts.append(scores / np.maximum(scores.std(1, keepdims=True), 1e-12))
    score = np.where(held, HELD_SCORE, np.concatenate(parts))
    return held.ravel(), truth.ravel(), score.ravel()
