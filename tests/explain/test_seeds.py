"""Stability over seeds: a copy agrees wholly, another network less, and none is not told."""

import numpy as np
import pytest

from finrec import presets
from finrec.explain import report, seeds
from finrec.split import split
from finrec.training import assemble, fit


@pytest.fixture(scope="module")
def trained(small_dataset):
    cut = split(small_dataset)
    found = []
    for seed in (0, 1):
        settings = presets.settings(
            small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
            model={"width": 16, "dropout": 0.1}, train={"epochs": 4, "batch": 8, "seed": seed},
        )  # fmt: skip
        given, histories = assemble.inputs(cut, "valid", settings)
        found.append(fit.fit(given, histories, settings, None, epochs=4).scorer)
    return found, histories


def test_the_same_network_agrees_wholly_and_another_less(trained):
    (first, second), histories = trained
    told = []
    for row in np.flatnonzero(histories.lengths >= 5)[:6]:
        one = histories.take([int(row)])
        mine = report.importances(first, one, 3)
        own = seeds.stability([first], one, 3, mine["effect"], mine["attention"])
        assert own.others == 1
        assert own.effect == pytest.approx(1) and own.attention == pytest.approx(1)
        assert "same events decide" in own.sentence
        told.append(seeds.stability([second], one, 3, mine["effect"], mine["attention"]).effect)
    assert all(-1 <= v <= 1 for v in told) and np.mean(told) < 0.999


def test_without_another_seed_it_says_so(trained):
    (first, second), histories = trained
    one = histories.take([0])
    none = seeds.stability([], one, 3, np.ones(2), np.ones(2))
    assert none.others == 0 and np.isnan(none.effect) and "can't be told" in none.sentence
    few = seeds.stability([second], one, 3, np.ones(2), np.ones(2))
    assert np.isnan(few.effect) and "Too few events" in few.sentence
    other = seeds.Seeds(2, 0.2, 0.1)
    assert "other events decide" in other.sentence and "2 other trainings" in other.sentence
