"""What a score rests on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from finrec.networks.behaviour import Trail


@dataclass(frozen=True)
class Evidence:
    """What a pass rests on, for B customers at their last moment.

    Args:
        scores: float [B, N], equal to ``forward``'s.
        trail: attention of the behaviour Transformer.
        contributions: by tower, float [B, N]; with ``bias`` they add up to the scores.
        gates: by tower, float [B].
        neighbours: coefficients of the customer's node, [B, T + 1]; None without a graph.
        of_attributes: of its attribute nodes, [B, A]; A is 0 where there are none.
        of_linked: of the node of linked customers, [B, L]; L is 0 where there is none.
    """

    scores: Tensor
    trail: Trail
    contributions: dict[str, Tensor]
    gates: dict[str, Tensor]
    neighbours: Tensor | None
    of_attributes: Tensor | None = None
    of_linked: Tensor | None = None
