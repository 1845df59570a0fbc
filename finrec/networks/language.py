"""The text Transformer: encoder, masked and permuted word prediction, classification.

Source: Li & Song (2024), section "Transfer Learning": an encoder with parameters θ is pretrained
without labels by a masked (MLM) or a permutation language model (PLM), then a classifier with
parameters φ is put on top of it. The encoder has BERT's layout (Devlin et al., 2019), so that
published weights such as MiniLM's can be loaded into it; its layers are those of the behaviour
Transformer.

More shapes: S tokens of a text, M predicted tokens, Y classes, W words of the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.networks.attention import EncoderLayer
from finrec.networks.dropout import Dropout
from finrec.networks.linear import Linear

HIDDEN = -1  # rank of padding in a factorisation order: seen by nobody
CONTEXT = 0  # rank of tokens that are given and not predicted; predicted ones have 1, 2, ...


@dataclass(frozen=True)
class TextShape:
    """Sizes of a text encoder.

    Args:
        words: W, size of the vocabulary.
        width: D, also V, the width of a text vector.
        layers: number of encoder layers.
        heads: H; must divide ``width``.
        inner: width of the feed-forward networks.
        positions: longest text in tokens.
        dropout: on embeddings, attention weights and sub-layer outputs, in training.
        mask: id of the token that stands for a hidden one.
    """

    words: int
    width: int = 256
    layers: int = 4
    heads: int = 4
    inner: int = 1024
    positions: int = 512
    dropout: float = 0.1
    mask: int = 4


class TextEncoder(nn.Module):
    """A bidirectional Transformer over word pieces; its weights are the paper's θ.

    Differs from the paper: positions are learned as in BERT rather than sinusoidal, because
    published weights have them so; ``segments`` are kept for those weights, ours use segment 0.

    Shapes: ids int64 [B, S], present bool [B, S] (False: padding) -> [B, S, D].
    """

    def __init__(self, shape: TextShape) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.words, shape.width)
        self.places = nn.Embedding(shape.positions, shape.width)
        self.segments = nn.Embedding(2, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.dropout = Dropout(shape.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(shape.width, shape.heads, shape.inner, shape.dropout, pre_norm=False)
            for _ in range(shape.layers)
        )
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-12  # BERT's
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        for layer in self.layers:
            layer.network[2].share = 0.0  # BERT has no dropout inside the feed-forward network

    def embed(self, ids: Tensor) -> Tensor:
        """Input of the first layer, [B, S, D]: word + position + segment, normalised."""
        x = self.words(ids) + self.places.weight[: ids.shape[1]] + self.segments.weight[0]
        return self.dropout(self.norm(x))  # [B, S, D]

    def run(self, x: Tensor, present: Tensor | None, first: int, last: int) -> Tensor:
        """Layers ``first`` up to but not including ``last``; [B, S, D] -> [B, S, D]."""
        mask = None if present is None else present[:, None, None, :]  # [B, 1, 1, S]
        for layer in self.layers[first:last]:
            x = layer(x, mask, causal=False)
        return x

    def forward(self, ids: Tensor, present: Tensor | None = None) -> Tensor:
        """Hidden states [B, S, D]; ``present`` None says that nothing is padding."""
        return self.run(self.embed(ids), present, 0, len(self.layers))

    def permuted(self, ids: Tensor, rank: Tensor, places: Tensor) -> Tensor:
        """States that predict tokens in a factorisation order: each sees its predecessors only.

        Two streams as in XLNet (Yang et al., 2019). The content stream of token i reads tokens
        whose rank is at most its own, itself included. The query stream of a predicted token
        starts from its position and the mask token, and reads the content of tokens whose rank is
        strictly smaller: neither itself nor a successor can reach it, by any path, because
        whatever it reads has itself read only smaller ranks.

        Args:
            ids: int64 [B, S], the true tokens.
            rank: int64 [B, S]: HIDDEN for padding, CONTEXT for given tokens (at least one in
                each row), 1, 2, ... for predicted tokens, in the order of prediction.
            places: int64 [B, M], positions to predict; where a row has fewer than M, repeat any.

        Returns:
            [B, M, D].
        """
        seen = rank >= CONTEXT  # [B, S]
        content_mask = (rank[:, None, :] <= rank[:, :, None]) & seen[:, None, :]  # [B, S, S]
        content_mask |= torch.eye(rank.shape[1], dtype=torch.bool, device=rank.device)
        own = rank.gather(1, places)  # [B, M]
        # A place of rank 0 is a filler whose output is ignored; it reads the context.
        query_mask = (rank[:, None, :] < own.clamp(min=1)[:, :, None]) & seen[:, None, :]
        hidden = self.places(places) + self.words.weight[self.shape.mask]  # [B, M, D]
        query = self.dropout(self.norm(hidden + self.segments.weight[0]))
        content = self.embed(ids)  # [B, S, D]
        for layer in self.layers:
            query = _read(layer, query, content, query_mask[:, None])
            content = layer(content, content_mask[:, None], causal=False)
        return query  # [B, M, D]


def _read(layer: EncoderLayer, query: Tensor, content: Tensor, mask: Tensor) -> Tensor:
    """One layer of the query stream, with the content stream as keys and values."""
    mixed = layer.attention(query, content, mask)
    query = layer.attention_norm(query + layer.dropout(mixed))
    return layer.network_norm(query + layer.dropout(layer.network(query)))


class WordHead(nn.Module):
    """Scores of every word for a hidden token: BERT's transform, output tied to the embeddings.

    Shapes: states [M, D], words [W, D] -> [M, W].
    """

    def __init__(self, shape: TextShape) -> None:
        super().__init__()
        self.transform = Linear(shape.width, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(shape.words))
        nn.init.normal_(self.transform.weight, std=0.02)
        nn.init.zeros_(self.transform.bias)

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """Logits over the vocabulary for M states."""
        return F.linear(self.norm(F.gelu(self.transform(states))), words, self.bias)  # [M, W]


class LanguageModel(nn.Module):
    """Encoder and word head: log P(y | x; θ) with y the hidden words of x.

    Shapes: returns logits [M, W] for the M tokens that the batch asks for, row by row.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = WordHead(encoder.shape)

    def masked(self, ids: Tensor, present: Tensor, chosen: Tensor) -> Tensor:
        """MLM: ids [B, S] with some tokens hidden; ``chosen`` bool [B, S] says which to predict."""
        states = self.encoder(ids, present)[chosen]  # [M, D]
        return self.head(states, self.encoder.words.weight)

    def permuted(self, ids: Tensor, rank: Tensor, places: Tensor, asked: Tensor) -> Tensor:
        """PLM: see :meth:`TextEncoder.permuted`; ``asked`` bool [B, M] leaves out fillers."""
        states = self.encoder.permuted(ids, rank, places)[asked]  # [M, D]
        return self.head(states, self.encoder.words.weight)


