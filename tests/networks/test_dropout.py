"""Dropout: as many zeros as asked, the mean kept, nothing outside training."""

from __future__ import annotations

import pytest
import torch

from finrec.networks.dropout import LEVELS, Dropout


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_share_of_zeros_and_mean(share: float) -> None:
    torch.manual_seed(0)
    layer = Dropout(share).train()
    x = torch.ones(1_000_003)
    out = layer(x)
    rounded = round(share * LEVELS) / LEVELS
    assert (out == 0).float().mean().item() == pytest.approx(rounded, abs=3e-3)
    assert out.mean().item() == pytest.approx(1, abs=1e-2)
    assert len(out.unique()) == 2  # 0 and the scale


def test_each_of_the_eight_decisions_of_a_draw_is_fair_and_independent() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5).train()(torch.ones(80_000)) != 0).view(-1, 8).float()  # [10,000, 8]
    assert (kept.mean(0) - 0.5).abs().max() < 0.03
    joint = torch.corrcoef(kept.T) - torch.eye(8)
    assert joint.abs().max() < 0.05


def test_repeats_with_the_seed_and_differs_without() -> None:
    layer = Dropout(0.5).train()
    x = torch.ones(100)
    torch.manual_seed(3)
    first, second = layer(x), layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


def test_gradient_flows_where_kept_only() -> None:
    x = torch.ones(64, requires_grad=True)
    out = Dropout(0.25).train()(x)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())


def test_nothing_outside_training_and_at_zero() -> None:
    x = torch.randn(7, 3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x
