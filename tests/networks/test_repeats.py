"""The own past: which pairs there are, how long ago, and that training and scoring agree."""

import numpy as np
import pandas as pd
import torch

from finrec.features import profile, sequences
from finrec.networks.repeats import RepeatTower, own_past
from tests.training.test_balance import histories

DAY = 86_400
EDGES = torch.tensor(sequences.GAP_EDGES.tolist()).float()


def batch(baskets=True, length=50):
    times = [day * DAY for day in (10, 40, 40, 50, 10)]
    two = histories([0, 1, 2, 0, 2], [4, 1], times)
    two.asof[:] = 55 * DAY
    encoded = sequences.encode(two, profile.fit(pd.DataFrame(index=range(2))))
    return sequences.batch(encoded, np.array([0, 1]), length, baskets)


def listed(past):
    return list(zip(past.rows.tolist(), past.products.tolist(), past.gaps.tolist(), strict=True))


def bucket(days):
    return int(np.searchsorted(sequences.GAP_EDGES, days, side="right"))


def test_now_every_product_stands_once_with_its_latest_day():
    assert listed(own_past(batch(), EDGES, asked=False)) == [
        (0, 1, bucket(15)), (0, 2, bucket(15)), (0, 0, bucket(5)), (1, 2, bucket(45))
    ]  # fmt: skip


def test_a_target_sees_what_was_taken_before_its_moment_only():
    assert listed(own_past(batch(), EDGES, asked=True)) == [
        (1, 0, bucket(30)), (2, 0, bucket(30)),
        (3, 0, bucket(40)), (3, 1, bucket(10)), (3, 2, bucket(10)),
    ]  # fmt: skip
    apart = listed(own_past(batch(baskets=False), EDGES, asked=True))
    assert (2, 1, bucket(0)) in apart, "without baskets the one before on the same day is seen"


def test_an_empty_batch_has_no_past():
    nobody = histories([], [0, 0])
    encoded = sequences.encode(nobody, profile.fit(pd.DataFrame(index=range(2))))
    empty = sequences.batch(encoded, np.array([0, 1]), 5)
    assert listed(own_past(empty, EDGES, asked=False)) == []


def test_the_score_is_base_and_dot_product():
    tower = RepeatTower(sequences.GAP_EDGES.tolist(), 4)
    torch.nn.init.normal_(tower.base)
    torch.nn.init.normal_(tower.kind)
    vectors = torch.randn(3, 4)
    past = own_past(batch(), EDGES, asked=False)
    expected = [
        tower.base[g] + vectors[p] @ tower.kind[g] / 2
        for p, g in zip(past.products, past.gaps, strict=True)
    ]
    torch.testing.assert_close(tower(vectors, past), torch.stack(expected))
