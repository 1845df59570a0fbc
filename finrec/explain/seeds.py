"""Would another training have shown the same evidence? Orders of events, over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from finrec.explain import attention
from finrec.explain.single import one_offer
from finrec.features import sequences
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer

FEWEST = 3  # events; fewer have no order to speak of
STEADY = 0.7  # rank correlation from which an order counts as the same


@dataclass(frozen=True)
class Seeds:
    """How stable the order of events is when the same model is trained from another seed.

    Args:
        others: how many other trainings were asked.
        effect: mean rank correlation of measured effects with theirs; NaN where untellable.
        attention: the same of the rolled-out attention.
    """

    others: int
    effect: float
    attention: float

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if not self.others:
            return (
                "Whether another training would show the same can't be told: there is no run of "
                "the same data and settings with another seed."
            )
        many = f"{self.others} other training{'s' * (self.others != 1)} (another seed)"
        if self.effect != self.effect:
            return f"Too few events to compare with {many}."
        if self.effect >= STEADY:
            return f"In {many} the same events decide (rank correlation {self.effect:.2f})."
        return (
            f"In {many} other events decide (rank correlation {self.effect:.2f}): how much "
            "each counts is a property of this training more than of the customer."
        )


def stability(
    others: Sequence[FusedScorer],
    customer: Cohort,
    product: int,
    effects: np.ndarray,
    shares: np.ndarray,
) -> Seeds:
    """Compare effects and attention with those of other trainings of the same model.

    Args:
        others: trained from other seeds, on the same catalogue.
        customer: one customer.
        product: catalogue index of the offer.
        effects: fall of the score without each event read, float [T].
        shares: attention to each, float [T].
    """
    found = [evidence(scorer, customer, product) for scorer in others]
    return Seeds(
        len(others),
        _mean([_same(effects, theirs) for theirs, _ in found]),
        _mean([_same(shares, theirs) for _, theirs in found]),
    )


@torch.no_grad()
def evidence(scorer: FusedScorer, customer: Cohort, product: int) -> tuple[np.ndarray, np.ndarray]:
    """Measured effect of each event read and attention to it, float [T] each."""
    single = one_offer(scorer, product)
    count = min(len(customer.products), scorer.length)
    scored = single.without(customer, [(), *((place,) for place in range(count))])
    encoded = sequences.encode(customer, scorer.given.customers)
    batch = sequences.batch(encoded, np.array([0]), scorer.length).to(single.table.device)
    start = scorer.network.profile(batch.numbers, batch.categories)
    events = torch.nn.functional.embedding(batch.products, single.table)
    _, trail = scorer.network.behaviour.explain(start, events, batch)
    return scored[0] - scored[1:], attention.rolled_out(trail)[1:]


def _same(mine: np.ndarray, theirs: np.ndarray) -> float:
    if len(mine) < FEWEST or len(mine) != len(theirs) or not np.ptp(mine) or not np.ptp(theirs):
        return float("nan")
    return float(stats.spearmanr(mine, theirs).statistic)


def _mean(values: list[float]) -> float:
    told = [v for v in values if v == v]
    return float(np.mean(told)) if told else float("nan")
