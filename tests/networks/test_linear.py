"""Matrix products by either library are the same products, forward and backward."""

import numpy as np
import pytest
import torch

from finrec.features import sequences
from finrec.networks import linear
from finrec.networks.groups import filled


@pytest.fixture
def everywhere(monkeypatch):
    """Products of every size go through oneDNN."""
    if not linear.AVAILABLE:
        pytest.skip("this processor's products go through torch's own library")
    monkeypatch.setattr(linear, "LEAST", 1)


@pytest.mark.parametrize("shape", [(3, 5, 8), (7, 8), (1, 8)])
def test_a_linear_map_has_the_values_and_gradients_of_torchs(everywhere, shape):
    torch.manual_seed(0)
    ours, theirs = linear.Linear(8, 6), torch.nn.Linear(8, 6)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(shape, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weight = torch.randn(*shape[:-1], 6)
    assert ours(x).grad_fn.next_functions[0][0].name().startswith("_Product")
    (ours(x) * weight).sum().backward()
    (theirs(y) * weight).sum().backward()
    torch.testing.assert_close(ours(x), theirs(y))
    torch.testing.assert_close(x.grad, y.grad)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_products_of_views_are_those_of_copies(everywhere):
    torch.manual_seed(0)
    x, weight = torch.randn(9, 5), torch.randn(9, 4)
    torch.testing.assert_close(linear.product(x.T, weight.T), x.T @ weight)
    torch.testing.assert_close(linear.product(weight.T, x.T), weight.T @ x)


def test_products_are_exact_to_float32(everywhere):
    torch.manual_seed(0)
    x, weight = torch.randn(64, 128), torch.randn(300, 128)
    exact = x.double() @ weight.double().T
    found = (linear.product(x, weight) - exact).abs().max()
    assert found < 4 * ((x @ weight.T) - exact).abs().max()  # half precision misses by thousands


def test_a_frozen_weight_gets_no_gradient(everywhere):
    x = torch.randn(4, 3, requires_grad=True)
    weight = torch.randn(2, 3)
    linear.linear(x, weight).sum().backward()
    assert weight.grad is None
    torch.testing.assert_close(x.grad, weight.sum(0).expand(4, 3))


def test_rows_are_filled_up_with_zeros_and_few_are_left_alone():
    x = torch.ones(linear.STEP + 1, 2)
    assert filled(x).shape == (2 * linear.STEP, 2) and filled(x)[len(x) :].abs().max() == 0
    assert filled(x[:5]).shape == (5, 2)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_tight_batches_hold_everybody_once_and_little_padding(size):
    lengths = np.random.default_rng(0).geometric(0.2, 500) - 1
    batches = list(sequences.tight(lengths, size, tokens=300))
    assert sorted(np.concatenate(batches)) == list(range(500))
    for rows in batches:
        tokens = len(rows) * (lengths[rows].max() + 1)
        assert len(rows) <= size
        assert tokens <= 300 or len(rows) == 1
        assert tokens <= 1.1 * (lengths[rows] + 1).sum() + 1e-9
