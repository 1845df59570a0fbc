"""How an epoch over few customers is cut into steps.

With a batch of 256 an epoch over 300 customers would be two steps, and a model of few epochs would
have learned nothing. So batches become smaller, and where customers are few an epoch is several
passes over them.
"""

from __future__ import annotations

import math

from finrec.config import RunSettings

FEWEST_STEPS = 20  # of an epoch
FEWEST_SEEN = 6_000  # customers that an epoch sees, in at most so many passes:
MOST_PASSES = 3
AVERAGED = 0.5  # epochs that weights are averaged over where data are split by time
LEAST_BATCH = 8


def average(settings: RunSettings) -> float:
    """Epochs that weights are averaged over: as told, else a few where data are split by time.

    What comes later is not quite like what was learned from, and the weights of single steps, with
    which the number of epochs is chosen, differ there more than they learn.
    """
    told = settings.train.average
    if told is not None:
        return told
    return AVERAGED if settings.protocol == "R2" else 0.0


def batch_size(customers: int, most: int) -> int:
    """Customers of a batch: ``most``, or fewer where an epoch would else have too few steps."""
    return min(most, max(LEAST_BATCH, math.ceil(customers / FEWEST_STEPS)))


def passes(customers: int, batch: int) -> int:
    """Passes over the customers that make an epoch, at least 1."""
    seen = math.ceil(FEWEST_SEEN / max(1, customers))
    steps = math.ceil(FEWEST_STEPS / max(1, math.ceil(customers / batch)))
    return max(1, steps, min(MOST_PASSES, seen))
