"""An average of the weights along the way, steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a network's parameters.

    Source: Polyak and Juditsky (1992), with the exponential weights of later practice.

    Args:
        network: being learned.
        steps: that the average reaches back, about; less than 1: no average is kept.
    """

    def __init__(self, network: nn.Module, steps: float) -> None:
        self.network = network
        self.steps = steps
        self.tensors: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, taken: int) -> None:
        """Take in the weights after a step.

        Args:
            taken: steps taken before, so that the first weights, which are random, fade at once.
        """
        if self.steps < 1:
            return
        now = {k: p.detach() for k, p in self.network.named_parameters()}
        if not self.tensors:
            self.tensors = {k: v.clone() for k, v in now.items()}
        weight = 1 / min(self.steps, taken + 1)
        torch._foreach_lerp_([self.tensors[k] for k in now], list(now.values()), weight)

    def resume(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what was saved of :attr:`tensors`, on the network's device."""
        own = dict(self.network.named_parameters())
        self.tensors = {k: v.to(own[k].device) for k, v in tensors.items()}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the averaged weights inside, and its own again afterwards."""
        if not self.tensors:
            yield
            return
        own = {k: p.detach().clone() for k, p in self.network.named_parameters()}
        self._put(self.tensors)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, tensors: dict[str, Tensor]) -> None:
        for name, parameter in self.network.named_parameters():
            parameter.copy_(tensors[name])
