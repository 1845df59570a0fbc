"""How often the best offer is right, on validation cases that the network does not know."""

from __future__ import annotations

import numpy as np

from finrec.pipeline.foretold import drawn, told
from finrec.scorer import Scorer
from finrec.serving.abstain import Measured, points
from finrec.serving.recommender import offerable
from finrec.split import Cases

MOST_CASES = 2000


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

    def may(some: Cases) -> np.ndarray:
        return offerable(some.customers, products, repeatable)

    best, right = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for some, _, chance in told(scorer, drawn(cases, MOST_CASES), may, temperature):
        rows, first = np.arange(len(some)), chance.argmax(1)
        best.append(chance[rows, first])
        right.append(some.relevance(products)[rows, first])
    return points(np.concatenate(best), np.concatenate(right))
