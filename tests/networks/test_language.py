"""The text Transformer: BERT's very outputs, and a permutation model that cannot peek."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from finrec.networks.language import (
    LanguageModel,
    TextClassifier,
    TextEncoder,
    TextShape,
    TextTower,
    pooled,
)
from finrec.training import masking
from finrec.training.encoders import bert_name

SHAPE = TextShape(words=40, width=16, layers=3, heads=2, inner=32, positions=20, mask=4)


def encoder(seed: int = 0) -> TextEncoder:
    torch.manual_seed(seed)
    network = TextEncoder(SHAPE)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def test_equals_transformers_bert() -> None:
    ours = encoder()
    reference = BertModel(
        BertConfig(
            vocab_size=40,
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=20,
        ),
        add_pooling_layer=False,
    ).eval()
    state = {bert_name(k): v for k, v in ours.state_dict().items()}
    assert set(state) == {k for k in reference.state_dict() if "position_ids" not in k}
    reference.load_state_dict(state, strict=False)
    ids = torch.randint(5, 40, (3, 9))
    present = torch.arange(9) < torch.tensor([9, 5, 2])[:, None]
    with torch.no_grad():
        expected = reference(ids, attention_mask=present.long())[0]
        found = ours(ids, present)
    torch.testing.assert_close(found[present], expected[present], atol=2e-6, rtol=1e-5)


def test_learning_drops_out_where_bert_does() -> None:
    network = encoder().train()
    for layer in network.layers:
        x = torch.randn(2, 5, 16)
        assert torch.equal(layer.network(x), layer.network(x))  # not within this one
        assert layer.dropout.share == layer.attention.dropout == network.dropout.share == 0.1


def test_padding_changes_nothing() -> None:
    network, ids = encoder(), torch.randint(5, 40, (1, 6))
    longer = torch.cat([ids, torch.randint(5, 40, (1, 4))], 1)
    present = torch.arange(10)[None] < 6
    with torch.no_grad():
        torch.testing.assert_close(network(longer, present)[:, :6], network(ids))
        torch.testing.assert_close(
            pooled(network(longer, present), present), pooled(network(ids), None)
        )


def order_of_one_text() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ten distinct tokens; positions 0, 2, 5, 9 are context, the others follow in this order."""
    rank = torch.tensor([[0, 3, 0, 6, 1, 0, 5, 2, 4, 0]])
    places = torch.tensor([[4, 7, 1, 8, 6, 3]])  # ranks 1 to 6
    return torch.arange(20, 30)[None], rank, places


def test_permuted_prediction_reads_exactly_its_predecessors() -> None:
    network = encoder()
    ids, rank, places = order_of_one_text()
    with torch.no_grad():
        before = network.permuted(ids, rank, places)[0]
        for position in range(10):
            other = ids.clone()
            other[0, position] = 35
            changed = (network.permuted(other, rank, places)[0] - before).abs().amax(1) > 0
            for k, place in enumerate(places[0].tolist()):
                allowed = int(rank[0, position]) < int(rank[0, place])
                assert bool(changed[k]) == allowed, (position, place)


def test_permuted_prediction_has_no_gradient_to_itself_or_successors() -> None:
    network = encoder()
    ids, rank, places = order_of_one_text()
    for k, place in enumerate(places[0].tolist()):
        network.zero_grad()
        network.permuted(ids, rank, places)[0, k].square().sum().backward()
        reached = network.words.weight.grad[ids[0]].abs().sum(1) > 0
        assert reached.tolist() == [int(r) < int(rank[0, place]) for r in rank[0]]


def test_permuted_prediction_knows_where_it_is() -> None:
    network = encoder()
    ids, rank, _ = order_of_one_text()
    with torch.no_grad():
        states = network.permuted(ids, (rank > 0).long(), torch.tensor([[1, 3]]))[0]
    assert (states[0] - states[1]).abs().max() > 0.01


def test_permuted_padding_and_fillers_change_nothing() -> None:
    network = encoder()
    ids, rank, places = order_of_one_text()
    longer = torch.cat([ids, torch.full((1, 3), 33)], 1)
    hidden = torch.cat([rank, torch.full((1, 3), -1)], 1)
    fillers = torch.cat([places, torch.zeros(1, 2, dtype=torch.int64)], 1)
    with torch.no_grad():
        expected = network.permuted(ids, rank, places)
        found = network.permuted(longer, hidden, fillers)
    assert found.isfinite().all()
    torch.testing.assert_close(found[:, :6], expected)


