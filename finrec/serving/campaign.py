"""Who gets which offer of a campaign: the best allocation within budgets and caps; its forecast.

The allocation is a linear program. Its rows are two laminar families of sets (offers of a customer
within those of the customer's group; offers of a product within all offers), so that its matrix is
totally unimodular and a corner of the polytope, which the dual simplex finds, is whole: the optimum
over whole offers, without branching (Edmonds, 1970; Schrijver, 2003, theorem 41.11). A budget of
money with unequal costs breaks that; then HiGHS branches and tells how close it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.signal import fftconvolve
from scipy.stats import gamma, norm, poisson

from finrec.schema import DataError

NODES = 24  # quantiles that stand for the distribution of a factor
EXACT = 500  # offers
SECONDS = 60.0  # after which branching stops with the best found


@dataclass(frozen=True)
class Limits:
    """What an allocation must keep to.

    Args:
        cap: most offers a customer.
        budgets: most offers of each product, int64 [N].
        total: most offers in all; None: as many as the products' budgets allow.
        least: fewest offers of each product, int64 [N]; None: none.
        most_share: most of all offers that one product may have, 0 to 1 (diversity).
        parity: 0 to 1: each group of customers gets at least this part of its fair share.
        cost: money that an offer of each product costs, float64 [N]; None: none.
        money: most money in all; None: any.
    """

    cap: int
    budgets: np.ndarray
    total: int | None = None
    least: np.ndarray | None = None
    most_share: float = 1.0
    parity: float = 0.0
    cost: np.ndarray | None = None
    money: float | None = None


@dataclass(frozen=True)
class Allocation:
    """The offers of a campaign.

    Args:
        rows: row of the customer of each offer, int64 [L], ascending.
        products: catalogue index of each offer, int64 [L].
        value: sum of the offers' values.
        bound: no allocation is worth more than this.
    """

    rows: np.ndarray
    products: np.ndarray
    value: float
    bound: float

    @property
    def optimal(self) -> bool:
        """Whether nothing better exists (to one part in a million)."""
        return self.bound - self.value <= 1e-6 * max(abs(self.bound), 1.0)


@dataclass(frozen=True)
class Forecast:
    """How many offers will be taken up.

    Args:
        expected: mean.
        low: lower end of the interval.
        high: upper end.
        level: chance that the number lies within.
    """

    expected: float
    low: int
    high: int
    level: float


def allocate(
    value: np.ndarray, allowed: np.ndarray, limits: Limits, group: np.ndarray | None = None
) -> Allocation:
    """The allowed offers with the largest sum of values within the limits.

    Args:
        value: float [B, N] of each offer; offers worth nothing or less are not made, unless
            ``least`` or ``parity`` asks for them.
        allowed: bool [B, N].
        limits: cap, budgets and the rest.
        group: of each customer, [B], for ``parity``.

    Raises:
        DataError: when the limits contradict each other.
    """
    _check(value, limits)
    rows, products = _candidates(value, allowed, limits)
    if not len(rows):
        return Allocation(rows, products, 0.0, 0.0)
    worth = value[rows, products].astype(np.float64)
    first = _solve(rows, products, worth, limits, [])
    if limits.most_share >= 1 and limits.parity <= 0:
        return first
    # Shares are of the number of offers that would be made without them.
    number = len(first.rows)
    extra: list[tuple[np.ndarray, int, int]] = []  # offers concerned, fewest, most
    if limits.most_share < 1:
        most = max(int(np.ceil(limits.most_share * number)), 1)
        extra += [(products == p, 0, most) for p in np.unique(products)]
    if limits.parity > 0 and group is not None:
        reached = group[np.unique(rows)]
        for name in np.unique(reached):
            fair = number * float((reached == name).mean())
            extra.append((group[rows] == name, int(np.floor(limits.parity * fair)), number))
    return _solve(rows, products, worth, limits, extra)


def _check(value: np.ndarray, limits: Limits) -> None:
    n = value.shape[1]
    if not np.isfinite(value).all():
        raise ValueError("Values must be finite.")
    if len(limits.budgets) != n:
        raise ValueError(f"There must be a budget for each of {n} products.")
    if limits.cap < 1 or (limits.budgets < 0).any():
        raise DataError("A campaign needs a cap of 1 or more and budgets of 0 or more.")
    if limits.least is not None and (limits.least > limits.budgets).any():
        raise DataError(
            "A product's fewest offers exceed its budget; raise one or lower the other."
        )
    if not 0 < limits.most_share <= 1 or not 0 <= limits.parity <= 1:
        raise DataError("Shares lie between 0 and 1.")


def _candidates(
    value: np.ndarray, allowed: np.ndarray, limits: Limits
) -> tuple[np.ndarray, np.ndarray]:
    """Offers that an optimum may need.

    Of a product, the K best customers suffice when K offers are made at most: were another one
    chosen, one of the K would have no offer at all and be worth at least as much.
    """
    forced = limits.least is not None or limits.parity > 0
    open_ = allowed & (limits.budgets > 0)
    if not forced:
        open_ &= value > 0
    most = int(limits.budgets.sum())
    most = most if limits.total is None else min(most, limits.total)
    if limits.parity <= 0 and 0 < most < len(value):
        masked = np.where(open_, value, -np.inf)
        best = np.argpartition(-masked, most - 1, axis=0)[:most]
        kept = np.zeros_like(open_)
        np.put_along_axis(kept, best, True, axis=0)
        open_ &= kept
    rows, products = np.nonzero(open_)
    return rows, products


def _solve(
    rows: np.ndarray,
    products: np.ndarray,
    worth: np.ndarray,
    limits: Limits,
    extra: Iterable[tuple[np.ndarray, int, int]],
) -> Allocation:
    m = len(rows)
    people, person = np.unique(rows, return_inverse=True)
    goods, good = np.unique(products, return_inverse=True)
    ones = np.ones(m)
    blocks = [
        sparse.csr_matrix((ones, (person, np.arange(m))), (len(people), m)),
        sparse.csr_matrix((ones, (good, np.arange(m))), (len(goods), m)),
    ]
    low = [np.zeros(len(people)), np.zeros(len(goods))]
    high = [np.full(len(people), limits.cap), limits.budgets[goods]]
    if limits.least is not None:
        low[1] = limits.least[goods].astype(np.float64)
    concerned = list(extra)
    if limits.total is not None:
        concerned.append((np.ones(m, bool), 0, limits.total))
    for mask, fewest, most in concerned:
        blocks.append(sparse.csr_matrix(mask.astype(np.float64)[None, :]))
        low.append(np.array([fewest]))
        high.append(np.array([most]))
    matrix, least, most_ = sparse.vstack(blocks).tocsr(), np.concatenate(low), np.concatenate(high)
    if limits.money is not None and limits.cost is not None:
        spent = sparse.csr_matrix(limits.cost[products][None, :])
        rows_ = LinearConstraint(
            sparse.vstack([matrix, spent]), np.append(least, 0), np.append(most_, limits.money)
        )
        found = milp(
            -worth, integrality=ones, bounds=Bounds(0, 1), constraints=rows_,
            options={"time_limit": SECONDS, "mip_rel_gap": 1e-6},
        )  # fmt: skip
        bound = None if found.x is None else -float(found.mip_dual_bound)
    else:
        needs = least > 0
        both = sparse.vstack([matrix, -matrix[needs]])
        right = np.concatenate([most_, -least[needs]])
        found = linprog(-worth, A_ub=both, b_ub=right, bounds=(0, 1), method="highs-ds")
        bound = None if found.x is None else -float(found.fun)
    if found.x is None or bound is None:
        raise DataError(
            "No campaign keeps to these limits; lower the fewest offers or the parity, or raise "
            "budgets and caps."
        )
    chosen = found.x > 0.5
    if np.abs(found.x - chosen).max() > 1e-5:
        raise AssertionError("The program's corner is not whole.")
    return Allocation(rows[chosen], products[chosen], float(worth[chosen].sum()), bound)


def take_up(
    probability: np.ndarray,
    level: float = 0.9,
    product: np.ndarray | None = None,
    spread: float = 0.0,
) -> Forecast:
    """Number of offers taken up when each is with its own probability: Poisson binomial.

    Customers decide independently, but a product's demand as a whole may be above or below what
    its probabilities say (a season, a rate): by a factor of mean 1 and standard deviation
    ``spread``, gamma distributed, one for each product.

    Args:
        probability: of each offer, float [L].
        level: of the interval.
        product: of each offer, [L]; None: all are of one.
        spread: as measured on a held-out period (:func:`spread_of`); 0: none.
    """
    probability = np.asarray(probability, dtype=np.float64)
    if len(probability) == 0:
        return Forecast(0.0, 0, 0, level)
    names = np.zeros(len(probability)) if product is None or spread <= 0 else product
    whole = np.ones(1)
    for name in np.unique(names):
        whole = _convolved(whole, _shifted(probability[names == name], spread))
    cumulative = np.cumsum(whole / whole.sum())
    tail = (1 - level) / 2
    low = int(np.searchsorted(cumulative, tail))
    high = int(np.searchsorted(cumulative, 1 - tail))
    return Forecast(float(probability.sum()), low, min(high, len(probability)), level)


def _shifted(probability: np.ndarray, spread: float) -> np.ndarray:
    """Chance of each number of successes of one product, its demand's factor averaged out."""
    if spread <= 0:
        return _counted(probability)
    shape = 1 / spread**2
    factors = gamma.ppf((np.arange(NODES) + 0.5) / NODES, shape, scale=1 / shape)
    factors *= 1 / factors.mean()
    parts = [_counted(np.minimum(probability * f, 1.0)) for f in factors]
    return np.asarray(np.mean(parts, axis=0))


