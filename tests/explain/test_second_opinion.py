"""Integrated gradients are complete, one product's score is the network's, the report is honest."""

import numpy as np
import pandas as pd
import pytest
import torch

from finrec import presets
from finrec.explain import (
    attention,
    explanation,
    faithfulness,
    integrated_gradients,
    report,
    single,
    variants,
)
from finrec.features.company import Company
from finrec.serving.recommender import offerable
from finrec.split import split
from finrec.training import assemble, fit


def company(scorer, histories):
    return Company.of(histories, len(scorer.given.catalogue))


@pytest.fixture(scope="module")
def fitted(small_dataset):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
        model={"width": 16, "dropout": 0.1}, train={"epochs": 8, "batch": 8},
    )  # fmt: skip
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    scorer = fit.fit(given, histories, settings, None, epochs=8).scorer
    scorer.network.paths.strength.fill_(1.0)
    scorer.network.paths.sharpness.fill_(20.0)
    scorer.network.paths.decay.fill_(0.8)
    if scorer.network.repeats is not None:
        torch.nn.init.normal_(scorer.network.repeats.base)
    return scorer, histories


def test_one_products_score_is_the_networks(fitted):
    scorer, histories = fitted
    full = scorer.score(histories)
    for offer in (0, 5, 11):
        np.testing.assert_allclose(
            single.one_offer(scorer, offer).of(histories), full[:, offer], atol=1e-4
        )


def test_integrated_gradients_add_up_to_the_score(fitted):
    scorer, histories = fitted
    for row in range(0, 40, 4):
        found = integrated_gradients.attribute(scorer, histories.take([row]), 4)
        assert len(found.events) == min(histories.lengths[row], scorer.length)
        assert set(found.attributes) == {"age", "income", "occupation", "student"}
        total = found.events.sum() + sum(found.attributes.values())
        assert abs(total - found.whole) == pytest.approx(found.missed, abs=1e-4)
        parts = np.abs([*found.events, *found.attributes.values()]).sum()
        assert found.complete and found.missed <= 0.02 * max(parts, abs(found.whole)) + 1e-6


def test_gradients_of_a_customer_without_events_are_of_attributes_only(fitted):
    scorer, histories = fitted
    one = variants.without(histories.take([3]), [range(int(histories.lengths[3]))], 50)
    found = integrated_gradients.attribute(scorer, one, 2)
    assert len(found.events) == 0 and found.complete
    assert sum(found.attributes.values()) == pytest.approx(found.whole, abs=found.missed + 1e-5)


def test_agreement_is_a_rank_correlation():
    up = np.array([1.0, 2.0, 3.0, 4.0])
    found = integrated_gradients.agreement(up, up**2, -up)
    assert found["attention and effect"] == pytest.approx(1)
    assert found["gradients and effect"] == pytest.approx(-1)
    assert np.isnan(list(integrated_gradients.agreement(up[:2], up[:2], up[:2]).values())).all()


def test_report_finds_measured_effects_faithful_and_random_evidence_not(fitted):
    scorer, histories = fitted
    rng = np.random.default_rng(0)
    some = histories.take(np.flatnonzero(histories.lengths >= 4)[:25])
    found = report.report(scorer, some, lambda c: offerable(c, 12, False), rng, draws=8)
    table = found.methods.set_index("method")
    assert found.customers == len(some) == len(found.areas["random"])
    assert table.loc["effect", "p_random"] < 0.01
    assert (table["low"] <= table["area"]).all() and (table["area"] <= table["high"]).all()
    assert table.loc["effect", "area"] == pytest.approx(found.areas["effect"].mean())
    assert -1 <= found.agreement["gradients and effect"] <= 1
    # Evidence drawn at random is not taken for faithful.
    low = report._better(found.areas["random"], rng.permutation(found.areas["random"]))
    assert low > 0.01


def test_a_badge_says_what_to_go_by(fitted):
    scorer, histories = fitted
    rng = np.random.default_rng(0)
    seen = set()
    for row in np.flatnonzero(histories.lengths >= 5)[:12]:
        one = histories.take([int(row)])
        found = report.importances(scorer, one, 3)
        badge = faithfulness.badge(scorer, one, 3, found["attention"], found["effect"], rng)
        seen.add(badge.shown_first)
        assert -1 <= badge.stable <= 1
        says_so = badge.sentence.startswith("Attention shows what decides")
        assert says_so == bool(badge.attention.faithful) == (badge.shown_first == "attention")
        full = badge.attention.insertion
        assert full[-1] == pytest.approx(badge.attention.curve[0], abs=1e-4)
        assert full[0] == pytest.approx(badge.attention.curve[-1], abs=1e-4)
    assert "effect" in seen


