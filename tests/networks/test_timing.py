"""The second task: waits by hand, likelihood by hand, nothing of the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from finrec.features import sequences
from finrec.networks.timing import EDGES, TimingHead, waits
from finrec.presets import settings
from finrec.scorer import KINDS, TAKEN
from finrec.split import split
from finrec.training import assemble, fit, runs


@pytest.fixture
def taught(small_dataset):
    """Settings, inputs, histories."""
    chosen = settings(
        small_dataset.info, "small@0", "quick", parts="baseline",
        model={"width": 16, "length": 20}, train={"epochs": 3, "batch": 16},
    )  # fmt: skip
    return chosen, *assemble.inputs(split(small_dataset), "valid", chosen)


@pytest.mark.parametrize("days_told", [1, 60])
def test_waits_by_hand(taught, days_told):
    _, given, histories = taught
    step = days_told * 86_400  # what is told once in so many days is of one day
    histories = replace(histories, times=histories.times // step * step)
    rows = np.arange(len(histories))
    batch = sequences.batch(sequences.encode(histories, given.customers), rows, 20)
    last, days, ended = waits(batch, torch.tensor(TAKEN))
    at = 0
    for row in rows:
        own = slice(*histories.offsets[row : row + 2])
        day = (histories.times[own] // 86_400)[-20:]
        taken = np.isin(histories.kinds[own], TAKEN)[-20:]
        for place in range(len(day)):
            final = place == len(day) - 1 or day[place + 1] > day[place]
            assert last[row, place] == final
            if not final:
                continue
            later = [d for d, t in zip(day[place + 1 :], taken[place + 1 :], strict=True) if t]
            end = later[0] if later else histories.asof[row] // 86_400
            assert ended[at] == bool(later) and days[at] == max(end - day[place], 0)
            at += 1
        assert not last[row, len(day) :].any()
    assert at == len(days)


def test_likelihood_and_chance_by_hand():
    head = TimingHead(3)
    torch.nn.init.normal_(head.hazard.weight)
    states = torch.randn(4, 3)
    logits = head(states)
    hazard = torch.sigmoid(logits)
    # Ended on day 10 (second bucket); goes on at 5, past the middle of the first; goes on at 8,
    # before the middle of the second; ended after all edges.
    days = torch.tensor([10.0, 5.0, 8.0, EDGES[-1] + 1])
    ended = torch.tensor([True, False, False, True])
    stay = torch.log(1 - hazard)
    parts = [
        stay[0, 0] + torch.log(hazard[0, 1]), stay[1, 0], stay[2, 0],
        stay[3, :-1].sum() + torch.log(hazard[3, -1]),
    ]  # fmt: skip
    terms = 2 + 1 + 1 + len(EDGES) + 1
    torch.testing.assert_close(head.loss(logits, days, ended), -sum(parts) / terms)
    whole = head.chance(logits, torch.zeros(4), EDGES[1], 1.0)
    torch.testing.assert_close(whole, 1 - (1 - hazard[:, 0]) * (1 - hazard[:, 1]))
    since = torch.tensor([0.0, 7.0, 10.0, 1000.0])
    chances = [head.chance(logits, since, w, 1.0) for w in (1.0, 30.0, 400.0, 4000.0)]
    for near, far in zip(chances, chances[1:], strict=False):
        assert (near < far).all() and (far <= 1).all() and (near > 0).all()
    twice = head.chance(logits, since, 30.0, 2.0)
    torch.testing.assert_close(twice, 1 - (1 - chances[1]) ** 2)


def test_what_is_known_after_an_event_depends_on_nothing_later(taught):
    chosen, given, histories = taught
    torch.manual_seed(0)
    network = assemble.network(given, chosen).eval()
    row = int(np.argmax(histories.lengths))
    one = histories.take([row])
    later = replace(one, times=one.times + np.arange(len(one.times)) // 3 * 900 * 86_400)
    found = []
    for cohort in (one, later):
        batch = sequences.batch(sequences.encode(cohort, given.customers), np.array([0]), 20)
        with torch.no_grad():
            found.append(network.moments(batch, network.products())[1][0])
    torch.testing.assert_close(found[0][:4], found[1][:4])  # the start and three events
    assert not torch.allclose(found[0][4:], found[1][4:])


def test_it_is_learned_beside_the_product_and_kept(taught, home):
    chosen, given, histories = taught
    done = fit.fit(given, histories, chosen, validate=None, epochs=3)
    told = done.scorer.chance(histories, 90)
    assert np.isfinite(told).all() and np.ptp(told) > 0
    assert done.scorer.network.timing.hazard.weight.abs().sum() > 0
    kept = runs.write("timed", done.scorer, chosen, {}, {})
    np.testing.assert_allclose(kept.scorer().chance(histories, 90), told, rtol=1e-5)
    none = histories.take([0])
    none = replace(
        none, offsets=np.zeros(2, np.int64),
        **{n: getattr(none, n)[:0] for n in ("products", "kinds", "times", "amounts")},
    )  # fmt: skip
    assert np.isnan(done.scorer.chance(none, 90)).all()
    off = chosen.model_copy(update={"model": chosen.model.model_copy(update={"timing": False})})
    assert assemble.network(given, off).timing is None
    with pytest.raises(ValueError, match="not taught"):
        replace(done.scorer, network=assemble.network(given, off)).chance(histories, 90)


def test_the_kinds_that_count_are_acquisitions():
    assert {KINDS[code] for code in TAKEN} == {"acquired", "rated", "traded", "other"}


def test_settled_hazards_are_the_frequencies_of_a_constant_state():
    head = TimingHead(1)
    days = torch.tensor([3.0] * 30 + [10.0] * 20 + [100.0] * 50)
    ended = torch.tensor([True] * 50 + [False] * 50)
    head.settle(torch.zeros(100, 1), days, ended)
    hazard = torch.sigmoid(head(torch.zeros(1, 1)))[0]
    torch.testing.assert_close(hazard[0], torch.tensor(0.3), atol=1e-3, rtol=0)
    torch.testing.assert_close(hazard[1], torch.tensor(20 / 70), atol=1e-3, rtol=0)
    assert (hazard[2:5] < 0.01).all()
