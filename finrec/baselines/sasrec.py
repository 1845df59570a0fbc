"""SASRec: a causal Transformer over product ids alone, with a full softmax.

Stand-in for Zhang et al. (2019), a survey of deep learning in recommenders: Kang and McAuley
(2018), with the full softmax that later work found stronger (Klenitskiy and Vasilev, 2023).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.baselines.next_event import LENGTH, NextEvent, NextEventNetwork


class _Network(NextEventNetwork):
    def __init__(self, n: int, width: int, layers: int, dropout: float) -> None:
        super().__init__(n, width, dropout)
        self.places = nn.Embedding(LENGTH + 1, width)
        layer = nn.TransformerEncoderLayer(
            width, 2, 4 * width, dropout, F.gelu, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(self, products: Tensor, lengths: Tensor) -> Tensor:
        x = self.tokens(products)
        # Places count back from the latest event, as with the original's padding in front. Its own
        # place, 0, foretells nothing in training; counting from the event before it instead
        # ranked worse on validation (Beauty, one run each, though of six epochs against twelve).
        back = (lengths[:, None] - torch.arange(x.shape[1])).clamp(min=0)
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        x = self.dropout(x + self.places(back))
        states: Tensor = self.layers(x, mask=mask, is_causal=True)
        return states


class SASRec(NextEvent):
    """SASRec with a start token, so that customers without a past are served too.

    Args: see :class:`finrec.baselines.next_event.NextEvent`.
    """

    def __init__(
        self,
        epochs: int = 18,
        dropout: float = 0.5,
        rate: float = 1e-3,
        width: int = 128,
        layers: int = 2,
        batch: int = 128,
        seed: int = 0,
        smoothing: float = 0.1,
    ) -> None:
        super().__init__(epochs, dropout, rate, width, layers, batch, seed, smoothing)

    def build(self, n: int) -> NextEventNetwork:
        """The network for N products."""
        return _Network(n, self.width, self.layers, self.dropout)
