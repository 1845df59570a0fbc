"""GRU4Rec: a recurrent network over product ids, with a full softmax.

Hidasi et al. (2016); the full softmax in place of its sampled losses is what Petrov and Macdonald
(2022) and Klenitskiy and Vasilev (2023) recommend for a catalogue that fits in memory.
"""

from __future__ import annotations

from torch import Tensor, nn

from finrec.baselines.next_event import NextEvent, NextEventNetwork


class _Network(NextEventNetwork):
    def __init__(self, n: int, width: int, layers: int, dropout: float) -> None:
        super().__init__(n, width, dropout)
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(width, width, layers, batch_first=True, dropout=between)

    def forward(self, products: Tensor, lengths: Tensor) -> Tensor:
        states: Tensor = self.dropout(self.gru(self.dropout(self.tokens(products)))[0])
        return states


class GRU4Rec(NextEvent):
    """GRU4Rec with a start token, so that customers without a past are served too.

    Args: see :class:`finrec.baselines.next_event.NextEvent`.
    """

    def __init__(
        self,
        epochs: int = 10,
        dropout: float = 0.3,
        rate: float = 2e-3,
        width: int = 128,
        layers: int = 1,
        batch: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__(epochs, dropout, rate, width, layers, batch, seed)

    def build(self, n: int) -> NextEventNetwork:
        """The network for N products."""
        return _Network(n, self.width, self.layers, self.dropout)
