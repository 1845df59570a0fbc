"""Towers that turn attributes and texts into vectors, and the gate that fuses them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from finrec.networks.dropout import Dropout
from finrec.networks.language import TextTower as LanguageTower


class ProfileTower(nn.Module):
    """Attributes to a vector: a linear map of the numbers plus an embedding a category.

    Shapes: numbers [B, P], categories [B, Q] -> [B, D].

    Args:
        n_numbers: P.
        sizes: codes of each category, Q of them.
        width: D.
    """

    def __init__(self, n_numbers: int, sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(width) * 0.02)
        self.numbers = nn.Linear(n_numbers, width, bias=False) if n_numbers else None
        self.categories = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        if self.numbers is not None:
            nn.init.normal_(self.numbers.weight, std=0.02)
        for table in self.categories:
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """The learned start vector where nothing is known."""
        out = self.start.expand(len(numbers), -1)  # [B, D]
        if self.numbers is not None:
            out = out + self.numbers(numbers)
        for column, table in enumerate(self.categories):
            out = out + table(categories[:, column])
        return out


class TextTower(nn.Module):
    """Frozen text vectors to the recommender's width: feature-based transfer learning.

    Source: the paper's section "Transfer Learning": a pretrained Transformer as feature extractor.

    Shapes: vectors [N, V] (kept as a buffer) -> [N, D].
    """

    def __init__(self, vectors: Tensor, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors, persistent=False)
        self.project = nn.Linear(vectors.shape[1], width)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.project.weight, std=0.02)
        nn.init.zeros_(self.project.bias)

    def forward(self, vectors: Tensor | None = None) -> Tensor:
        """Vectors of the catalogue, or of other texts (a product that does not exist yet)."""
        return self.dropout(self.project(self.vectors if vectors is None else vectors))


class LivingTextTower(TextTower):
    """As :class:`TextTower`, with vectors that the encoder's top layers learn to make.

    Args:
        encoder: lower part frozen, top layers learning.
        ids: tokens of the catalogue's texts, int64 [N, S].
        present: where a token is, bool [N, S].
        width: D.
    """

    def __init__(self, encoder: LanguageTower, ids: Tensor, present: Tensor, width: int) -> None:
        hidden = encoder.lower(ids, present)  # never changes, so it is computed once
        super().__init__(encoder.upper(hidden, present).detach(), width)
        self.encoder = encoder
        self.register_buffer("hidden", hidden, persistent=False)
        self.register_buffer("present", present, persistent=False)

    def now(self) -> Tensor:
        """The catalogue's text vectors as they are now, [N, V]."""
        return self.encoder.upper(self.hidden, self.present)

    def forward(self, vectors: Tensor | None = None) -> Tensor:
        """Vectors of the catalogue, or of other texts."""
        return super().forward(self.now() if vectors is None else vectors)


class GatedFusion(nn.Module):
    """Sum of the sequence vector and of gated towers; the gates differ by customer and moment.

    ``out = sequence + sum_k sigmoid(w_k . [sequence, tower_k] + b_k) * tower_k``. The paper says
    that vectors are fused and leaves open how; gates are used because they can be read.

    Shapes: sequence [B, T, D], each tower [B, T, D] -> [B, T, D].
    """

    def __init__(self, width: int, towers: Sequence[str]) -> None:
        super().__init__()
        self.towers = tuple(towers)
        self.gate = nn.ModuleDict({name: nn.Linear(2 * width, 1) for name in towers})
        for layer in self.gate.values():
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, -1.0)

    def gates(self, sequence: Tensor, towers: dict[str, Tensor]) -> dict[str, Tensor]:
        """Gate of each tower, [B, T, 1], between 0 and 1."""
        return {
            name: torch.sigmoid(self.gate[name](torch.cat([sequence, towers[name]], -1)))
            for name in self.towers
        }

    def forward(self, sequence: Tensor, towers: dict[str, Tensor]) -> Tensor:
        """The fused customer vector."""
        out = sequence
        for name, gate in self.gates(sequence, towers).items():
            out = out + gate * towers[name]
        return out
