"""The chunked loss against torch's own, value and gradients."""

import pytest
import torch
import torch.nn.functional as F

from finrec.networks.trend import Common
from finrec.training import losses


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_cross_entropy_in_value_and_gradient(monkeypatch, smoothing, weighted):
    monkeypatch.setitem(losses.ROWS, "cpu", 7)  # several chunks, the last one short
    torch.manual_seed(0)
    states = torch.randn(20, 6, requires_grad=True)
    products = torch.randn(11, 6, requires_grad=True)
    bias = torch.randn(11, requires_grad=True)
    targets = torch.randint(11, (20,))
    weights = torch.rand(20) if weighted else None
    ours = losses.softmax_over_catalogue(states, products, bias, targets, weights, smoothing)
    (3 * ours).backward()
    found = [t.grad.clone() for t in (states, products, bias)]
    for tensor in (states, products, bias):
        tensor.grad = None
    each = F.cross_entropy(
        states @ products.T + bias, targets, reduction="none", label_smoothing=smoothing
    )
    share = torch.ones(20) if weights is None else weights
    theirs = (each * share).sum() / share.sum()
    (3 * theirs).backward()
    torch.testing.assert_close(ours, theirs)
    for got, tensor in zip(found, (states, products, bias), strict=True):
        torch.testing.assert_close(got, tensor.grad, atol=1e-6, rtol=1e-4)


def test_large_logits_stay_finite():
    states = torch.tensor([[1e4], [-1e4]])
    products = torch.tensor([[1.0], [-1.0]])
    loss = losses.softmax_over_catalogue(states, products, torch.zeros(2), torch.tensor([0, 1]))
    assert torch.isfinite(loss) and loss < 1e-6


def test_focal_equals_its_formula_in_value_and_gradient():
    torch.manual_seed(1)
    states = torch.randn(9, 4, requires_grad=True)
    products = torch.randn(5, 4, requires_grad=True)
    bias = torch.zeros(5)
    targets = torch.randint(5, (9,))
    ours = losses.softmax_over_catalogue(states, products, bias, targets, focal=2.0)
    ours.backward()
    found = [states.grad.clone(), products.grad.clone()]
    states.grad = products.grad = None
    logged = F.log_softmax(states @ products.T, 1).gather(1, targets[:, None])[:, 0]
    theirs = (-((1 - logged.exp()) ** 2) * logged).mean()
    theirs.backward()
    torch.testing.assert_close(ours, theirs)
    for got, tensor in zip(found, (states, products), strict=True):
        torch.testing.assert_close(got, tensor.grad, atol=1e-6, rtol=1e-4)


def test_sampled_softmax_with_every_product_is_the_full_one_and_near_it_with_many():
    torch.manual_seed(2)
    states, products = torch.randn(16, 8) / 3, torch.randn(2000, 8)
    bias, targets = torch.randn(2000), torch.randint(2000, (16,))
    full = losses.softmax_over_catalogue(states, products, bias, targets)
    every = losses.sampled_softmax(states, products, bias, targets, 2000)
    torch.testing.assert_close(every, full)
    drawn = torch.stack(
        [losses.sampled_softmax(states, products, bias, targets, 500) for _ in range(50)]
    )
    assert 0 < (drawn.mean() - full).abs() < 0.05 and drawn.std() < 0.1


def test_additions_to_single_scores_are_part_of_value_and_gradient(monkeypatch):
    monkeypatch.setitem(losses.ROWS, "cpu", 4)
    torch.manual_seed(3)
    states, products = torch.randn(10, 4), torch.randn(6, 4)
    rows, columns = torch.tensor([0, 0, 3, 4, 9]), torch.tensor([1, 5, 2, 2, 0])
    added = torch.randn(5, requires_grad=True)
    targets = torch.randint(6, (10,))
    ours = losses.softmax_over_catalogue(
        states, products, torch.zeros(6), targets, added=(rows, columns, added)
    )
    ours.backward()
    found, added.grad = added.grad.clone(), None
    logits = (states @ products.T).index_put((rows, columns), added, accumulate=True)
    theirs = F.cross_entropy(logits, targets)
    theirs.backward()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(found, added.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("how", [{"smoothing": 0.1}, {"focal": 2.0}, {}])
def test_all_three_ways_count_weights_and_additions_alike(how):
    torch.manual_seed(4)
    states, products, bias = torch.randn(12, 4), torch.randn(9, 4), torch.randn(9)
    targets, weights = torch.randint(9, (12,)), torch.rand(12)
    columns = torch.randint(9, (12,)).index_copy(0, torch.tensor([0]), targets.min()[None])
    added = (torch.arange(12), columns, torch.randn(12))
    common = Common(torch.randint(3, (12,)), torch.randn(3, 9))
    rest = {"weights": weights, "added": added, "common": common, **how}
    full = losses.softmax_over_catalogue(states, products, bias, targets, **rest)
    drawn = losses.sampled_softmax(states, products, bias, targets, 9, **rest)
    scored = losses.softmax_of_scores(states @ products.T + bias, targets, **rest)
    torch.testing.assert_close(drawn, full)
    torch.testing.assert_close(scored, full)
    logits = states @ products.T + bias + common.values[common.of_row]
    logits[added[0], added[1]] += added[2]
    each = F.cross_entropy(
        logits, targets, reduction="none", label_smoothing=how.get("smoothing", 0.0)
    )
    each = (1 - (-each).exp()) ** how.get("focal", 0.0) * each
    torch.testing.assert_close(full, (each * weights).sum() / weights.sum())