def test_a_silenced_head_is_measured_and_speaks_again(fitted):
    scorer, histories = fitted
    one = histories.take([2])
    before = scorer.score(one)[0]
    found = attention.heads(scorer, one, 5)
    shape = scorer.network.behaviour.settings
    assert len(found) == (shape.layers + shape.decoder_layers) * shape.heads
    assert found["effect"].abs().max() > 1e-4
    np.testing.assert_array_equal(scorer.score(one)[0], before)
    # By hand: the first encoder head's part of the output map set to zero.
    output = scorer.network.behaviour.encoder[0].attention.output
    width = output.in_features // shape.heads
    weight = output.weight.detach().clone()
    with torch.no_grad():
        output.weight[:, :width] = 0
        table = variants.vectors(scorer)
        by_hand = before[5] - single.one_offer(scorer, 5, table).of(one)[0]
        output.weight.copy_(weight)
    assert found["effect"][0] == pytest.approx(by_hand, abs=1e-4)


def test_attention_of_a_long_history_is_summed_by_product_and_year(fitted):
    scorer, histories = fitted
    one = histories.take([int(np.argmax(histories.lengths))])
    allowed = offerable(one, 12, False)[0]
    product = str(scorer.given.catalogue.ids[int(np.argmax(allowed))])
    found = explanation.explain(scorer, one, product, allowed, company(scorer, histories))
    shares = found.attention["Rolled out"]
    for by in ("product", "year"):
        table = attention.grouped(shares, found.events, by)
        assert table["share"].sum() == pytest.approx(1, abs=1e-5)
        assert table["events"].sum() == len(found.events)
    by_year = attention.grouped(shares, found.events, "year").set_index("group")["share"]
    in_2023 = shares[1:][(found.events["time"].dt.year == 2023).to_numpy()].sum()
    assert by_year.get("2023", 0.0) == pytest.approx(in_2023, abs=1e-5)


def test_curves_of_long_histories_have_fewer_points_and_both_ends(fitted, monkeypatch):
    scorer, histories = fitted
    one = histories.take([int(np.argmax(histories.lengths))])
    count = len(one.products)
    rng = np.random.default_rng(0)
    full = faithfulness.deletion(scorer, one, 3, np.arange(count), rng)
    assert full.cuts.tolist() == list(range(count + 1))
    monkeypatch.setattr(faithfulness, "MOST_POINTS", 3)
    few = faithfulness.deletion(scorer, one, 3, np.arange(count), rng)
    assert len(few.cuts) == 4 and few.cuts[0] == 0 and few.cuts[-1] == count
    np.testing.assert_allclose(few.curve, full.curve[few.cuts], atol=1e-5)


def test_a_condensed_map_keeps_what_is_looked_at(fitted):
    days = pd.to_datetime(
        ["2020-01-05", "2020-01-20", "2020-02-03", "2020-02-03", "2020-04-01", "2020-05-09"]
    )
    events = pd.DataFrame({"name": ["A", "B", "A", "C", "A", "B"], "time": days})
    rng = np.random.default_rng(0)
    values = np.tril(rng.random((7, 7)))
    values /= values.sum(1, keepdims=True)
    shares, groups = attention.condensed(values, events, "product")
    assert groups["group"].tolist() == ["C", "A", "B"] and groups["events"].tolist() == [1, 3, 2]
    np.testing.assert_allclose(shares.sum(1), 1)
    of_a = values[[1, 3, 5]][:, [1, 3, 5]].sum(1).mean()  # tokens 1, 3, 5 are A
    assert shares[2, 2] == pytest.approx(of_a)
    assert shares[0].tolist() == [1, 0, 0, 0]
    end, same = attention.condensed(values[-1], events, "product")
    assert same.equals(groups) and end[3] == pytest.approx(values[-1, [2, 6]].sum())
    by_month, months = attention.condensed(values, events, "month")
    assert months["group"].tolist() == ["Jan 2020", "Feb 2020", "Apr 2020", "May 2020"]
    np.testing.assert_allclose(by_month[4], np.bincount([0, 1, 1, 2, 2, 3, 4], values[6]))
    few, cut = attention.condensed(values, events, "month", most=3)
    assert cut["group"].tolist() == ["earlier", "Apr 2020", "May 2020"]
    np.testing.assert_allclose(few.sum(1), 1)
    _, top = attention.condensed(values, events, "product", most=2)
    assert set(top["group"]) == {"other products", groups["group"][int(np.argmax(end[1:]))]}