def pooled(hidden: Tensor, present: Tensor | None) -> Tensor:
    """Mean over the tokens that are there; [B, S, D] -> [B, D]."""
    if present is None:
        return hidden.mean(1)
    weight = present[..., None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)  # [B, D]


class TextClassifier(nn.Module):
    """Encoder and linear classifier on its mean: log P(y | x; θ*, φ), φ being ``output``.

    Shapes: ids int64 [B, S], present bool [B, S] -> logits [B, Y].
    """

    def __init__(self, encoder: TextEncoder, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = Dropout(dropout)
        self.output = Linear(encoder.shape.width, classes)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def forward(self, ids: Tensor, present: Tensor | None = None) -> Tensor:
        """Class logits [B, Y]."""
        return self.output(self.dropout(pooled(self.encoder(ids, present), present)))


class TextTower(nn.Module):
    """Text vectors with gradient into the top layers of an encoder, the rest frozen.

    ``lower`` never changes in training, so its output may be computed once and kept; ``upper``
    is what learns. ``forward`` is both, and in evaluation mode equals the vectors of
    :func:`finrec.features.text.encode`.

    Args:
        encoder: its lower part is frozen here.
        unfrozen: number of top layers that learn, 0 to all.

    Shapes: ids int64 [N, S], present bool [N, S] -> [N, V], rows of length 1; a row without any
    token gives zeros.
    """

    def __init__(self, encoder: TextEncoder, unfrozen: int) -> None:
        super().__init__()
        if not 0 <= unfrozen <= len(encoder.layers):
            raise ValueError(f"{unfrozen} of {len(encoder.layers)} layers can't be unfrozen")
        self.encoder = encoder
        self.boundary = len(encoder.layers) - unfrozen
        encoder.requires_grad_(False)
        encoder.layers[self.boundary :].requires_grad_(True)

    def train(self, mode: bool = True) -> TextTower:
        """Frozen parts stay without dropout in training, so that ``lower`` is constant."""
        super().train(mode)
        self.encoder.dropout.eval()
        self.encoder.layers[: self.boundary].eval()
        return self

    @torch.no_grad()
    def lower(self, ids: Tensor, present: Tensor) -> Tensor:
        """Output of the frozen part, [N, S, V]."""
        return self.encoder.run(self.encoder.embed(ids), _never_empty(present), 0, self.boundary)

    def upper(self, hidden: Tensor, present: Tensor) -> Tensor:
        """Vectors [N, V] from the frozen part's output."""
        mask = _never_empty(present)
        top = self.encoder.run(hidden, mask, self.boundary, len(self.encoder.layers))
        return F.normalize(pooled(top, present), dim=-1)  # [N, V]

    def forward(self, ids: Tensor, present: Tensor) -> Tensor:
        """Vectors [N, V]."""
        return self.upper(self.lower(ids, present), present)


def _never_empty(present: Tensor) -> Tensor:
    """Let a text without tokens attend to something, because softmax over nothing is NaN."""
    first = torch.zeros_like(present)
    first[:, 0] = True
    return present | (first & ~present.any(1, keepdim=True))
