"""Buckets of days that training never meets are read as the nearest that it meets."""

import numpy as np
import torch

from finrec.config import ModelSettings
from finrec.features import sequences
from finrec.features.profile import Profile
from finrec.networks.attention import sinusoid
from finrec.networks.behaviour import BehaviourTransformer
from finrec.training.assemble import SIZES
from tests.training.test_balance import histories

DAY = 86_400


def test_a_gap_that_training_never_meets_is_the_nearest_met():
    times = np.tile(np.array([0, 0, 60, 91]) * DAY, 20)  # two at once, then 60 and 31 days later
    told = histories([0, 1, 0, 1] * 20, [4] * 20, times)
    gaps, past = sequences.nearest_met(told, 50)
    bucket = sequences.gap_bucket(np.array([0, 31, 60, 91, 200, 4000])).tolist()
    same, month, two, three, half, long = bucket
    assert gaps[[same, month, two, three, half, long]].tolist() == [
        month,
        month,
        two,
        two,
        two,
        two,
    ]
    assert past[[month, two, three, half, long]].tolist() == [month, two, three, three, three]
    none = sequences.N_GAPS - 1
    assert gaps[none] == none and past[none] == none


def test_what_is_met_too_seldom_is_not_met_and_where_nothing_is_all_stay():
    times = np.tile(np.array([0, 60]) * DAY, 19)
    gaps, _ = sequences.nearest_met(histories([0, 1] * 19, [2] * 19, times), 50)
    assert gaps.tolist() == list(range(sequences.N_GAPS))


def test_eq_1_and_a_gap_never_met_is_asked_about_as_the_nearest():
    told = histories([0, 1, 0], [3], np.array([0, 60, 91]) * DAY)
    batch = sequences.batch(sequences.encode(told, Profile()), np.array([0]), 20)
    bucket = int(batch.asof_gap[0])
    nearest = torch.arange(sequences.N_GAPS)
    nearest[bucket] = bucket - 1
    network = BehaviourTransformer(ModelSettings(width=8), SIZES, nearest=nearest).eval()
    start, events = torch.randn(1, 8), torch.randn(1, 3, 8)
    inputs = events + network.kind(batch.kinds) + network.amount(batch.amounts)
    inputs = torch.cat([start[:, None], inputs + network.gap(batch.gaps)], 1)
    expected = 8**0.5 * inputs + sinusoid(4, 8)
    torch.testing.assert_close(network._tokens(start, events, batch), expected)
    asked = network._queries(expected, batch) - expected - network.next
    gaps = torch.tensor([*batch.gaps[0].tolist(), bucket - 1])
    torch.testing.assert_close(asked[0], network.gap(gaps))


def test_the_latest_events_are_read_each_as_it_was():
    told = histories([0, 1, 2, 3, 4], [4, 1], np.array([0, 31, 62, 64, 5]) * DAY)
    batch = sequences.batch(sequences.encode(told, Profile()), np.array([1, 0]), 2)
    assert batch.products.tolist() == [[4, 0], [2, 3]] and batch.lengths.tolist() == [1, 2]
    assert batch.days.tolist() == [[5, 0], [62, 64]] and batch.months.tolist() == [[0, 0], [2, 2]]
    assert sequences.month(np.array([-1, 364, 365, 19_723 + 365]) * DAY).tolist() == [11, 11, 0, 11]
    gaps = sequences.gap_bucket(np.array([31, 2])).tolist()
    assert batch.gaps.tolist() == [[sequences.N_GAPS - 1, 0], gaps]


def test_events_of_one_moment_are_together_for_one_customer_alone():
    told = histories([0, 1, 2, 3, 4], [2, 3], np.array([5, 7, 7, 7, 9]) * DAY)
    encoded = sequences.encode(told, Profile())
    assert encoded.together.tolist() == [0, 0, 0, 1, 0]
    batch = sequences.batch(encoded, np.array([1]), 20, baskets=True)
    assert batch.asked.tolist() == [[0, 0, 2]]
