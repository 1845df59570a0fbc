"""The same seed gives the same scores; the parts of single methods, against slower computations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from finrec.baselines import METHODS, boosting
from finrec.baselines.boosting import Boosting
from finrec.baselines.factors import Factors
from finrec.baselines.itemcf import ItemCF, histories
from finrec.baselines.lightgcn import LightGCN, _graph, _Spread
from finrec.baselines.next_event import LENGTH, padded
from finrec.baselines.popularity import Popularity
from finrec.baselines.slope_one_trust import SlopeOneTrust
from finrec.baselines.time_cf_cuckoo import _flight, cuckoo_kmeans, inertia
from finrec.schema import no_links
from finrec.scorer import cohort
from finrec.split import split


@pytest.mark.parametrize("name", [m.name for m in METHODS.values() if m.seeded])
def test_a_seed_repeats_itself_whatever_chance_did_before(name, small_dataset):
    cut = split(small_dataset)
    found = []
    for before in (1, 2):
        torch.manual_seed(before)
        np.random.seed(before)
        found.append(METHODS[name].build(seed=3).fit(cut.test, cut).score(cut.test.cases.customers))
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("name", METHODS)
def test_scores_of_a_customer_do_not_depend_on_who_else_is_asked_about(name, small_dataset):
    cut = split(small_dataset)
    method = METHODS[name].build().fit(cut.test, cut)
    customers = cut.test.cases.customers
    together = method.score(customers)
    alone = np.concatenate([method.score(customers.take([i])) for i in (3, 0)])
    np.testing.assert_allclose(alone, together[[3, 0]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_a_new_customer_with_a_history_is_served_by_it(name, small_dataset):
    """Somebody who was not learned from has the history of somebody who was."""
    cut = split(small_dataset)
    method = METHODS[name].build().fit(cut.test, cut)
    known = cut.test.cases.customers.take(np.flatnonzero(cut.test.cases.customers.lengths > 1)[:2])
    new = replace(known, ids=np.array(["new 1", "new 2"], dtype=object))
    scores = method.score(new)
    assert np.isfinite(scores).all()
    if name not in {"popularity", "recent_popularity", "robo_advisor"}:
        assert not np.array_equal(scores[0], scores[1])


def _slope_one(taken: np.ndarray, own: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """The definition, a deviation at a time."""
    n = taken.shape[1]
    out = np.zeros(n)
    for j in range(n):
        total = weights = 0.0
        for i in np.flatnonzero(own):
            weight = (trust * taken[:, i]).sum()
            if weight:
                deviation = (trust * taken[:, i] * (taken[:, j] - taken[:, i])).sum() / weight
                total += weight * (deviation + 1)
                weights += weight
        out[j] = total / weights if weights else 0.0
    return out


@pytest.mark.parametrize("linked", [False, True])
def test_slope_one_equals_its_definition(small_dataset, linked):
    cut = split(small_dataset if linked else replace(small_dataset, links=no_links()))
    links = small_dataset.links
    method = SlopeOneTrust(neighbours=1000, popular=0.0).fit(cut.test, cut)
    customers = cut.test.cases.customers.take(slice(0, 12))
    found = method.score(customers)
    taken = method.taken.toarray()
    pairs = set()
    if linked:
        pairs = set(zip(links["source"], links["target"], strict=True))
        pairs |= {(b, a) for a, b in pairs}
        met = pairs & {(a, b) for a in customers.ids for b in method.trusted}
        assert met  # else this would compare nothing
    for b, customer in enumerate(customers.ids):
        own = customers.seen(len(cut.catalogue))[b].astype(float)
        trust = taken @ own / np.sqrt(np.maximum(taken.sum(1) * own.sum(), 1))
        trust += [float((customer, other) in pairs) for other in method.trusted]
        trust *= method.trusted != customer
        np.testing.assert_allclose(found[b], _slope_one(taken, own, trust), atol=1e-6)


def test_cuckoo_search_finds_clusters_that_are_there():
    rng = np.random.default_rng(0)
    middles = rng.normal(0, 10, (5, 4))
    points = (middles[:, None] + rng.normal(0, 0.1, (5, 40, 4))).reshape(-1, 4)
    found = cuckoo_kmeans(points, 5, np.random.default_rng(1))
    best = inertia(points, points.reshape(5, 40, 4).mean(1))
    assert inertia(points, found) <= 1.01 * best


def test_levy_flights_have_a_heavy_tail():
    steps = np.abs(_flight((100_000,), np.random.default_rng(0)))
    assert np.median(steps) < 1.5 and steps.max() > 100  # normal steps would end before 6


def test_histories_are_cut_to_the_latest_events_and_padded_behind(small_dataset):
    cut = split(small_dataset)
    events = small_dataset.events.iloc[:1]
    long = pd.concat([events] * (LENGTH + 5), ignore_index=True)
    long["time"] += pd.to_timedelta(np.arange(len(long)), unit="D")
    long["product_id"] = cut.catalogue.ids[np.arange(len(long)) % len(cut.catalogue)]
    who = events["customer_id"].iloc[0]
    customers = cohort(["nobody", who], long, cut.customers, cut.catalogue, cut.test.until)
    products, counts = padded(customers, np.array([0, 1]))
    assert counts.tolist() == [0, LENGTH] and products.shape == (2, LENGTH)
    assert products[1].tolist() == customers.products[-LENGTH:].tolist()
    assert not products[0].any()


@pytest.mark.parametrize("kind", ["none", "inverse", "doubly"])
def test_factors_of_full_rank_reach_what_the_corrected_loss_asks_for(small_dataset, kind):
    cut = split(small_dataset)
    n = len(cut.catalogue)
    method = Factors(width=n, penalty=1e-9, propensity=kind).fit(cut.test, cut)
    customers = cut.test.cases.customers.take(slice(0, 10))
    customers = customers.take(np.flatnonzero(customers.lengths > 0))
    wanted = method.imputed + method.gain * customers.seen(n)
    np.testing.assert_allclose(method.score(customers), wanted, atol=1e-3)
    # The loss itself, of one customer, at what was found and beside it.
    counts = cut.test.train["product_id"].value_counts().reindex(cut.catalogue.ids).fillna(0)
    share = np.maximum(counts.to_numpy(), 0.5) / counts.sum()
    p = np.ones(n) if kind == "none" else (share / share.max()) ** 0.25
    weight = 1 / p / ((counts.to_numpy() @ (1 / p)) / counts.sum())
    r = customers.seen(n)[0]

    def loss(s: np.ndarray) -> float:
        if kind == "doubly":
            e = (method.imputed - s) ** 2
            return float((e + r * weight * ((1 - s) ** 2 - e)).sum())
        return float((r * weight * (1 - s) ** 2 + (1 - r * weight) * s**2).sum())

    for step in (-0.05, 0.05):
        for j in range(n):
            assert loss(wanted[0]) < loss(wanted[0] + step * np.eye(n)[j])


def test_lightgcn_spreads_as_the_library_does(small_dataset):
    """Same vectors in, same vectors out, as torch_geometric's LightGCN."""
    from torch_geometric.nn.models import LightGCN as Library

    cut = split(small_dataset)
    part = cut.test.train
    known = cohort(part["customer_id"].unique(), part, cut.customers, cut.catalogue, cut.test.until)
    taken = histories(known, len(cut.catalogue))
    graph = _graph(taken)
    customers, products = taken.nonzero()
    pairs = torch.from_numpy(np.stack([customers, products + len(known)])).long()
    library = Library(len(known) + len(cut.catalogue), 8, num_layers=3)
    edges = torch.cat([pairs, pairs.flip(0)], 1)
    ours = LightGCN(layers=3)._spread(graph, library.embedding.weight)
    torch.testing.assert_close(ours, library.get_embedding(edges), atol=1e-6, rtol=1e-5)


