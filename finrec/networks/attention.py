"""Attention, feed-forward and the sinusoid of the behaviour and the text Transformer.

Equations are those of Li & Song (2024), section "Transformer Model", numbered in order of
appearance: (1) embedding plus position, (2) and (3) sinusoid, (4) and (5) encoder layer,
(6) attention, (7) multi-head attention, (8) feed-forward network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from finrec.networks.dropout import Dropout
from finrec.networks.groups import Groups
from finrec.networks.linear import Linear, linear

MANY = 6_000  # tokens from which memory counts for more than time


def sinusoid(positions: int, width: int) -> Tensor:
    """Sinusoidal position vectors, float32 [positions, width]. Eq. (2) and (3).

    Even columns hold the sine, odd ones the cosine. Works for an odd width too.
    """
    place = torch.arange(positions, dtype=torch.float64)[:, None]
    pair = torch.arange(0, width, 2, dtype=torch.float64)
    angle = place / 10000 ** (pair / width)  # [positions, ceil(D / 2)]
    table = torch.zeros(positions, width, dtype=torch.float64)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle)[:, : width // 2]
    return table.float()


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in H heads. Eq. (6) and (7).

    ``forward`` runs the fused kernel; ``weights`` recomputes the attention weights that it used,
    for explanations (a test compares the two).

    Args:
        width: D; must be a multiple of ``heads``.
        heads: H.
        dropout: on attention weights, in training.

    Shapes: queries [B, Q, D], keys and values from memory [B, M, D] -> [B, Q, D].
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.heads = heads
        self.dropout = dropout
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.output = Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        return x.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

    def forward(
        self, x: Tensor, memory: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Attend from x to memory.

        Args:
            x: [B, Q, D].
            memory: [B, M, D].
            mask: bool, True where a query may look; broadcastable to [B, H, Q, M].
            causal: token i looks at memory tokens up to i; instead of ``mask``.
        """
        mixed = F.scaled_dot_product_attention(
            *map(self._split, self._projected(x, memory)),
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=causal,
        )  # [B, H, Q, K]
        return self.output(mixed.transpose(1, 2).flatten(2))  # [B, Q, D]

    def _projected(self, x: Tensor, memory: Tensor) -> Sequence[Tensor]:
        """Queries [B, Q, D], keys and values [B, M, D]; in one product where all are of x."""
        layers = (self.query, self.key, self.value)
        if x is not memory:
            return [layer(of) for layer, of in zip(layers, (x, memory, memory), strict=True)]
        weight = torch.cat([layer.weight for layer in layers])
        return linear(x, weight, torch.cat([layer.bias for layer in layers])).chunk(3, -1)

    def grouped(self, x: Tensor, memory: Tensor, groups: Groups) -> Tensor:
        """Causal attention in batches that lie end to end: [S, D], [S, D] -> [S, D]."""
        mixed = torch.zeros_like(x)
        parts = [groups.of(part) for part in (*self._projected(x, memory), mixed)]
        for query, key, value, out in zip(*parts, strict=True):
            found = F.scaled_dot_product_attention(
                *map(self._split, (query, key, value)),
                dropout_p=self.dropout if self.training else 0.0,
                is_causal=True,
            )
            out.unflatten(2, (self.heads, -1)).copy_(found.transpose(1, 2))
        return self.output(mixed)

    def last(self, x: Tensor, memory: Tensor, groups: Groups) -> Tensor:
        """As ``grouped`` for each customer's last token, without a key and a value of each token.

        ``q . (K m + b) = (K^T q) . m + q . b``, where the last term is the same for all tokens and
        leaves the softmax as it is; and a mean of values is the value of the mean. So the maps
        of keys and values are applied once a customer.

        Args:
            x: one query a customer, [C, D].
            memory: [S, D].
            groups: of the C customers.
        """
        count, width = x.shape
        by_head = (self.heads, width // self.heads, width)
        query = self.query(x).view(count, *by_head[:2]).transpose(0, 1)  # [H, C, K]
        asked = (query @ self.key.weight.view(by_head)).transpose(0, 1)  # [C, H, D]
        mixed = torch.zeros_like(asked)
        parts = map(groups.customers, (asked, mixed))
        for queries, out, events, seen in zip(
            *parts, groups.of(memory), groups.seen(), strict=True
        ):
            found = F.scaled_dot_product_attention(
                queries[:, None],
                events[:, None],
                events[:, None],
                attn_mask=seen,
                dropout_p=self.dropout if self.training else 0.0,
                scale=by_head[1] ** -0.5,
            )  # [B, 1, H, D]
            out.copy_(found[:, 0])
        values = self.value.weight.view(by_head).transpose(1, 2)  # [H, D, K]
        heads = mixed.transpose(0, 1) @ values  # [H, C, K]
        return self.output(heads.transpose(0, 1).flatten(1) + self.value.bias)

    def weights(
        self, x: Tensor, memory: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The output of ``forward`` without dropout, and the weights [B, H, Q, M] it used."""
        query, key = self._split(self.query(x)), self._split(self.key(memory))
        logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # [B, H, Q, M]
        if causal:
            mask = torch.ones(logits.shape[-2:], dtype=torch.bool, device=x.device).tril()
        if mask is not None:
            logits = logits.masked_fill(~mask, float("-inf"))
        share = logits.softmax(-1)
        mixed = share @ self._split(self.value(memory))  # [B, H, Q, K]
        return self.output(mixed.transpose(1, 2).flatten(2)), share


class FeedForward(nn.Sequential):
    """Position-wise network. Eq. (8) with the activation that the paper's text names.

    Differs from the paper: its printed formula leaves the activation out, its text has one (ReLU
    or GELU); without it the layer would be a single linear map. GELU here.
    """

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__(Linear(width, inner), nn.GELU(), Dropout(dropout), Linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]. Of many tokens the inner values are worked out again, not kept."""
        if not torch.is_grad_enabled() or x.shape[:-1].numel() < MANY:
            return super().forward(x)
        again: Tensor = checkpoint(super().forward, x, use_reentrant=False)
        return again


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each with residual and layer norm. Eq. (4) and (5).

    Args:
        pre_norm: normalise the input of each sub-layer (needs no warm-up, the default); False
            normalises after the residual sum, as the paper prints.
    """

    def __init__(
        self, width: int, heads: int, inner: int, dropout: float, pre_norm: bool = True
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = MultiHeadAttention(width, heads, dropout)
        self.network = FeedForward(width, inner, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.network_norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = True) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        return self._residual(x, lambda y: self.attention(y, y, mask, causal))

    def grouped(self, x: Tensor, groups: Groups) -> Tensor:
        """The causal output of batches that lie end to end, [S, D] -> [S, D]."""
        return self._residual(x, lambda y: self.attention.grouped(y, y, groups))

    def last(self, x: Tensor, groups: Groups) -> Tensor:
        """The same at each customer's last token, [S, D] -> [C, D]."""
        y = self.attention_norm(x) if self.pre_norm else x
        now = groups.now()
        mixed = self.attention.last(y[now], y, groups)
        return self._residual(x[now], lambda _: mixed)

    def explain(
        self, x: Tensor, mask: Tensor | None = None, causal: bool = True
    ) -> tuple[Tensor, Tensor]:
        """The same output, and attention weights [B, H, T, T]."""
        kept = []

        def attend(y: Tensor) -> Tensor:
            out, share = self.attention.weights(y, y, mask, causal)
            kept.append(share)
            return out

        return self._residual(x, attend), kept[0]

    def _residual(self, x: Tensor, attend) -> Tensor:
        if self.pre_norm:
            x = x + self.dropout(attend(self.attention_norm(x)))
            return x + self.dropout(self.network(self.network_norm(x)))
        x = self.attention_norm(x + self.dropout(attend(x)))
        return self.network_norm(x + self.dropout(self.network(x)))


class DecoderLayer(nn.Module):
    """Self-attention of the queries, attention to the encoder, feed-forward, each with residual.

    Source: the paper's decoder of M layers with three sub-layers each (after Eq. (8)).

    Shapes: queries [B, Q, D], memory [B, M, D] -> [B, Q, D].
    """

    def __init__(
        self, width: int, heads: int, inner: int, dropout: float, pre_norm: bool = True
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.own = MultiHeadAttention(width, heads, dropout)
        self.cross = MultiHeadAttention(width, heads, dropout)
        self.network = FeedForward(width, inner, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, causal: bool = True) -> Tensor:
        """Query i sees queries and memory tokens up to i when causal."""
        x = self._sub(0, x, lambda y: self.own(y, y, causal=causal))
        x = self._sub(1, x, lambda y: self.cross(y, memory, causal=causal))
        return self._sub(2, x, self.network)

    def grouped(self, x: Tensor, memory: Tensor, groups: Groups) -> Tensor:
        """The causal output of batches that lie end to end, [S, D], [S, D] -> [S, D]."""
        x = self._sub(0, x, lambda y: self.own.grouped(y, y, groups))
        x = self._sub(1, x, lambda y: self.cross.grouped(y, memory, groups))
        return self._sub(2, x, self.network)

    def last(self, x: Tensor, memory: Tensor, groups: Groups) -> Tensor:
        """The same at each customer's last token, [S, D], [S, D] -> [C, D]."""
        y = self.norms[0](x) if self.pre_norm else x
        now = groups.now()
        mixed = self.own.last(y[now], y, groups)
        z = self._sub(0, x[now], lambda _: mixed)
        z = self._sub(1, z, lambda q: self.cross.last(q, memory, groups))
        return self._sub(2, z, self.network)

    def explain(self, x: Tensor, memory: Tensor, causal: bool = True) -> tuple[Tensor, Tensor]:
        """The same output, and the attention to the encoder [B, H, Q, M]."""
        kept = []

        def attend(y: Tensor) -> Tensor:
            out, share = self.cross.weights(y, memory, causal=causal)
            kept.append(share)
            return out

        x = self._sub(0, x, lambda y: self.own.weights(y, y, causal=causal)[0])
        x = self._sub(1, x, attend)
        return self._sub(2, x, self.network), kept[0]

    def _sub(self, index: int, x: Tensor, sub_layer) -> Tensor:
        if self.pre_norm:
            return x + self.dropout(sub_layer(self.norms[index](x)))
        return self.norms[index](x + self.dropout(sub_layer(x)))
