"""How often the best offer is right, on validation cases that the network does not know."""

from __future__ import annotations

import numpy as np

from finrec.scorer import Scorer
from finrec.serving.abstain import Measured, points
from finrec.serving.recommender import offerable
from finrec.split import Cases
from finrec.training import calibrate

MOST_CASES = 2000
BATCH = 512


def measured(
    scorer: Scorer, cases: Cases, products: int, repeatable: bool, temperature: float
) -> Measured:
    """Best offers on cases that the scorer has not learned from; drawn where there are many.

    Args:
        scorer: fitted on the validation fold's training part.
        cases: of validation.
        products: in the catalogue.
        repeatable: whether a product may be taken again.
        temperature: of the scorer's probabilities.
    """
    drawn = np.random.default_rng(0).permutation(len(cases))[:MOST_CASES]
    cases = cases.take(np.sort(drawn))
    best, right = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for start in range(0, len(cases), BATCH):
        some = cases.take(np.arange(start, min(start + BATCH, len(cases))))
        may = offerable(some.customers, products, repeatable)
        chance = calibrate.probabilities(scorer.score(some.customers), may, temperature)
        rows, first = np.arange(len(some)), chance.argmax(1)
        best.append(chance[rows, first])
        right.append(some.relevance(products)[rows, first])
    return points(np.concatenate(best), np.concatenate(right))