def test_the_gradient_through_the_graph_is_right(small_dataset):
    cut = split(small_dataset)
    part = cut.test.train
    known = cohort(part["customer_id"].unique(), part, cut.customers, cut.catalogue, cut.test.until)
    graph = _graph(histories(known, len(cut.catalogue)))
    x = torch.randn(graph.shape[0], 2, requires_grad=True)
    y = torch.randn(graph.shape[0], 2)
    (_Spread.apply(graph, x) * y).sum().backward()
    torch.testing.assert_close(x.grad, graph.to_dense().T @ y)


def test_a_product_resembles_itself_only_where_it_can_be_taken_again(small_dataset):
    events = pd.concat([small_dataset.events] * 2, ignore_index=True)  # everything twice
    again = replace(small_dataset, events=events, info=replace(small_dataset.info, repeatable=True))
    once = split(replace(again, info=small_dataset.info))
    assert ItemCF().fit(once.test, once).similarity.diagonal().tolist() == [0.0] * 12
    cut = split(again)
    method = ItemCF(shrinkage=0.0).fit(cut.test, cut)
    taken = cut.test.train["product_id"].value_counts().reindex(cut.catalogue.ids).fillna(0)
    assert method.similarity.diagonal().tolist() == (taken > 0).astype(float).tolist()


