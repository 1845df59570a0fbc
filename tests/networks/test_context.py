"""Attribute nodes, the economy's state, the matching network, drawn neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from finrec.explain.single import one_offer
from finrec.features import nodes, profile, regime, sequences
from finrec.networks.context import LinkedCustomers, MarketRegime
from finrec.networks.matching import MatchingNetwork
from finrec.networks.relations import ProductGraph, drawn
from finrec.presets import settings
from finrec.schema import SOURCE, TARGET, TIME, DataError
from finrec.scorer import KINDS, MOST_LINKED
from finrec.split import split
from finrec.training import assemble, fit, runs
from finrec.training.fused_scorer import FusedScorer


def economy(start: str = "2022-01-01", days: int = 1500) -> pd.DataFrame:
    """A made-up economy."""
    time = pd.date_range(start, periods=days, freq="D")
    values = np.random.default_rng(0).standard_normal((days, 2)).cumsum(0)
    return pd.DataFrame({TIME: time, "short_rate": values[:, 0], "vix": values[:, 1]})


@pytest.fixture(params=["mlp", "cosine"])
def whole(small_dataset, monkeypatch, request):
    """Settings, inputs, histories and split with every optional input switched on."""
    monkeypatch.setattr(
        assemble.text, "encode", lambda texts, *_, **__: np.ones((len(texts), 16), np.float32)
    )
    monkeypatch.setattr(nodes, "FEWEST", 2)
    dataset = replace(small_dataset, extra={"regime": economy()})
    chosen = settings(
        dataset.info, "small@0", "quick",
        model={"width": 16, "length": 20, "graph_attributes": True, "matching": request.param},
        train={"epochs": 2, "batch": 16},
    )  # fmt: skip
    cut = split(dataset)
    given, histories = assemble.inputs(cut, "valid", chosen)
    return chosen, given, histories, cut


def test_edges_of_attribute_nodes_by_hand(small_dataset, monkeypatch):
    monkeypatch.setattr(nodes, "FEWEST", 1)
    cut = split(small_dataset)
    chosen = settings(small_dataset.info, "small@0", "quick", parts="+gnn")
    given, histories = assemble.inputs(cut, "valid", chosen)
    found = nodes.build(histories, given.customers, len(cut.catalogue))
    assert found is not None
    column = given.customers.categories[0]
    dense = found.matrix(len(cut.catalogue)).toarray()
    raw = np.zeros_like(dense, dtype=float)
    numbers, codes = given.customers.encode(histories.profile)
    own = nodes.of_customers(
        *(torch.from_numpy(a) for a in (numbers, codes, found.starts, found.cuts))
    ).numpy()
    for customer in range(len(histories)):
        for event in range(histories.offsets[customer], histories.offsets[customer + 1]):
            age = (histories.asof[customer] - histories.times[event]) / 86_400
            for node in own[customer]:
                raw[node, histories.products[event]] += 0.5 ** (age / nodes.HALF_LIFE_DAYS)
    left, right = raw.sum(1), raw.sum(0)
    expected = np.divide(raw, np.sqrt(np.outer(left, right)), where=raw > 0, out=np.zeros_like(raw))
    np.testing.assert_allclose(dense, expected, rtol=1e-5)
    values = histories.profile[column.name]
    assert set(own[values == column.values[0], 0]) == {1}  # code 0 is unknown


def test_a_small_group_has_no_products(small_dataset, monkeypatch):
    cut = split(small_dataset)
    chosen = settings(small_dataset.info, "small@0", "quick", parts="+gnn")
    given, histories = assemble.inputs(cut, "valid", chosen)
    largest = int(histories.profile[given.customers.categories[0].name].value_counts().max())
    one = replace(given.customers, numbers=(), categories=given.customers.categories[:1])
    for fewest, there in ((largest, True), (largest + 1, False)):
        monkeypatch.setattr(nodes, "FEWEST", fewest)
        found = nodes.build(histories, one, len(cut.catalogue))
        assert found is not None and (found.matrix(len(cut.catalogue)).nnz > 0) == there


def test_quarters_of_a_number_and_what_is_unknown_are_nodes_of_their_own():
    numbers = torch.tensor([[-2.0, 0], [-1, 0], [0.5, 0], [3, 0], [0, 1]])
    codes, starts = torch.tensor([[0], [2], [1], [1], [0]]), torch.tensor([0, 3])
    own = nodes.of_customers(numbers, codes, starts, torch.tensor([[-1.5, 0.0, 1.0]]))
    assert own.tolist() == [[0, 3], [2, 4], [1, 5], [1, 6], [0, 3 + nodes.OF_NUMBER - 1]]


def test_no_attributes_no_nodes(small_dataset):
    cut = split(small_dataset)
    chosen = settings(small_dataset.info, "small@0", "quick", parts="+gnn")
    _, histories = assemble.inputs(cut, "valid", chosen)
    assert nodes.build(histories, profile.Profile(), len(cut.catalogue)) is None


def test_everything_on_explains_what_it_scores(whole):
    chosen, given, histories, _ = whole
    torch.manual_seed(0)
    network = assemble.network(given, chosen).eval()
    for parameter in network.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    encoded = sequences.encode(histories, given.customers)
    batch = sequences.batch(encoded, np.arange(10), 20)
    with torch.no_grad():
        scores, evidence = network(batch), network.explain(batch)
    torch.testing.assert_close(evidence.scores, scores)
    assert ("matching" in evidence.contributions) == (chosen.model.matching == "mlp")
    bound = chosen.model.sharpness + 1e-3
    direct = scores - network.prior() - sum(
        evidence.contributions.get(n, 0) for n in ("repeats", "paths", "matching")
    )  # fmt: skip
    assert chosen.model.matching == "mlp" or direct.abs().max() <= bound
    torch.testing.assert_close(sum(evidence.contributions.values()) + network.prior(), scores)
    shares = evidence.neighbours.sum(1) + evidence.of_attributes.sum(1)
    assert (evidence.of_linked > 0).any() and (evidence.of_linked == 0).any()
    shares = shares + evidence.of_linked.sum(1)
    torch.testing.assert_close(shares, torch.ones(10))
    alone = one_offer(FusedScorer(network, given, 20), 3).of(histories.take(range(10)))
    np.testing.assert_allclose(alone, scores[:, 3].numpy(), rtol=1e-4, atol=1e-5)


def test_everything_on_learns_and_is_the_same_after_saving(whole, home):
    chosen, given, histories, _ = whole
    done = fit.fit(given, histories, chosen, validate=None, epochs=2)
    assert done.curve[1]["loss"] < done.curve[0]["loss"]
    network = done.scorer.network
    names = ["attribute_graph.embedding", "linked.embedding", "behaviour.regime.project.weight"]
    for name in names + (["matching.out"] if chosen.model.matching == "mlp" else []):
        assert network.get_parameter(name).abs().sum() > 0
    kept = runs.write("whole", done.scorer, chosen, {}, {})
    np.testing.assert_array_equal(kept.scorer().score(histories), done.scorer.score(histories))


def test_an_attribute_reaches_the_score_of_a_customer_without_events(whole):
    chosen, given, histories, _ = whole
    torch.manual_seed(0)
    network = assemble.network(given, chosen).eval()
    new = histories.take([0, 1])
    new = replace(
        new, offsets=np.zeros(3, np.int64),
        **{n: getattr(new, n)[:0] for n in ("products", "kinds", "times", "amounts")},
    )  # fmt: skip
    batch = sequences.batch(sequences.encode(new, given.customers), np.arange(2), 20)
    with torch.no_grad():
        before = network.around(batch, network.products()).attributes
        network.embedding.add_(torch.randn_like(network.embedding))
        after = network.around(batch, network.products()).attributes
    assert before.shape[1] == len(given.nodes.starts)
    assert not torch.allclose(before, after)  # through what holders of the attribute took


def test_the_economy_is_read_as_of_the_day_before_and_scaled_on_the_past():
    table = economy("2024-01-01", 10)
    until = pd.Timestamp("2024-01-06")
    found = regime.fit(table, until)
    assert found is not None
    past = found.values[table[TIME].to_numpy() < until.to_numpy()]
    np.testing.assert_allclose(past.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(past.std(0, ddof=1), 1, rtol=1e-5)
    later = table.copy()
    later.loc[7:, "vix"] = 1e6  # the future changes nothing before it, and is bounded
    changed = regime.fit(later, until)
    assert changed is not None
    np.testing.assert_array_equal(changed.values[:7], found.values[:7])
    assert changed.values.max() == regime.MOST
    reader = MarketRegime(torch.from_numpy(found.days), torch.from_numpy(found.values), 4)
    day = int(found.days[5])
    with torch.no_grad():
        out = reader(torch.tensor([[day, int(found.days[0])]]))
        torch.testing.assert_close(out[0, 0], reader.project(torch.from_numpy(found.values[4])))
    assert (out[0, 1] == 0).all()  # nothing is known before the first row
    assert regime.fit(None, until) is None
    assert regime.fit(table.assign(short_rate=1.0, vix=np.nan), until) is None


def test_where_time_is_not_known_the_economy_is_not_read(small_dataset):
    dataset = replace(small_dataset, extra={"regime": economy()})
    chosen = settings(dataset.info, "small@0", "quick", parts="baseline")
    for protocol, there in (("R2", True), ("R1", False)):
        told = chosen.model_copy(update={"protocol": protocol})
        given, _ = assemble.inputs(split(dataset, protocol), "valid", told)
        assert (assemble.network(given, told).behaviour.regime is not None) == there


def test_matching_by_hand_in_parts_and_with_gradient(monkeypatch):
    torch.manual_seed(0)
    network = MatchingNetwork(6, hidden=5)
    torch.nn.init.normal_(network.out)
    left, right = torch.randn(7, 6, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    by_hand = torch.stack([
        torch.stack([
            torch.nn.functional.gelu(network.of_customer(c) + network.of_product(p)) @ network.out
            for p in right
        ])
        for c in left
    ])  # fmt: skip
    once = network(left, right)
    torch.testing.assert_close(once, by_hand)
    monkeypatch.setattr("finrec.networks.matching.AT_ONCE", 45)  # two customers at a time
    parts = network(left, right)
    torch.testing.assert_close(parts, by_hand)
    for a, b in zip(
        torch.autograd.grad(parts.square().sum(), (left, right), retain_graph=True),
        torch.autograd.grad(by_hand.square().sum(), (left, right)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_a_large_catalogue_is_not_matched_pair_by_pair(whole, monkeypatch):
    chosen, given, _, _ = whole
    monkeypatch.setattr(assemble, "MOST_PRODUCTS", 3)
    pairs = chosen.model_copy(update={"model": chosen.model.model_copy(update={"matching": "mlp"})})
    with pytest.raises(DataError, match="choose dot or cosine"):
        assemble.network(given, pairs)


def test_drawn_neighbours_are_few_and_the_heavier_the_likelier():
    indptr = torch.tensor([0, 4, 5, 5, 8])
    weights = torch.tensor([1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0])
    torch.manual_seed(0)
    rows = torch.tensor([0, 0, 0, 0, 1, 3, 3, 3])
    often = torch.zeros(8)
    for _ in range(400):
        kept = drawn(indptr, weights, 2)
        assert rows[kept].bincount(minlength=4).tolist() == [2, 1, 0, 2]
        often[kept] += 1
    assert often[3] > 1.5 * often[:3].max()
    assert often[4] == 400
    assert drawn(indptr, weights, 9).tolist() == list(range(8))


def test_attention_learns_without_three_edges_in_ten_and_answers_with_all():
    torch.manual_seed(0)
    near = torch.ones(30, 30).fill_diagonal_(0).to_sparse_csr()
    graph = ProductGraph("gat", 1, 4, near.crow_indices(), near.col_indices(), near.values())
    read = []
    graph.convolutions[0].register_forward_pre_hook(lambda _, given: read.append(given[1].shape[1]))
    graph.train()(torch.randn(30, 4))
    graph.eval()(torch.randn(30, 4))
    assert read[0] == pytest.approx(0.7 * 870, rel=0.1) and read[1] == 870


def test_linked_customers_count_by_what_they_took_on_days_before(whole):
    _, given, histories, _ = whole
    torch.manual_seed(0)
    linked = LinkedCustomers(4)
    products = torch.randn(len(given.catalogue), 4)
    encoded = sequences.encode(histories, given.customers)
    rows = np.arange(len(histories))
    batch = sequences.batch(encoded, rows, 20)
    vectors, there = linked(batch, products)
    checked = 0
    for row in rows:
        theirs = slice(*histories.linked.offsets[row : row + 2])
        days = histories.linked.times[theirs] // 86_400
        weights, own = histories.linked.weights[theirs], histories.linked.products[theirs]
        asked = [*batch.days[row, : batch.lengths[row]].tolist(), int(batch.asof_day[row])]
        for moment, day in enumerate(asked):
            before = days < day
            assert there[row, moment] == before.any()
            if not before.any():
                continue
            w = weights[before] * 0.5 ** ((day - days[before]) / nodes.HALF_LIFE_DAYS)
            mean = torch.from_numpy(w / w.sum()).float() @ products[own[before]]
            expected = linked.embedding + torch.nn.functional.gelu(mean)
            torch.testing.assert_close(vectors[row, moment], expected)
            checked += 1
    assert checked > 10


def test_links_work_both_ways_and_never_to_oneself(small_dataset):
    cut = split(small_dataset)
    chosen = settings(small_dataset.info, "small@0", "quick", parts="+gnn")
    given, histories = assemble.inputs(cut, "valid", chosen)
    assert given.links
    at = {c: i for i, c in enumerate(histories.ids)}
    pairs = {frozenset(p) for p in zip(cut.links[SOURCE], cut.links[TARGET], strict=True)}
    for customer, row in at.items():
        linked = {c for p in pairs if customer in p and len(p) == 2 for c in p - {customer}}
        theirs = slice(*histories.linked.offsets[row : row + 2])
        expected = sorted(
            (t, p) for c in linked & set(at)
            for p, t, k in zip(
                *(getattr(histories.take([at[c]]), n) for n in ("products", "times", "kinds")),
                strict=True,
            ) if KINDS[k] != "dropped"
        )  # fmt: skip
        found = zip(histories.linked.times[theirs], histories.linked.products[theirs], strict=True)
        assert list(found) == expected[-MOST_LINKED:]
    off = settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", model={"graph_links": False}
    )
    given, histories = assemble.inputs(cut, "valid", off)
    assert not given.links and histories.linked is None
