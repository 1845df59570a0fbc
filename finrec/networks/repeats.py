"""What a customer's own earlier acquisitions of a product say about acquiring it again.

Some products are taken again after a while (a pension paid in), others never are soon after (an
account opened last month is held). A dot product of a customer's and a product's vector tells such
pairs apart only with difficulty; this tower looks each of them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class OwnPast:
    """Pairs of a moment and a product taken before it, K in all, sorted by moment.

    Args:
        rows: int64 [K], the moment.
        products: int64 [K].
        gaps: int64 [K], bucket of days since that product was last taken.
    """

    rows: Tensor
    products: Tensor
    gaps: Tensor


class RepeatTower(nn.Module):
    """A score for each product of the history by the time since it was last taken.

    ``b_g + (u_g . p_j) / sqrt(D)`` for a product j last taken g ago; other products get nothing.
    Source: repeat consumption as in Anderson et al. (2014), by a table over time gaps.

    Shapes: vectors [N, D], past with K pairs -> [K].

    Args:
        edges: upper edges of the G - 1 lower buckets of days, ascending.
        width: D.
        nearest: for each bucket the nearest that training meets, int64 [G]; None: itself.
    """

    def __init__(self, edges: Sequence[float], width: int, nearest: Tensor | None = None) -> None:
        super().__init__()
        gaps = len(edges) + 1
        self.register_buffer("edges", torch.tensor(list(edges)).float(), persistent=False)
        own = torch.arange(gaps) if nearest is None else nearest
        self.register_buffer("nearest", own, persistent=False)
        self.base = nn.Parameter(torch.zeros(gaps))
        self.kind = nn.Parameter(torch.zeros(gaps, width))

    def forward(self, vectors: Tensor, past: OwnPast) -> Tensor:
        """Additions to the scores of the pairs."""
        gaps = self.nearest[past.gaps]
        own = vectors[past.products] * self.kind[gaps]  # [K, D]
        return self.base[gaps] + own.sum(1) / vectors.shape[1] ** 0.5


def own_past(batch, edges: Tensor, asked: bool) -> OwnPast:
    """The own past of every target of a batch, or of every customer now.

    Args:
        batch: :class:`finrec.features.sequences.Batch`.
        edges: upper edges of the gap buckets in days, float [G - 1].
        asked: True: one row a real event (row-major), with what was taken before the moment that
            the event is asked from; False: one row a customer, with everything.
    """
    products, days = batch.products, batch.days
    if not products.shape[1]:
        none = products.flatten()
        return OwnPast(none, none, none)
    place = torch.arange(products.shape[1], device=products.device)
    real = batch.real()
    same = (products[:, :, None] == products[:, None, :]) & real[:, None, :]  # [B, T, T]
    later = same & (place[None, :] > place[:, None])
    never = products.shape[1]
    again = torch.where(later.any(2), later.int().argmax(2), never)  # next time it is taken
    if asked:
        until = batch.asked  # [B, T]
        now = days
    else:
        until = batch.lengths[:, None]
        now = batch.asof_day[:, None]
    known = (place < until[..., None]) & (again[:, None, :] >= until[..., None])  # [B, T or 1, T]
    known &= real[:, None, :]
    if asked:
        known &= real[..., None]
        row = (real.flatten().cumsum(0) - 1).view(real.shape)
    else:
        row = torch.arange(len(products), device=products.device)[:, None]
    customer, moment, event = known.nonzero(as_tuple=True)
    since = (now[customer, moment] - days[customer, event]).clamp(min=0)
    return OwnPast(
        row[customer, moment],
        products[customer, event],
        torch.bucketize(since.float(), edges, right=True),
    )
