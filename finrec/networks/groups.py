"""Batches of customers end to end, so that what is done token by token is done once for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from finrec.networks.linear import STEP


@dataclass(frozen=True)
class Groups:
    """Tokens of several padded batches as one matrix [S, D], filled up with zeros.

    Where S is always a multiple of :data:`finrec.networks.linear.STEP`, the matrix products of
    one slab after the other have few shapes.

    Args:
        sizes: customers and tokens of each batch.
        lengths: real events of all customers, int64 [C].
    """

    sizes: Sequence[tuple[int, int]]
    lengths: Tensor

    def pack(self, parts: Sequence[Tensor]) -> Tensor:
        """Batches [B, T, D] to the matrix [S, D]."""
        return filled(torch.cat([part.flatten(0, 1) for part in parts]))

    def of(self, x: Tensor) -> Iterator[Tensor]:
        """Views [B, T, ...] of the batches in a matrix [S, ...]."""
        start = 0
        for customers, tokens in self.sizes:
            part = x[start : start + customers * tokens]
            yield part.unflatten(0, (customers, tokens))
            start += customers * tokens

    def customers(self, x: Tensor) -> Sequence[Tensor]:
        """Views [B, ...] of the batches in a matrix [C or more, ...]."""
        counts = [customers for customers, _ in self.sizes]
        return x[: sum(counts)].split(counts)

    def now(self) -> Tensor:
        """Row of each customer's last token in the matrix, int64 [C, filled up]."""
        rows, start, done = [], 0, 0
        for customers, tokens in self.sizes:
            first = torch.arange(customers, device=self.lengths.device) * tokens + start
            rows.append(first + self.lengths[done : done + customers])
            start, done = start + customers * tokens, done + customers
        return filled(torch.cat(rows))

    def seen(self) -> Iterator[Tensor]:
        """What the last token of each customer may look at, by batch, bool [B, 1, 1, T]."""
        for lengths, (_, tokens) in zip(self.customers(self.lengths), self.sizes, strict=True):
            places = torch.arange(tokens, device=lengths.device)
            yield (places <= lengths[:, None])[:, None, None]


def filled(x: Tensor, step: int = STEP) -> Tensor:
    """With zeros behind, so that the rows are a multiple of the step; unless they are few."""
    missing = -len(x) % step
    if len(x) < step or not missing:
        return x
    return F.pad(x, (0, 0) * (x.dim() - 1) + (0, missing))


def last_state(states: Tensor, lengths: Tensor) -> Tensor:
    """The state after the last real event, [B, T + 1, D] -> [B, D]."""
    return states[torch.arange(len(lengths), device=lengths.device), lengths]
