"""The behaviour Transformer: a customer's events in, one vector for each moment out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from finrec.config import ModelSettings
from finrec.networks.attention import DecoderLayer, EncoderLayer, sinusoid
from finrec.networks.context import MarketRegime, asked
from finrec.networks.dropout import Dropout
from finrec.networks.groups import Groups


@dataclass(frozen=True)
class EventSizes:
    """Number of codes of each event input."""

    kinds: int
    gaps: int
    months: int
    amounts: int


@dataclass(frozen=True)
class Trail:
    """Attention of one pass, for explanations.

    Args:
        encoder: one [B, H, T + 1, T + 1] a layer; column 0 is the start token.
        decoder: one [B, H, T + 1, T + 1] a layer; row t is the query for event t.
    """

    encoder: list[Tensor]
    decoder: list[Tensor]


class BehaviourTransformer(nn.Module):
    """Causal encoder over the events, then a decoder that asks for the next one.

    Source: Eq. (1) to (8) of the paper and its decoder. Token 0 is a start token that carries the
    customer's profile, token t + 1 is event t; the state at token t sees the profile and events
    before t, and predicts event t. The decoder's query at token t is the encoder's state there
    plus a learned "next" vector plus, where they are read, time gap and month of the moment
    that is asked about.

    Differs from the paper: product vectors are multiplied by the square root of the width before
    the position is added, as in Vaswani et al. (2017), because positions otherwise drown them.

    Args:
        settings: width, layers, heads, dropout, order of the norm.
        sizes: codes of the event inputs.
        regime: state of the economy at each event and at the moment asked about; None where it is
            not known.
        nearest: for each time gap the nearest that training meets, int64 [G]; None: itself.
    """

    def __init__(
        self,
        settings: ModelSettings,
        sizes: EventSizes,
        regime: MarketRegime | None = None,
        nearest: Tensor | None = None,
    ) -> None:
        super().__init__()
        width = settings.width
        self.settings = settings
        self.register_buffer("positions", sinusoid(settings.length + 1, width), persistent=False)
        self.kind = nn.Embedding(sizes.kinds, width)
        self.amount = nn.Embedding(sizes.amounts, width)
        self.gap = nn.Embedding(sizes.gaps, width) if settings.gaps else None
        self.month = nn.Embedding(sizes.months, width) if settings.calendar else None
        own = torch.arange(sizes.gaps) if nearest is None else nearest
        self.register_buffer("nearest", own, persistent=False)
        self.regime = regime
        shape = (width, settings.heads, settings.inner * width, settings.dropout)
        self.encoder = nn.ModuleList(
            EncoderLayer(*shape, settings.pre_norm) for _ in range(settings.layers)
        )
        self.encoder_norm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(
            DecoderLayer(*shape, settings.pre_norm) for _ in range(settings.decoder_layers)
        )
        self.next = nn.Parameter(torch.randn(width) * 0.02)
        self.decoder_norm = nn.LayerNorm(width) if self.decoder else nn.Identity()
        self.dropout = Dropout(settings.dropout)
        for table in (self.kind, self.amount, self.gap, self.month):
            if table is not None:
                nn.init.normal_(table.weight, std=0.02)

    def _tokens(self, start: Tensor, events: Tensor, batch) -> Tensor:
        """Eq. (1): start [B, D] and events [B, T, D] -> [B, T + 1, D]."""
        x = events + self.kind(batch.kinds) + self.amount(batch.amounts)
        if self.gap is not None:
            x = x + self.gap(batch.gaps)
        if self.month is not None:
            x = x + self.month(batch.months)
        if self.regime is not None:
            x = x + self.regime(batch.days)
        x = torch.cat([start[:, None], x], 1) * math.sqrt(self.settings.width)  # [B, T + 1, D]
        return self.dropout(x + self.positions[: x.shape[1]])

    def _queries(self, states: Tensor, batch) -> Tensor:
        """What is asked at each token, [B, T + 1, D]."""
        x = states + self.next
        # The moment asked about: of the event that follows, or of the recommendation.
        if self.gap is not None:
            now = self.nearest[batch.asof_gap]
            x = x + self.gap(asked(batch.gaps, now, batch.lengths))
        if self.month is not None:
            x = x + self.month(asked(batch.months, batch.asof_month, batch.lengths))
        if self.regime is not None:
            x = x + self.regime(asked(batch.days, batch.asof_day, batch.lengths))
        return x

    def forward(self, start: Tensor, events: Tensor, batch) -> Tensor:
        """States [B, T + 1, D]; causal, so padding after a customer's events changes nothing.

        Args:
            start: profile vector, float [B, D].
            events: product vectors of the events, float [B, T, D].
            batch: :class:`finrec.features.sequences.Batch`.
        """
        return self.answers(self.memory(start, events, batch), batch)

    def memory(self, start: Tensor, events: Tensor, batch) -> Tensor:
        """The encoder's states [B, T + 1, D]; at token t + 1 what is known right after event t."""
        x = self._tokens(start, events, batch)
        for layer in self.encoder:
            x = layer(x)
        return self.encoder_norm(x)

    def answers(self, memory: Tensor, batch) -> Tensor:
        """What the decoder makes of the encoder's states: the states of :meth:`forward`."""
        if not self.decoder:
            return memory
        x = self._queries(memory, batch)
        for layer in self.decoder:
            x = layer(x, memory)
        return self.decoder_norm(x)

    def last(self, given: Sequence[tuple[Tensor, Tensor, Any]]) -> Tensor:
        """The state after each customer's last event, [C, D]; no other is worked out in full.

        Equal to :meth:`forward` there.

        Args:
            given: start, events and batch, as of :meth:`forward`, of one batch after the other.
        """
        parts = [self._tokens(*one) for one in given]
        lengths = torch.cat([batch.lengths for _, _, batch in given])
        groups = Groups([(len(part), part.shape[1]) for part in parts], lengths)
        x = groups.pack(parts)
        encoder = self.encoder if self.decoder else self.encoder[:-1]
        for layer in encoder:
            x = layer.grouped(x, groups)
        if not self.decoder:
            return self.encoder_norm(self.encoder[-1].last(x, groups))[: len(lengths)]
        memory = self.encoder_norm(x)
        states = zip(groups.of(memory), given, strict=True)
        x = groups.pack([self._queries(part, batch) for part, (_, _, batch) in states])
        for layer in self.decoder[:-1]:
            x = layer.grouped(x, memory, groups)
        return self.decoder_norm(self.decoder[-1].last(x, memory, groups))[: len(lengths)]

    def both_ways(self, start: Tensor, events: Tensor, batch) -> Tensor:
        """The encoder's states with every real token in sight, for filling in hidden events.

        What a hidden event is stays hidden: its kind and amount are shown, its product is not.
        """
        x = self._tokens(start, events, batch)
        seen = batch.seen()
        for layer in self.encoder:
            x = layer(x, seen[:, None, None], causal=False)
        return self.encoder_norm(x)

    def explain(self, start: Tensor, events: Tensor, batch) -> tuple[Tensor, Trail]:
        """The same states, and the attention they came from."""
        trail = Trail([], [])
        x = self._tokens(start, events, batch)
        for layer in self.encoder:
            x, share = layer.explain(x)
            trail.encoder.append(share)
        memory = self.encoder_norm(x)
        if not self.decoder:
            return memory, trail
        x = self._queries(memory, batch)
        for layer in self.decoder:
            x, share = layer.explain(x, memory)
            trail.decoder.append(share)
        return self.decoder_norm(x), trail