def _counted(probability: np.ndarray) -> np.ndarray:
    """Chance of each number of successes; exact up to EXACT offers.

    Beyond, a normal on whole numbers where the variance is large, else a translated Poisson with
    the same mean and nearly the same variance (Roellin, 2007).
    """
    if len(probability) <= EXACT:
        return distribution(probability)
    mean, variance = float(probability.sum()), float((probability * (1 - probability)).sum())
    numbers = np.arange(len(probability) + 1)
    if variance >= 100:
        return np.diff(norm.cdf(np.append(numbers, len(numbers)) - 0.5, mean, np.sqrt(variance)))
    shift = int(mean - variance)
    return np.asarray(poisson.pmf(numbers - shift, mean - shift))


def spread_of(expected: np.ndarray, variance: np.ndarray, happened: np.ndarray) -> float:
    """Standard deviation of the factor by which products' demand misses its forecast.

    By moments: what the squared misses exceed the variance of independent decisions.

    Args:
        expected: of each product, float [N].
        variance: of its number if customers decide independently, float [N].
        happened: its number, [N].
    """
    excess = float(((happened - expected) ** 2 - variance).sum())
    return float(np.sqrt(max(excess, 0.0) / max(float((expected**2).sum()), 1e-12)))


def distribution(probability: np.ndarray) -> np.ndarray:
    """Chance of each number of successes, float64 [L + 1], by convolving halves."""
    parts = [np.array([1 - p, p]) for p in np.asarray(probability, dtype=np.float64)]
    parts = parts or [np.ones(1)]
    while len(parts) > 1:
        pairs = [_convolved(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + (parts[-1:] if len(parts) % 2 else [])
    return parts[0] / parts[0].sum()


def _convolved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # Rounding of the transform may leave tiny negative chances.
    return np.convolve(a, b) if min(len(a), len(b)) < 200 else np.maximum(fftconvolve(a, b), 0)