def test_drawn_orders_differ_and_favour_no_position() -> None:
    rows = [[2, *range(10, 22), 3]] * 6000
    drawn = masking.permuted(rows, np.random.default_rng(0), share=1.0)
    words = drawn.rank[:, 1:-1].double()
    assert (drawn.rank[:, [0, -1]] == 0).all()
    assert (words.sort(1).values == torch.arange(1, 13)).all()
    # The mean rank of every position is 6.5; its standard error here is below 0.05.
    assert (words.mean(0) - 6.5).abs().max() < 0.25
    falling = (words[:, 1:] < words[:, :-1]).double().mean()
    assert abs(float(falling) - 0.5) < 0.02
    assert len({tuple(r) for r in words.tolist()}) > 5900


def test_permuted_batch_names_places_in_order_of_rank() -> None:
    rows = [[2, 10, 11, 12, 13, 14, 15, 3], [2, 20, 21, 3]]
    drawn = masking.permuted(rows, np.random.default_rng(1), share=0.5)
    assert drawn.asked.tolist() == [[True] * 3, [True, False, False]]
    ranks = drawn.rank.gather(1, drawn.places)[drawn.asked]
    assert ranks.tolist() == [1, 2, 3, 1]
    assert drawn.targets.tolist() == drawn.ids.gather(1, drawn.places)[drawn.asked].tolist()
    assert (drawn.rank[1, 4:] == -1).all()


def test_masked_batch_hides_what_it_asks_for() -> None:
    rows = [[2, *range(10, 30), 3], [2, 31, 32, 3]]
    batch = masking.masked(rows, 4, 40, np.random.default_rng(0), disguise=False)
    assert batch.chosen.sum(1).tolist() == [3, 1]  # 15 % of 20, and at least one
    assert (batch.ids[batch.chosen] == 4).all()
    original = torch.from_numpy(masking.padded(rows)[0])
    assert (batch.targets == original[batch.chosen]).all()
    assert (batch.ids[~batch.chosen] == original[~batch.chosen]).all()
    assert not batch.chosen[:, 0].any() and not batch.chosen[1, 3:].any()


def test_disguise_shows_a_tenth_as_is_and_a_tenth_at_random() -> None:
    rows = [[2, *range(10, 35), 3]] * 4000
    batch = masking.masked(rows, 4, 10_000, np.random.default_rng(0), disguise=True)
    shown = batch.ids[batch.chosen]
    assert abs(float((shown == 4).double().mean()) - 0.8) < 0.02
    assert abs(float((shown == batch.targets).double().mean()) - 0.1) < 0.02


def test_masked_model_learns_a_rule_that_needs_both_sides() -> None:
    # The middle word is the sum of its neighbours: who knows one side is right once in eight.
    rng = np.random.default_rng(0)
    shape = TextShape(words=30, width=32, layers=2, heads=2, inner=64, positions=5, dropout=0.0)
    torch.manual_seed(0)
    model = LanguageModel(TextEncoder(shape))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    chosen = torch.zeros(256, 3, dtype=torch.bool)
    chosen[:, 1] = True
    present = torch.ones(256, 3, dtype=torch.bool)
    for _ in range(250):
        sides = torch.from_numpy(rng.integers(0, 8, (256, 2)))
        ids = torch.stack([sides[:, 0] + 5, torch.full((256,), 4), sides[:, 1] + 5], 1)
        logits = model.masked(ids, present, chosen)
        loss = torch.nn.functional.cross_entropy(logits, sides.sum(1) + 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (logits.argmax(1) == sides.sum(1) + 5).float().mean() > 0.5


def test_tower_learns_in_its_top_layers_only() -> None:
    tower = TextTower(encoder(), unfrozen=1).train()
    ids = torch.randint(5, 40, (4, 7))
    present = torch.arange(7) < torch.tensor([7, 3, 1, 0])[:, None]
    assert torch.equal(tower.lower(ids, present), tower.lower(ids, present))
    vectors = tower(ids, present)
    assert vectors.shape == (4, 16) and not vectors[3].any()
    torch.testing.assert_close(vectors[:3].norm(dim=1), torch.ones(3))
    vectors[:, 0].sum().backward()
    moved = {n for n, p in tower.named_parameters() if p.grad is not None}
    assert moved and all(n.startswith("encoder.layers.2.") for n in moved)


def test_tower_parts_compose_to_the_whole() -> None:
    network = encoder()
    ids, present = torch.randint(5, 40, (2, 6)), torch.ones(2, 6, dtype=torch.bool)
    whole = torch.nn.functional.normalize(network(ids, present).mean(1), dim=-1)
    for unfrozen in range(4):
        torch.testing.assert_close(TextTower(network, unfrozen)(ids, present), whole)
    with pytest.raises(ValueError, match="4 of 3 layers"):
        TextTower(network, 4)


def test_classifier_scores_each_text_by_itself() -> None:
    torch.manual_seed(0)
    model = TextClassifier(encoder(), classes=3).eval()
    ids = torch.randint(5, 40, (2, 6))
    present = torch.arange(6) < torch.tensor([6, 4])[:, None]
    both = model(ids, present)
    torch.testing.assert_close(both[1:], model(ids[1:, :4]))
