"""Attention, sinusoid and layers against closed forms and against torch's own."""

import math

import pytest
import torch
from torch import nn

from finrec.networks.attention import (
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    MultiHeadAttention,
    sinusoid,
)
from finrec.networks.fusion import GatedFusion
from finrec.networks.relations import CustomerNode, ProductGraph


@pytest.mark.parametrize("width", [8, 7])
def test_eq_2_and_3_sinusoid_matches_closed_form(width):
    table = sinusoid(11, width)
    for position in (0, 1, 10):
        for column in range(width):
            angle = position / 10000 ** (2 * (column // 2) / width)
            expected = math.sin(angle) if column % 2 == 0 else math.cos(angle)
            assert table[position, column] == pytest.approx(expected, abs=1e-6)


def reference(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    """The module of torch with the same weights."""
    width = ours.query.in_features
    theirs = nn.MultiheadAttention(width, ours.heads, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(
            torch.cat([ours.query.weight, ours.key.weight, ours.value.weight])
        )
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    return theirs


@pytest.mark.parametrize("causal", [False, True])
def test_eq_6_and_7_attention_and_its_weights_equal_torchs(causal):
    torch.manual_seed(0)
    ours = MultiHeadAttention(12, 3).eval()
    x = torch.randn(2, 5, 12)
    mask = torch.ones(5, 5).triu(1).bool() if causal else None
    out, share = reference(ours)(x, x, x, attn_mask=mask, average_attn_weights=False)
    torch.testing.assert_close(ours(x, x, causal=causal), out)
    explained, weights = ours.weights(x, x, causal=causal)
    torch.testing.assert_close(explained, out)
    torch.testing.assert_close(weights, share)


def test_attention_respects_a_mask():
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 2).eval()
    x, memory = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    mask = torch.tensor([True, True, False, True]).expand(1, 1, 3, 4)
    changed = memory.clone()
    changed[:, 2] += 100
    torch.testing.assert_close(attention(x, memory, mask), attention(x, changed, mask))
    assert attention.weights(x, memory, mask)[1][..., 2].abs().max() == 0


def test_width_must_be_a_multiple_of_heads():
    with pytest.raises(ValueError, match="not a multiple"):
        MultiHeadAttention(10, 3)


def test_eq_8_feed_forward_has_an_activation_between_its_two_maps():
    torch.manual_seed(0)
    network = FeedForward(4, 16, 0.0).eval()
    x = torch.randn(3, 4)
    first, second = network[0], network[3]
    expected = nn.functional.gelu(x @ first.weight.T + first.bias) @ second.weight.T + second.bias
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_eq_4_and_5_encoder_layer_explains_what_it_computes(pre_norm):
    torch.manual_seed(0)
    layer = EncoderLayer(8, 2, 16, 0.3, pre_norm).eval()
    x = torch.randn(2, 6, 8)
    out, share = layer.explain(x)
    torch.testing.assert_close(layer(x), out)
    torch.testing.assert_close(share.sum(-1), torch.ones(2, 2, 6))
    if not pre_norm:  # the formulas as printed
        z = layer.attention_norm(x + layer.attention(x, x, causal=True))
        torch.testing.assert_close(out, layer.network_norm(z + layer.network(z)))


@pytest.mark.parametrize("pre_norm", [False, True])
def test_decoder_layer_explains_what_it_computes_and_sees_no_future(pre_norm):
    torch.manual_seed(0)
    layer = DecoderLayer(8, 2, 16, 0.3, pre_norm).eval()
    x, memory = torch.randn(2, 6, 8), torch.randn(2, 6, 8)
    out, share = layer.explain(x, memory)
    torch.testing.assert_close(layer(x, memory), out)
    assert share.triu(1).abs().max() == 0
    later = memory.clone()
    later[:, 4:] += 10
    torch.testing.assert_close(layer(x, later)[:, :4], out[:, :4])


def test_a_gate_opens_by_what_it_is_learned_from_and_begins_mostly_closed():
    torch.manual_seed(0)
    fusion = GatedFusion(4, ["profile"])
    sequence, profile = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    begun = fusion.gates(sequence, {"profile": profile})["profile"]
    torch.testing.assert_close(begun, torch.full((2, 3, 1), 1 / (1 + math.e)))
    layer = fusion.gate["profile"]
    nn.init.normal_(layer.weight)
    gate = torch.sigmoid(torch.cat([sequence, profile], -1) @ layer.weight.T - 1)
    out = fusion(sequence, {"profile": profile})
    torch.testing.assert_close(out, sequence + gate * profile)


def test_eq_12_products_weigh_themselves_and_their_neighbours_layer_by_layer():
    torch.manual_seed(0)
    edges = torch.tensor([[1, 2, 0, 0], [0, 0, 1, 2]])  # from, to; product 3 has none
    graph = ProductGraph("gat", 2, 4, torch.tensor([0, 2, 3, 4, 4]), edges[0], torch.ones(4)).eval()
    nn.init.uniform_(graph.strength)
    near = torch.eye(4).bool().index_put((edges[1], edges[0]), torch.tensor(True))  # to, from
    x = given = torch.randn(4, 4)
    shares = []
    for layer, strength in zip(graph.convolutions, graph.strength, strict=True):
        sent = x @ layer.lin.weight.T
        logits = (sent @ layer.att_src[0, 0])[None] + (sent @ layer.att_dst[0, 0])[:, None]
        logits = nn.functional.leaky_relu(logits, 0.2).masked_fill(~near, -math.inf)
        shares.append(logits.softmax(1))
        x = x + strength * nn.functional.elu(shares[-1] @ sent + layer.bias)
    torch.testing.assert_close(graph(given), x)
    (neighbour, product), share = graph.coefficients(given)
    told = torch.zeros(4, 4).index_put((product, neighbour), share)
    torch.testing.assert_close(told, sum(shares) / 2)


def test_exponents_of_a_customers_node_are_leaky_and_stay_between_bounds():
    logits = torch.tensor([-1000.0, -1.0, 0.0, 1.0, 1000.0])
    expected = torch.tensor([-20.0, -0.2, 0.0, 1.0, 20.0])
    torch.testing.assert_close(CustomerNode._exponents(logits), expected, atol=1e-3, rtol=1e-3)