def test_boosting_with_nothing_to_foretell_is_popularity(small_dataset):
    cut = split(small_dataset)
    train = cut.test.train.assign(time=pd.Timestamp("2024-05-01"))  # none comes before another
    fold = replace(cut.test, train=train)
    scores = Boosting().fit(fold, cut).score(cut.test.cases.customers)
    popular = Popularity().fit(fold, cut).counts
    assert (np.argsort(-scores, axis=1, kind="stable") == np.argsort(-popular, kind="stable")).all()


def test_boosting_scores_the_same_in_pieces(small_dataset, monkeypatch):
    cut = split(small_dataset)
    customers = cut.test.cases.customers
    whole = Boosting(trees=20).fit(cut.test, cut).score(customers)
    monkeypatch.setattr(boosting, "CHUNK", 7)
    pieces = Boosting(trees=20).fit(cut.test, cut).score(customers)
    np.testing.assert_array_equal(whole, pieces)
    assert len(np.unique(whole)) > len(customers)  # it did learn


def test_boosting_ranks_candidates_alone_in_a_large_catalogue(small_dataset, monkeypatch):
    monkeypatch.setattr(boosting, "MOST_CANDIDATES", 5)
    cut = split(small_dataset)
    scores = Boosting(trees=20).fit(cut.test, cut).score(cut.test.cases.customers)
    assert ((scores > -50).sum(1) == 5).all()


def test_what_is_asked_in_scoring_is_what_was_learned(small_dataset):
    """The state that learned to foretell the last event is the one that scores without it."""
    cut = split(small_dataset)
    method = METHODS["gru4rec"].build({"epochs": 1}).fit(cut.test, cut)
    network = method.network.eval()
    customers = cut.test.cases.customers
    customers = customers.take(np.flatnonzero(customers.lengths > 2)[:5])
    products, counts = padded(customers, np.arange(5))
    with torch.inference_mode():
        states = network(products, counts)[:, :-1]
        learned = network.logits(states[torch.arange(5), counts - 1]).numpy()
    kept = np.arange(len(customers.products)) != (customers.offsets[1:] - 1)[customers.rows()]
    shorter = replace(
        customers,
        offsets=customers.offsets - np.arange(6),
        **{
            field: getattr(customers, field)[kept]
            for field in ("products", "kinds", "times", "amounts")
        },
    )
    np.testing.assert_allclose(method.score(shorter), learned, atol=1e-5)


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_no_state_reads_what_comes_later(name, small_dataset):
    cut = split(small_dataset)
    network = METHODS[name].build({"epochs": 1}).fit(cut.test, cut).network.eval()
    one = torch.tensor([[1, 2, 3, 4]])
    two = torch.tensor([[1, 2, 7, 8]])
    with torch.inference_mode():
        first, second = network(one, torch.tensor([4])), network(two, torch.tensor([4]))
    torch.testing.assert_close(first[:, :3], second[:, :3])
    assert not torch.allclose(first[:, 3:], second[:, 3:])
