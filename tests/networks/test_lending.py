"""Products that nobody has bought: lent what was learned of those with texts like theirs."""

from __future__ import annotations

import pytest
import torch

from finrec.networks import lending
from finrec.networks.fusion import TextTower
from finrec.networks.lending import OWN, Lending
from finrec.networks.products import ProductSide

TEXTS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.9, 0.1, 0], [0, 0, 1], [0, 0, 0]])
KNOWN = torch.tensor([True, True, False, True, False])
VECTORS = torch.tensor([[3.0, 4], [5, 0], [9, 9], [0, 1], [7, 7]])
READ = torch.tensor([[1.0, 0], [0, 0], [3, 3], [0, 0], [7, 7]])


def test_a_new_product_takes_the_learned_part_of_the_one_described_most_like_it():
    made = Lending(TEXTS, KNOWN)(VECTORS, READ)
    learned = torch.tensor([2.0, 4])  # of product 0; the others' weights are below 1e-16
    torch.testing.assert_close(made[2], learned + OWN * READ[2], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(made[KNOWN], VECTORS[KNOWN])


def test_weights_by_hand_and_the_mean_keeps_its_length():
    texts = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    known = torch.tensor([True, True, False])
    places, weights = lending.lenders(texts, known, texts[2:])
    assert sorted(places[0].tolist()) == [0, 1]
    torch.testing.assert_close(weights, torch.full((1, 2), 0.5))
    vectors = torch.tensor([[3.0, 0], [0, 4], [9, 9]])
    made = Lending(texts, known)(vectors, torch.zeros(3, 2))
    assert made[2].norm() == pytest.approx(3.5)  # (3 + 4) / 2, though the mean is shorter
    torch.testing.assert_close(made[2] / 3.5, torch.tensor([0.6, 0.8]))


def test_a_product_without_a_text_is_lent_nothing():
    found = Lending(TEXTS, KNOWN)
    assert found.new.tolist() == [2]
    torch.testing.assert_close(found(VECTORS, READ)[4], VECTORS[4])
    blank = Lending(torch.zeros_like(TEXTS), KNOWN)
    torch.testing.assert_close(blank(VECTORS, READ), VECTORS)


def test_its_score_begins_where_its_lenders_begin():
    prior = torch.tensor([0.5, -1.0, 9.0, 0.0, 0.1])
    found = Lending(TEXTS, KNOWN).prior(prior)
    torch.testing.assert_close(found, torch.tensor([0.5, -1.0, 0.5, 0.0, 0.1]))


def test_only_what_is_asked_matters_in_blocks(monkeypatch):
    rng = torch.Generator().manual_seed(0)
    texts = torch.randn(30, 8, generator=rng)
    known = torch.rand(30, generator=rng) < 0.6
    whole = lending.lenders(texts, known, texts[~known])
    monkeypatch.setattr(lending, "BLOCK", 2)
    for one, other in zip(whole, lending.lenders(texts, known, texts[~known]), strict=True):
        torch.testing.assert_close(one, other)


def test_all_known_or_none_known_lends_nothing():
    everything = Lending(TEXTS, torch.ones(5, dtype=torch.bool))
    torch.testing.assert_close(everything(VECTORS, READ), VECTORS)
    torch.testing.assert_close(everything.prior(VECTORS[:, 0]), VECTORS[:, 0])


def test_a_share_of_products_is_known_by_text_alone_in_learning_and_nowhere_else():
    torch.manual_seed(0)
    known, texts = torch.ones(400, dtype=torch.bool), torch.randn(400, 3)
    side = ProductSide(known, 4, None, TextTower(texts, 4), None, 0.25).train()
    with torch.no_grad():
        whole, alone = side.embedding + side.text(), side.text()
        found = side.own_vectors()
        dropped = (found == alone).all(1)
        assert 0.2 < dropped.float().mean() < 0.3
        torch.testing.assert_close(found[~dropped], whole[~dropped])
        torch.testing.assert_close(side.eval().own_vectors(), whole)
        untold = ProductSide(known, 4, None, None, None, 0.25).train()
        torch.testing.assert_close(untold.own_vectors(), untold.embedding)
