"""What a new way of offering would have earned, from logged decisions of an old one.

A log holds, of each decision, the product offered in the first place, the chance with which it was
chosen (propensity) and whether it was taken up. Estimators: inverse propensity scoring (Horvitz and
Thompson, 1952), its self-normalised form (Swaminathan and Joachims, 2015) and doubly robust (Dudik,
Langford and Li, 2011). Shapes: L decisions, N products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 1000
AMONG = 10  # a place is drawn among so many best


@dataclass(frozen=True)
class Estimate:
    """Take-up per decision under the new policy.

    Args:
        method: IPS, SNIPS, DR, or "as logged".
        value: estimate.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    method: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Estimates for a new policy on a log, beside what was logged.

    Args:
        estimates: as logged, IPS, SNIPS, DR.
        decisions: L.
        customers: different customers among them.
        effective: decisions that the weights are worth, (sum w)^2 / sum w^2.
        heaviest: largest weight.
        uncovered: share of decisions whose new choice the log can never have made.
    """

    estimates: tuple[Estimate, ...]
    decisions: int
    customers: int
    effective: float
    heaviest: float
    uncovered: float

    @property
    def trustworthy(self) -> bool:
        """Whether the log says enough about the new policy."""
        return self.effective >= 50 and self.uncovered <= 0.2


def estimate(
    new: np.ndarray,
    offered: np.ndarray,
    propensity: np.ndarray,
    reward: np.ndarray,
    model: np.ndarray,
    customer: np.ndarray,
    supported: np.ndarray | None = None,
    seed: int = 0,
) -> Comparison:
    """Estimate the new policy's take-up per decision; intervals by bootstrap over customers.

    Args:
        new: chance with which the new policy makes each offer, float [L, N]; rows sum to at most 1
            (the rest offers nothing and earns nothing).
        offered: catalogue index offered, int [L].
        propensity: chance with which it was, float [L], above 0.
        reward: 1 where it was taken up, else 0, [L].
        model: expected reward of each offer, float [L, N], for DR.
        customer: of each decision, [L]; decisions of one are drawn together.
        supported: bool [L, N], what the log could have offered; None: unknown.
        seed: of the bootstrap.

    Raises:
        ValueError: for a propensity that is not above 0 and at most 1.
    """
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("A propensity lies above 0 and at most 1.")
    rows = np.arange(len(offered))
    weight = new[rows, offered] / propensity
    reward = reward.astype(np.float64)
    direct = (new * model).sum(1)
    robust = direct + weight * (reward - model[rows, offered])
    _, person = np.unique(customer, return_inverse=True)
    # Sums by customer, so that a bootstrap draw is a product of counts and sums.
    columns = (reward, weight * reward, weight, robust, np.ones(len(rows)))
    sums = np.stack([np.bincount(person, weights=c) for c in columns], 1)
    count = len(sums)
    rng = np.random.default_rng(seed)
    draws = np.stack(
        [np.bincount(rng.integers(0, count, count), minlength=count) @ sums for _ in range(DRAWS)]
    )
    both = np.vstack([sums.sum(0), draws])
    logged, ips, dr = (both[:, i] / both[:, 4] for i in (0, 1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        snips = both[:, 1] / both[:, 2]
    found = []
    for name, values in (("as logged", logged), ("IPS", ips), ("SNIPS", snips), ("DR", dr)):
        spread = values[1:][np.isfinite(values[1:])]
        low, high = np.quantile(spread, [0.025, 0.975]) if len(spread) else (np.nan, np.nan)
        found.append(Estimate(name, float(values[0]), float(low), float(high)))
    square = float((weight**2).sum())
    uncovered = 0.0 if supported is None else float(np.where(supported, 0.0, new).sum(1).mean())
    return Comparison(
        tuple(found), len(rows), count, float(weight.sum() ** 2 / square) if square else 0.0,
        float(weight.max(initial=0.0)), uncovered,
    )  # fmt: skip


def explored(
    index: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lists whose first place is sometimes drawn at random, and the propensity of each place.

    With chance ``share`` the first place is drawn among the list's AMONG best; the product that
    stood there changes places with the one drawn.

    Args:
        index: int64 [B, k], best first, -1 where there is none.
        share: 0 to 1.
        rng: of the draws.

    Returns:
        The lists, int64 [B, k], and the chance of standing in the first place of each product
        listed, float64 [B, k].
    """
    out = index.copy()
    number = np.minimum((index >= 0).sum(1), AMONG)
    chance = np.zeros(index.shape)
    if index.shape[1] == 0:
        return out, chance
    places = np.arange(index.shape[1])
    drawn_from = np.maximum(number, 1)[:, None]
    chance[:] = np.where(places < drawn_from, share / drawn_from, 0.0)
    chance[:, 0] += 1 - share
    draw = (rng.random(len(index)) < share) & (number > 0)
    for b in np.flatnonzero(draw):
        place = int(rng.integers(0, number[b]))
        out[b, [0, place]] = out[b, [place, 0]]
        chance[b, [0, place]] = chance[b, [place, 0]]
    return out, chance
