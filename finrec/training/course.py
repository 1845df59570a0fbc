"""How an epoch over few customers is cut into steps.

With a batch of 256 an epoch over 300 customers would be two steps, and a model of few epochs would
have learned nothing. So batches become smaller, and where customers are very few an epoch is
several passes over them.
"""

from __future__ import annotations

import math

FEWEST_STEPS = 20  # of an epoch
LEAST_BATCH = 8


def batch_size(customers: int, most: int) -> int:
    """Customers of a batch: ``most``, or fewer where an epoch would else have too few steps."""
    return min(most, max(LEAST_BATCH, math.ceil(customers / FEWEST_STEPS)))


def passes(customers: int, batch: int) -> int:
    """Passes over the customers that make an epoch, at least 1."""
    return max(1, math.ceil(FEWEST_STEPS / max(1, math.ceil(customers / batch))))
