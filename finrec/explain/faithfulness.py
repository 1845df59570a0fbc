"""Does the evidence that is shown move the score more than evidence picked at random?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from finrec.explain import variants
from finrec.scorer import Cohort
from finrec.training.assemble import FusedScorer

FAITHFUL = 0.05  # share of random orders that may do as well before the evidence is not trusted


@dataclass(frozen=True)
class Faithfulness:
    """Deletion test of an order of events for one offer.

    Args:
        curve: score after leaving out the first 0, 1, ... events of the order, float [T + 1].
        area: mean of the curve's fall from its start; larger is better.
        random_areas: the same for random orders, float [draws].
        share_as_good: share of random orders with at least this area (the order's p-value).
        faithful: whether that share is at most ``FAITHFUL``; None with fewer than 4 events,
            where orders are too few to tell.
    """

    curve: np.ndarray
    area: float
    random_areas: np.ndarray
    share_as_good: float
    faithful: bool | None


@torch.inference_mode()
def deletion(
    scorer: FusedScorer,
    customer: Cohort,
    product: int,
    order: np.ndarray,
    rng: np.random.Generator,
    draws: int = 40,
) -> Faithfulness:
    """Leave out events one after another in this order, and in random orders.

    Source: deletion metric of Petsiuk et al. (2018), against random orders as in Hooker et al.
    (2019).

    Args:
        scorer: a trained network.
        customer: one customer.
        product: catalogue index of the offer.
        order: places of events within those read, most important first, int64 [T].
        rng: of the random orders.
        draws: number of random orders.
    """
    orders = [order, *(rng.permutation(order) for _ in range(draws))]
    sets = [tuple(map(int, o[:n])) for o in orders for n in range(len(order) + 1)]
    scored = variants.scores(scorer, customer, sets)[:, product]
    curves = scored.reshape(len(orders), len(order) + 1)
    areas = (curves[:, :1] - curves).mean(1)
    share = float((1 + (areas[1:] >= areas[0] - 1e-9).sum()) / (1 + draws))
    faithful = share <= FAITHFUL if len(order) >= 4 else None
    return Faithfulness(curves[0], float(areas[0]), areas[1:], share, faithful)
