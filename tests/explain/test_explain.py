"""Explanations: effects are measured, counterfactuals verified and minimal, badges honest."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from finrec import presets
from finrec.explain import counterfactual, explanation, faithfulness, neighbours, variants
from finrec.features.company import Company
from finrec.scorer import cohort
from finrec.serving.recommender import offerable
from finrec.split import split
from finrec.training import assemble, fit, paths


def company(scorer, histories):
    return Company.of(histories, len(scorer.given.catalogue))


@pytest.fixture(scope="module")
def fitted(small_dataset):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
        model={"width": 16, "dropout": 0.1}, train={"epochs": 8, "batch": 8},
    )  # fmt: skip
    cut = split(small_dataset)
    given, histories = assemble.inputs(cut, "valid", settings)
    scorer = fit.fit(given, histories, settings, None, epochs=8).scorer
    paths.choose(scorer, cut.valid.cases, True, 3)
    return scorer, histories


def offer(scorer, histories, row):
    one = histories.take([row])
    allowed = offerable(one, len(scorer.given.catalogue), False)[0]
    scores = np.where(allowed, scorer.score(one)[0], -np.inf)
    return one, allowed, int(np.argmax(scores))


def test_a_variant_is_the_customer_without_those_events(fitted):
    scorer, histories = fitted
    one = histories.take([int(np.argmax(histories.lengths))])
    found = variants.without(one, [(), (0,), (1, 2)], 20)
    assert found.take([0]).products.tolist() == one.products.tolist()
    assert found.take([1]).products.tolist() == one.products[1:].tolist()
    assert found.take([2]).products.tolist() == np.delete(one.products, [1, 2]).tolist()
    np.testing.assert_allclose(
        variants.scores(scorer, one, [(), (0,)]),
        np.concatenate([scorer.score(one), scorer.score(found.take([1]))]),
        atol=1e-5,
    )


def test_a_variant_of_a_long_history_is_read_as_the_ranking_reads_it(fitted):
    scorer, histories = fitted
    short = replace(scorer, length=3)  # the event before the window says how long ago it was
    for row in np.flatnonzero(histories.lengths > 3):
        one = histories.take([row])
        found = variants.scores(short, one, [()])
        np.testing.assert_allclose(found, short.score(one), atol=1e-5)
    assert variants.without(one, [(), (0,)], 3).take([1]).earlier.tolist() == [one.times[-4]]
    assert variants.without(one, [()], 100).earlier is None


def test_counterfactuals_are_verified_and_minimal_against_brute_force(fitted):
    scorer, histories = fitted
    found_any = 0
    for row in np.flatnonzero((histories.lengths >= 2) & (histories.lengths <= 6))[:25]:
        one, allowed, product = offer(scorer, histories, int(row))
        found = counterfactual.fewest_removals(scorer, one, product, allowed, 2)
        smallest = None
        for size in range(1, len(one.products) + 1):
            for places in itertools.combinations(range(len(one.products)), size):
                keep = np.delete(np.arange(len(one.products)), places)
                scores = scorer.score(variants.without(one, [places], 20))[0]
                rank = (scores[allowed] >= scores[product]).sum()
                assert len(keep) == len(one.products) - size
                if rank > 2:
                    smallest = size
                    break
            if smallest:
                break
        assert found.verified == (smallest is not None)
        if smallest:
            found_any += 1
            assert len(found.places) == smallest and found.minimal and found.rank > 2
    assert found_any >= 5


def test_the_greedy_search_is_verified_too(fitted, monkeypatch):
    monkeypatch.setattr(counterfactual, "EFFORT", 0)
    scorer, histories = fitted
    checked = 0
    for row in np.flatnonzero(histories.lengths >= 4)[:15]:
        one, allowed, product = offer(scorer, histories, int(row))
        found = counterfactual.fewest_removals(scorer, one, product, allowed, 1)
        if found.verified:
            scores = scorer.score(variants.without(one, [found.places], 20))[0]
            assert (scores[allowed] >= scores[product]).sum() == found.rank > 1
            checked += 1
    assert checked >= 3


def test_explanation_holds_together(fitted):
    scorer, histories = fitted
    ids = scorer.given.catalogue.ids
    for row in range(0, len(histories), 7):
        one, allowed, product = offer(scorer, histories, row)
        found = explanation.explain(
            scorer, one, str(ids[product]), allowed, company(scorer, histories)
        )
        assert found.rank == 1 and found.score == pytest.approx(found.fast_score, abs=1e-4)
        scores = scorer.score(one)[0]
        total = found.ledger["contribution"].sum()
        assert total == pytest.approx(scores[product] - scores.mean(), abs=1e-3)
        assert found.attention["Rolled out"].sum() == pytest.approx(1, abs=1e-5)
        removed = variants.scores(scorer, one, [(0,)])[0, product]
        assert found.events["effect"][0] == pytest.approx(scores[product] - removed, abs=1e-4)
        assert 1 <= len(found.sentences) <= 3


def test_several_offers_are_explained_as_each_alone(fitted):
    scorer, histories = fitted
    ids = [str(i) for i in scorer.given.catalogue.ids]
    for row in (0, 5, int(np.argmax(histories.lengths))):
        one, allowed, product = offer(scorer, histories, row)
        asked = list(dict.fromkeys([ids[product], ids[0], ids[-1], ids[5]]))
        found = explanation.explain_all(scorer, one, asked, allowed, company(scorer, histories))
        assert [f.product for f in found] == asked
        for several in found:
            alone = explanation.explain(
                scorer, one, several.product, allowed, company(scorer, histories)
            )
            assert (several.sentences, several.rank) == (alone.sentences, alone.rank)
            assert (several.score, several.fast_score) == (alone.score, alone.fast_score)
            for name in ("events", "attributes", "nodes", "edges", "ledger", "paths"):
                pd.testing.assert_frame_equal(getattr(several, name), getattr(alone, name))
        assert len({f.score for f in found}) == len(asked) >= 3


def test_other_customers_appear_only_as_groups_of_ten_or_more(fitted):
    scorer, histories = fitted
    ids = scorer.given.catalogue.ids
    counts = set()
    for row in range(len(histories)):
        one, allowed, product = offer(scorer, histories, row)
        found = explanation.explain(
            scorer, one, str(ids[product]), allowed, company(scorer, histories)
        )
        counts |= set(found.edges["customers"])
        assert set(found.nodes["kind"]) <= {"customer", "own", "offer", "near", "linked"}
        assert (found.edges.loc[found.edges["kind"] == "linked", "customers"] == 0).all()
    assert all(c == 0 or c >= neighbours.SMALLEST_GROUP for c in counts)


def test_deleting_the_measured_evidence_beats_random_orders(fitted):
    scorer, histories = fitted
    rng = np.random.default_rng(0)
    better, reversed_worse = [], []
    for row in np.flatnonzero(histories.lengths >= 4)[:20]:
        one, _, product = offer(scorer, histories, int(row))
        count = len(one.products)
        scored = variants.scores(scorer, one, [(), *((p,) for p in range(count))])[:, product]
        order = np.argsort(scored[1:])  # the event that costs most first
        found = faithfulness.deletion(scorer, one, product, order, rng)
        assert found.curve[0] == pytest.approx(scored[0], abs=1e-4)
        better.append(found.area > found.random_areas.mean())
        worst = faithfulness.deletion(scorer, one, product, order[::-1], rng)
        reversed_worse.append(worst.area <= found.area + 1e-6)
    # Events act on each other, so what each costs alone need not be the best order for everybody.
    assert np.mean(better) > 0.9
    assert np.mean(reversed_worse) > 0.9


def test_a_customer_without_events_is_explained_by_attributes(fitted, small_dataset):
    scorer, histories = fitted
    cut = split(small_dataset)
    one = cohort(["007"], cut.valid.train, cut.customers, cut.catalogue, cut.valid.until)
    allowed = np.ones(12, dtype=bool)
    found = explanation.explain(scorer, one, "P01", allowed, company(scorer, histories))
    assert found.events.empty and "No events are known" in found.sentences[0]
    gone = counterfactual.fewest_removals(scorer, one, 0, allowed, 12)
    assert not gone.verified and gone.places == ()


def test_a_neighbourhood_grows_hop_by_hop_and_counts_groups_only(fitted):
    scorer, histories = fitted
    ids = scorer.given.catalogue.ids
    one, allowed, product = offer(scorer, histories, int(np.argmax(histories.lengths)))
    found = explanation.explain(scorer, one, str(ids[product]), allowed, company(scorer, histories))
    before = set(found.nodes["id"])
    same = neighbours.expanded(scorer, found.nodes, found.edges, [], company(scorer, histories))
    assert same[0].equals(found.nodes) and len(same[1]) == len(found.edges)
    start = found.nodes.loc[found.nodes["kind"] == "own", "id"].tolist()
    nodes, edges = neighbours.expanded(
        scorer, found.nodes, found.edges, start, company(scorer, histories), 3
    )
    new = edges[edges["kind"] == "around"]
    assert len(new) and set(new["source"]) <= set(start)
    matrix = scorer.given.graph.matrix()
    index = {p: i for i, p in enumerate(ids)}
    sets = [set(histories.take([r]).products.tolist()) for r in range(len(histories))]
    for edge in new.to_dict("records"):
        a, b = index[edge["source"]], index[edge["target"]]
        assert edge["weight"] == pytest.approx(matrix[a, b])
        both = sum(a in s and b in s for s in sets)
        assert edge["customers"] == (both if both >= 3 else 0)
    fresh = nodes[~nodes["id"].isin(before)]
    assert (fresh["kind"] == "further").all() and (fresh["hop"] > found.nodes["hop"].max()).all()
    pairs = [frozenset(p) for p in zip(edges["source"], edges["target"], strict=True)]
    assert len(pairs) == len(set(pairs)), "no link is drawn twice"
    assert neighbours.expanded(scorer, nodes, edges, ["nothing"], company(scorer, histories))[
        0
    ].equals(nodes)


@pytest.mark.parametrize("kind", ["gat", "gatv2"])
def test_every_hop_has_the_coefficients_of_attention(small_dataset, kind):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
        model={"width": 16, "graph_kind": kind}, train={"epochs": 2, "batch": 8},
    )  # fmt: skip
    cut = split(small_dataset)
    given, histories = assemble.inputs(cut, "valid", settings)
    scorer = fit.fit(given, histories, settings, None, epochs=2).scorer
    found = variants.closeness(scorer)
    assert found is variants.closeness(scorer)
    assert np.asarray(found.sum(1)).ravel() == pytest.approx(1, abs=1e-5)
    near = given.graph.matrix().toarray() > 0
    np.fill_diagonal(near, True)
    assert (near == (found.toarray() > 0)).all()
    # By hand: the first layer's own output is what its coefficients make of its messages.
    net = scorer.network.eval()
    x = net.own_vectors().detach()
    layer = net.graph.convolutions[0]
    out, (edges, share) = layer(x, net.graph.edges(), return_attention_weights=True)
    messages = (layer.lin if kind == "gat" else layer.lin_l)(x)
    by_hand = torch.zeros_like(x).index_add(0, edges[1], share * messages[edges[0]]) + layer.bias
    assert torch.allclose(out, by_hand, atol=1e-5)
    seen = 0
    for row in range(6):
        one, allowed, product = offer(scorer, histories, row)
        name = str(given.catalogue.ids[product])
        told = explanation.explain(scorer, one, name, allowed, company(scorer, histories))
        for edge in told.edges[told.edges["kind"].isin(["shared", "near"])].to_dict("records"):
            neighbour = given.catalogue.position(edge["source"])
            assert edge["weight"] == pytest.approx(found[product, neighbour])
            seen += 1
    assert seen
    with torch.no_grad():
        net.embedding.add_(0.5 * torch.randn_like(net.embedding))
    assert variants.closeness(scorer) is not found, "other weights, other coefficients"
