"""The product graph by hand: weights of the paths, and the norm of Eq. (10)."""

import numpy as np
import pytest

from finrec.features import graph
from tests.training.test_balance import histories

TOLD = histories([0, 1, 2, 3, 4, 0, 1, 2, 2], [5, 2, 2])


@pytest.mark.parametrize("relation", ["followed", "shared"])
def test_edges_by_hand_and_their_norm(relation):
    raw = np.zeros((6, 6))
    for left in range(5):
        for right in range(left + 1, 5):
            apart = right - left
            near = 1 / apart if apart <= graph.WINDOW else 0.0
            raw[left, right] = near if relation == "followed" else 1 / 4
    raw[0, 1] += 1.0  # of the second customer; the third has one product twice
    raw += raw.T
    root = np.sqrt(np.maximum(raw.sum(1), 1e-9))
    found = graph.build(TOLD, 6, relation)
    np.testing.assert_allclose(found.matrix().toarray(), raw / root[:, None] / root, atol=1e-6)
    np.testing.assert_allclose(found.inverse_root_degree[:5], 1 / root[:5], rtol=1e-6)
    assert found.inverse_root_degree[5] == 0
