"""What many take of late as a part of the score: by hand, before the moment only."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from finrec import presets
from finrec.explain import explanation
from finrec.features import sequences, trend
from finrec.networks.trend import PAST_EDGES, Common, TrendTower
from finrec.split import split
from finrec.training import assemble, checkpoint, fit, losses, runs
from finrec.training.objective import Objective


def tower(moments=3, features=4, products=5):
    torch.manual_seed(0)
    made = TrendTower(
        torch.tensor([10, 20, 30])[:moments], torch.randn(moments, features, products)
    )
    torch.nn.init.normal_(made.scaled)
    return made


def test_additions_are_weighted_shares_of_the_moment_and_of_the_past():
    made = tower()
    days = torch.tensor([9, 10, 29, 30, 900, 30])
    before = torch.tensor([0, 1, 3, 4, 50, 0])
    found = made(days, before)
    rows, pasts = [0, 0, 1, 2, 2, 2], [0, 1, 2, 3, 3, 0]
    pairs = zip(rows, pasts, strict=True)
    expected = torch.stack([made.weights[g] @ made.shares[m] for m, g in pairs])
    torch.testing.assert_close(found.values[found.of_row], expected)
    assert len(PAST_EDGES) + 1 == len(made.weights)


@pytest.mark.parametrize("how", ["whole", "sampled", "scores"])
def test_the_loss_adds_it_to_whole_rows_in_value_and_gradient(monkeypatch, how):
    monkeypatch.setitem(losses.ROWS, "cpu", 7)
    torch.manual_seed(0)
    states, products = torch.randn(20, 6), torch.randn(11, 6)
    bias, targets, of_row = torch.randn(11), torch.randint(11, (20,)), torch.randint(4, (20,))
    values = torch.randn(4, 11, requires_grad=True)
    common = Common(of_row, values)
    told = (None, 0.0, 0.0, None, common)
    if how == "whole":
        ours = losses.softmax_over_catalogue(states, products, bias, targets, *told)
    elif how == "sampled":  # all of the others are drawn
        ours = losses.sampled_softmax(states, products, bias, targets, 11, *told)
    else:
        ours = losses.softmax_of_scores(states @ products.T + bias, targets, *told)
    ours.backward()
    found, values.grad = values.grad.clone(), None
    theirs = F.cross_entropy(states @ products.T + bias + values[of_row], targets)
    theirs.backward()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(found, values.grad, atol=1e-6, rtol=1e-4)


def built(small_dataset, **model):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="baseline", device="cpu",
        model={"width": 16, **model},
    )  # fmt: skip
    cut = split(small_dataset)
    given, histories = assemble.inputs(cut, "valid", settings)
    torch.manual_seed(1)
    network = assemble.network(given, settings).eval()
    torch.nn.init.normal_(network.trend.scaled)
    return network, given, histories, settings, cut


def test_training_reads_for_an_event_what_scoring_would_have_read_before_it(small_dataset):
    network, given, histories, settings, _ = built(small_dataset)
    objective = Objective(network, given, histories, settings)
    row = int(np.argmax(histories.lengths))
    batch = sequences.batch(objective.encoded, np.array([row]), 50, True)
    asked = network.trend.before_each(batch)
    known = histories.take([row])
    for event in range(int(histories.lengths[row])):
        count = int((known.times < known.times[event]).sum())
        then = replace(
            known,
            offsets=np.array([0, count]),
            products=known.products[:count],
            kinds=known.kinds[:count],
            times=known.times[:count],
            amounts=known.amounts[:count],
            asof=known.times[event : event + 1],
        )
        encoded = sequences.encode(then, given.customers)
        now = network.trend.now(sequences.batch(encoded, np.array([0]), 50))
        torch.testing.assert_close(asked.values[asked.of_row[event]], now[0])


def test_scores_have_it_once_and_evidence_names_it(small_dataset):
    network, given, histories, _, _ = built(small_dataset)
    batch = sequences.batch(
        sequences.encode(histories, given.customers), np.arange(len(histories)), 50
    )
    with torch.no_grad():
        scores, evidence = network(batch), network.explain(batch)
        network.trend.scaled.zero_()
        without = network(batch)
    torch.testing.assert_close(evidence.scores, scores)
    torch.testing.assert_close(sum(evidence.contributions.values()) + network.prior(), scores)
    torch.testing.assert_close(scores - without, evidence.contributions["trend"])
    assert evidence.contributions["trend"].std() > 0.1


def test_every_part_of_a_score_has_a_name_for_people(small_dataset):
    network, given, histories, _, _ = built(small_dataset, matching="mlp")
    batch = sequences.batch(sequences.encode(histories, given.customers), np.arange(3), 50)
    with torch.no_grad():
        found = network.explain(batch).contributions
    assert {"trend", "matching"} <= set(found) <= set(explanation.TOWERS)


def test_it_is_of_the_training_part_and_of_the_moment_that_is_asked_about(small_dataset):
    _, given, histories, _, cut = built(small_dataset)
    assert given.trend.counts.sum() == np.isin(histories.kinds, assemble.trends.TAKEN).sum()
    assert given.trend.until == cut.valid.cases.customers.asof[0] // 86_400
    assert given.trend.days.max() < given.trend.until
    assert trend.shares(given.trend, given.known)[0][-1] == given.trend.until


def test_where_moments_are_not_known_there_is_none_and_it_can_be_left_out(small_dataset):
    settings = presets.settings(small_dataset.info, "small@0", "quick", parts="baseline")
    undated = settings.model_copy(update={"protocol": "R1"})
    given, _ = assemble.inputs(split(small_dataset, "R1"), "valid", undated)
    assert given.trend is None and assemble.network(given, undated).trend is None
    off = presets.settings(
        small_dataset.info, "small@0", "quick", parts="baseline", model={"trend": False}
    )
    given, _ = assemble.inputs(split(small_dataset), "valid", off)
    assert given.trend is None and assemble.network(given, off).trend is None


def test_a_run_keeps_it_and_one_from_before_it_loads_without(small_dataset):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="baseline", device="cpu",
        model={"width": 16}, train={"epochs": 1},
    )  # fmt: skip
    cut = split(small_dataset)
    given, histories = assemble.inputs(cut, "test", settings)
    scorer = fit.fit(given, histories, settings, None, epochs=1).scorer
    torch.nn.init.normal_(scorer.network.trend.scaled)
    kept = runs.write("kept", scorer, settings, {}, {"created": "now"})
    again = kept.scorer()
    for name, value in vars(given.trend).items():
        np.testing.assert_array_equal(getattr(again.given.trend, name), value)
    for found, value in zip(again.given.nearest, given.nearest, strict=True):
        np.testing.assert_array_equal(found, value)
    np.testing.assert_array_equal(again.score(histories), scorer.score(histories))

    told = checkpoint.read_json(kept.path / "config.json")
    del told["model"]["trend"]
    checkpoint.write_json(kept.path / "config.json", told)
    assert not runs.find("kept").settings.model.trend
