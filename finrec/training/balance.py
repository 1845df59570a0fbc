"""How much each event counts in learning: by its age, and so that rare products are not drowned.

The paper's choices against class imbalance: class weights, over-sampling, under-sampling.
"""

from __future__ import annotations

import numpy as np

from finrec.config import TrainSettings
from finrec.scorer import SECONDS_PER_DAY, Cohort


def event_weights(histories: Cohort, n_products: int, train: TrainSettings) -> np.ndarray | None:
    """Weight of each event as a target, float32 [E]; None when all count the same."""
    if not len(histories.times):
        return None
    weights = np.ones(len(histories.times))
    if train.half_life_days is not None:
        age = (histories.times.max() - histories.times) / SECONDS_PER_DAY
        weights *= 0.5 ** (age / train.half_life_days)
    if train.balance == "weights":
        rare = _rarity(histories, n_products, train.balance_power)[histories.products]
        weights *= rare / rare.mean()
    elif train.half_life_days is None:
        return None
    return weights.astype(np.float32)


def kept(histories: Cohort, n_products: int, train: TrainSettings) -> np.ndarray | None:
    """Under-sampling: chance that an event of each product is learned from, float32 [N], or None.

    A product of median frequency and rarer ones are always kept.
    """
    if train.balance != "under" or not len(histories.products):
        return None
    counts = np.bincount(histories.products, minlength=n_products).astype(float)
    median = np.median(counts[counts > 0])
    rate = (median / np.maximum(counts, 1)) ** train.balance_power
    return np.minimum(rate, 1).astype(np.float32)


def drawn(
    histories: Cohort, n_products: int, train: TrainSettings, rng: np.random.Generator
) -> np.ndarray:
    """Rows of the customers of one pass, int64: everybody once, or drawn for rare products.

    Over-sampling draws as many customers as there are, with replacement; a customer's chance goes
    with the rarest product in the history.
    """
    count = len(histories)
    if train.balance != "over" or not len(histories.products):
        return np.arange(count)
    rare = _rarity(histories, n_products, train.balance_power)[histories.products]
    chance = np.zeros(count)
    np.maximum.at(chance, histories.rows(), rare)
    return np.sort(rng.choice(count, size=count, p=chance / chance.sum()))


def _rarity(histories: Cohort, n_products: int, power: float) -> np.ndarray:
    counts = np.bincount(histories.products, minlength=n_products)
    return np.asarray(np.maximum(counts, 1.0) ** -power)
