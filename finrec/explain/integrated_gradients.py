"""Integrated gradients over events and attributes: a second opinion on what an offer rests on.

Source: Sundararajan et al. (2017), computed by Captum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import IntegratedGradients
from scipy import stats
from torch import Tensor

from finrec.explain.single import one_offer
from finrec.features import sequences
from finrec.features.sequences import Batch
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer

STEPS = 32
MOST_STEPS = 512  # tried where the sum is not yet complete
COMPLETE = 0.02  # share of the whole by which the sum may miss


@dataclass(frozen=True)
class Attribution:
    """How much each event and attribute adds to the score, along the way from nothing known.

    Args:
        events: float [T], of the events read, oldest first.
        attributes: by column of the profile.
        whole: score of the customer less that of one of whom nothing is known: events of unknown
            product, no attributes.
        missed: what the sum of all parts misses of the whole, absolute.
        complete: whether that is at most ``COMPLETE`` of the parts' total size.
    """

    events: np.ndarray
    attributes: dict[str, float]
    whole: float
    missed: float
    complete: bool


def attribute(
    scorer: FusedScorer, customer: Cohort, product: int, table: Tensor | None = None
) -> Attribution:
    """Integrated gradients of one offer's score.

    The way leads from 0 to 1 in the presence of every event's product and of every attribute, all
    at the same pace; that is the straight line in the network's vectors, summed over their width.
    The more steps are taken, up to ``MOST_STEPS``, the less the sum misses.

    Args:
        scorer: a trained network.
        customer: one customer.
        product: catalogue index of the offer.
        table: product vectors, where they are at hand.
    """
    offer = one_offer(scorer, product, table)
    encoded = sequences.encode(customer, scorer.given.customers)
    one = sequences.batch(encoded, np.array([0]), scorer.length).to(offer.table.device)
    names, parts = _profile_parts(scorer, customer, one)
    count = one.products.shape[1]
    events = int(one.lengths[0])
    bare = scorer.network.profile.start.detach()

    def score(present: Tensor) -> Tensor:
        many = Batch(**{n: v.expand(len(present), *v.shape[1:]) for n, v in vars(one).items()})
        start = bare + present[:, count:] @ parts
        return offer.smooth(many, present[:, :count], start)

    scorer.network.eval()
    with torch.inference_mode(False), torch.enable_grad():
        ones = torch.ones(1, count + len(names), device=offer.table.device)
        zeros = torch.zeros_like(ones)
        steps = STEPS
        while True:
            found = IntegratedGradients(score).attribute(
                ones, baselines=zeros, n_steps=steps, internal_batch_size=64
            )
            values = found[0].detach().cpu().numpy()
            with torch.no_grad():
                whole = float(score(ones) - score(zeros))
            missed = abs(float(values.sum()) - whole)
            size = max(float(np.abs(values).sum()), abs(whole), 1e-6)
            if missed <= COMPLETE * size or steps >= MOST_STEPS:
                break
            steps *= 4
    return Attribution(
        values[:events],
        dict(zip(names, map(float, values[count:]), strict=True)),
        whole,
        missed,
        missed <= COMPLETE * size,
    )


@torch.no_grad()
def _profile_parts(scorer: FusedScorer, customer: Cohort, one: Batch) -> tuple[list[str], Tensor]:
    """What each column adds to the profile vector, [A, D], with its name."""
    tower, profile = scorer.network.profile, scorer.given.customers
    names, parts = [], []
    for i, number in enumerate(profile.numbers):
        assert tower.numbers is not None
        weight = tower.numbers.weight[:, 2 * i : 2 * i + 2]  # value, and whether it is unknown
        names.append(number.name)
        parts.append(weight @ one.numbers[0, 2 * i : 2 * i + 2])
    for i, category in enumerate(profile.categories):
        names.append(category.name)
        parts.append(tower.categories[i](one.categories[0, i]))
    width = tower.start.shape[0]
    return names, torch.stack(parts) if parts else torch.zeros(0, width, device=tower.start.device)


def agreement(attention: np.ndarray, effect: np.ndarray, gradients: np.ndarray) -> dict[str, float]:
    """Rank correlation (Spearman) of the methods' orders of events; NaN where it can't be told.

    Args:
        attention: share of each event, float [T].
        effect: fall of the score without it, float [T].
        gradients: integrated gradients, float [T].
    """
    given = {"attention": attention, "effect": effect, "gradients": gradients}
    pairs = (("attention", "effect"), ("gradients", "effect"), ("attention", "gradients"))
    return {f"{a} and {b}": _correlation(given[a], given[b]) for a, b in pairs}


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(stats.spearmanr(a, b).statistic)
