"""Rare products count as much as the settings say; events of one moment don't see each other."""

import numpy as np
import pandas as pd
import pytest
import torch

from finrec import presets
from finrec.config import TrainSettings
from finrec.features import profile, sequences
from finrec.scorer import Cohort
from finrec.training import balance


def histories(products, lengths, times=None):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    products = np.asarray(products, dtype=np.int64)
    return Cohort(
        ids=np.array([str(i) for i in range(len(lengths))], dtype=object),
        offsets=offsets,
        products=products,
        kinds=np.zeros(len(products), dtype=np.int64),
        times=np.asarray(times if times is not None else np.arange(len(products)) * 86_400),
        amounts=np.full(len(products), np.nan, dtype=np.float32),
        asof=np.full(len(lengths), 10**9, dtype=np.int64),
        profile=pd.DataFrame(index=range(len(lengths))),
    )


FOUR_TO_ONE = histories([0, 0, 0, 0, 1], [2, 2, 1])


def test_class_weights_make_products_count_the_same():
    train = TrainSettings(balance="weights", balance_power=1.0)
    weights = balance.event_weights(FOUR_TO_ONE, 3, train)
    assert weights[:4].sum() == pytest.approx(weights[4:].sum())
    assert weights.mean() == pytest.approx(1.0)
    assert balance.event_weights(FOUR_TO_ONE, 3, TrainSettings()) is None


def test_class_weights_and_age_multiply():
    both = TrainSettings(balance="weights", balance_power=1.0, half_life_days=1.0)
    age = TrainSettings(half_life_days=1.0)
    only = balance.event_weights(FOUR_TO_ONE, 3, age)
    np.testing.assert_allclose(only, [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1], rtol=1e-6)
    ratio = balance.event_weights(FOUR_TO_ONE, 3, both) / only
    assert ratio[4] == pytest.approx(4 * ratio[0])


def test_under_sampling_keeps_the_rare_and_thins_the_frequent():
    many = histories([0] * 16 + [1] * 4 + [2], [21])
    kept = balance.kept(many, 4, TrainSettings(balance="under", balance_power=1.0))
    np.testing.assert_allclose(kept[:3], [0.25, 1, 1])
    assert balance.kept(many, 4, TrainSettings()) is None


def test_over_sampling_draws_customers_of_rare_products_more_often():
    train = TrainSettings(balance="over", balance_power=1.0)
    rng = np.random.default_rng(0)
    rows = np.concatenate([balance.drawn(FOUR_TO_ONE, 3, train, rng) for _ in range(400)])
    share = np.bincount(rows) / len(rows)
    np.testing.assert_allclose(share, [1 / 6, 1 / 6, 4 / 6], atol=0.05)
    np.testing.assert_array_equal(balance.drawn(FOUR_TO_ONE, 3, TrainSettings(), rng), [0, 1, 2])


def test_events_of_one_moment_are_asked_for_from_before_it():
    day = 86_400
    times = [day, day, 2 * day, 2 * day, 2 * day, 2 * day]
    two = histories([0, 1, 2, 0, 1, 2], [5, 1], times)  # the second customer's is another's moment
    encoded = sequences.encode(two, profile.fit(two.profile))
    rows = np.array([0, 1])
    assert sequences.batch(encoded, rows, 50).asked.tolist() == [[0, 1, 2, 3, 4]] * 2
    together = sequences.batch(encoded, rows, 50, baskets=True)
    assert together.asked[0].tolist() == [0, 0, 2, 2, 2] and together.asked[1, 0] == 0
    cut = sequences.batch(encoded, rows, 2, baskets=True)  # its moment began before the cut
    assert cut.asked[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    "chosen",
    [{"balance": "weights"}, {"balance": "over"}, {"balance": "under"}, {"focal": 2.0},
     {"negatives": 3}],
    ids=str,
)  # fmt: skip
def test_every_choice_learns(small_dataset, chosen):
    from finrec.split import split
    from finrec.training import assemble, fit

    parts = split(small_dataset)
    settings = presets.settings(
        small_dataset.info, "x@0", "quick", "+gnn", train={"epochs": 3, **chosen},
        model={"width": 16},
    )  # fmt: skip
    given, learned = assemble.inputs(parts, "valid", settings)
    fitted = fit.fit(given, learned, settings, validate=None, epochs=3)
    losses = [c["loss"] for c in fitted.curve]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    scores = fitted.scorer.score(parts.valid.cases.customers)
    assert torch.isfinite(torch.from_numpy(scores)).all()
