"""Does the evidence that is shown move the score more than evidence picked at random?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from finrec.explain import attention
from finrec.explain.single import OneOffer, one_offer
from finrec.features import sequences
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer

FAITHFUL = 0.05  # share of random orders that may do as well before the evidence is not trusted
FEWEST = 4  # events; with fewer, orders are too few to tell
NOISE = 0.02  # of the length of a product vector, added at random to try how stable an order is
SHAKES = 5
MOST_POINTS = 16  # of a curve over a long history


@dataclass(frozen=True)
class Faithfulness:
    """Deletion test of an order of events for one offer.

    Args:
        cuts: how many events are left out at each point, int64 [P]; every number from 0 to T of
            a short history, ``MOST_POINTS`` steps of a longer one.
        curve: score after leaving out the first so many events of the order, float [P].
        area: mean of the curve's fall from its start; larger is better.
        random_areas: the same for random orders, float [draws].
        share_as_good: share of random orders with at least this area (the order's p-value).
        faithful: whether that share is at most ``FAITHFUL``; None with fewer than 4 events,
            where orders are too few to tell.
        insertion: score with only the first so many events of the order there, float [P].
        insertion_area: mean of that curve above its start; larger is better.
    """

    cuts: np.ndarray
    curve: np.ndarray
    area: float
    random_areas: np.ndarray
    share_as_good: float
    faithful: bool | None
    insertion: np.ndarray
    insertion_area: float


@dataclass(frozen=True)
class Badge:
    """How far the shown evidence of one offer can be trusted.

    Args:
        attention: test of the order by attention.
        effect: test of the order by measured effect.
        stable: mean rank correlation of the attention's order with itself under small noise on
            the product vectors; NaN with fewer than 3 events.
        shown_first: ``attention`` where it is faithful, else ``effect``.
        sentence: in words.
    """

    attention: Faithfulness
    effect: Faithfulness
    stable: float
    shown_first: str
    sentence: str


def deletion(
    scorer: FusedScorer,
    customer: Cohort,
    product: int,
    order: np.ndarray,
    rng: np.random.Generator,
    draws: int = 40,
) -> Faithfulness:
    """Leave out events one after another in this order, and in random orders.

    Source: deletion and insertion metrics of Petsiuk et al. (2018), against random orders as in
    Hooker et al. (2019).

    Args:
        scorer: a trained network.
        customer: one customer.
        product: catalogue index of the offer.
        order: places of events within those read, most important first, int64 [T].
        rng: of the random orders.
        draws: number of random orders.
    """
    return tests(one_offer(scorer, product), customer, {"order": order}, rng, draws)["order"]


def tests(
    offer: OneOffer,
    customer: Cohort,
    orders: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    draws: int = 40,
) -> dict[str, Faithfulness]:
    """The deletion test of several orders against the same random ones, scored at once."""
    named = list(orders)
    count = len(orders[named[0]])
    tried = [np.asarray(orders[n]) for n in named]
    tried += [rng.permutation(count) for _ in range(draws)]
    cuts = np.unique(np.linspace(0, count, min(count, MOST_POINTS) + 1).round().astype(np.int64))
    sets = [tuple(map(int, o[:n])) for o in tried for n in cuts]
    sets += [tuple(map(int, o[n:])) for o in tried[: len(named)] for n in cuts]
    kept = list(dict.fromkeys(tuple(sorted(s)) for s in sets))  # orders share many sets
    value = dict(zip(kept, offer.without(customer, kept), strict=True))
    curves = np.array([value[tuple(sorted(s))] for s in sets]).reshape(-1, len(cuts))
    falls = (curves[:, :1] - curves).mean(1)
    random = falls[len(named) : len(tried)]
    out = {}
    for i, name in enumerate(named):
        share = float((1 + (random >= falls[i] - 1e-9).sum()) / (1 + draws))
        out[name] = Faithfulness(
            cuts,
            curves[i],
            float(falls[i]),
            random,
            share,
            share <= FAITHFUL if count >= FEWEST else None,
            curves[len(tried) + i],
            float(-falls[len(tried) + i]),
        )
    return out


def badge(
    scorer: FusedScorer,
    customer: Cohort,
    product: int,
    shares: np.ndarray,
    effects: np.ndarray,
    rng: np.random.Generator,
    draws: int = 40,
) -> Badge:
    """Test attention and measured effects for one offer, and say in words what to trust.

    Args:
        scorer: a trained network.
        customer: one customer.
        product: catalogue index of the offer.
        shares: attention to each event read, float [T].
        effects: fall of the score without each, float [T].
        rng: of the random orders and of the noise.
        draws: number of random orders.
    """
    offer = one_offer(scorer, product)
    orders = {"attention": np.argsort(-shares), "effect": np.argsort(-effects)}
    found = tests(offer, customer, orders, rng, draws)
    stable = stability(scorer, customer, offer.table, shares, rng)
    first = "attention" if found["attention"].faithful else "effect"
    return Badge(
        found["attention"], found["effect"], stable, first, _words(found, stable, len(shares))
    )


@torch.no_grad()
def stability(
    scorer: FusedScorer,
    customer: Cohort,
    table: Tensor,
    shares: np.ndarray,
    rng: np.random.Generator,
) -> float:
    """Mean rank correlation of attention with attention under small noise; NaN if untellable."""
    if len(shares) < 3 or np.ptp(shares) == 0:
        return float("nan")
    network = scorer.network.eval()
    encoded = sequences.encode(customer, scorer.given.customers)
    batch = sequences.batch(encoded, np.array([0]), scorer.length).to(table.device)
    start = network.profile(batch.numbers, batch.categories)
    events = torch.nn.functional.embedding(batch.products, table)
    size = NOISE * float(events.norm(dim=-1).mean()) / events.shape[-1] ** 0.5
    found = []
    for _ in range(SHAKES):
        noise = torch.from_numpy(rng.standard_normal(events.shape).astype(np.float32))
        _, trail = network.behaviour.explain(start, events + size * noise.to(table.device), batch)
        found.append(stats.spearmanr(attention.rolled_out(trail)[1:], shares).statistic)
    return float(np.mean(found))


def _words(found: dict[str, Faithfulness], stable: float, count: int) -> str:
    looked, measured = found["attention"], found["effect"]
    if looked.faithful is None:
        return (
            f"With {count} event{'s' * (count != 1)} it can't be told whether the network's "
            "attention shows what decides; the measured effects and the counterfactual count."
        )
    if looked.faithful:
        shaky = " Small noise changes its order, though." if stable < 0.7 else ""
        return (
            "Attention shows what decides here: leaving out the events it looks at most lowers "
            f"the score more than {_almost(looked)}.{shaky}"
        )
    ending = (
        f"; leaving events out by their measured effect beats {_almost(measured)}"
        if measured.faithful
        else ""
    )
    return (
        "Attention does not show what decides here: leaving out the events it looks at most "
        "lowers the score no more than leaving out events at random. Go by the counterfactual "
        f"and the measured effects{ending}."
    )


def _almost(found: Faithfulness) -> str:
    beaten = float((found.random_areas < found.area).mean())
    return "every random order tried" if beaten == 1 else f"{int(100 * beaten)} % of random orders"
