"""The k best allowed products of each customer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

AT_ONCE = 1_500_000  # scores looked at together, so that they stay in a CPU's cache
TEAM = 16  # products of which at first only the best is looked at


def topk(scores: np.ndarray, allowed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices int64 [B, k] and scores float32 [B, k]; -1 and -inf where fewer are allowed.

    Equal scores are ordered by catalogue index.

    Args:
        scores: float [B, N], finite.
        allowed: bool [B, N].
        k: at most N.

    Raises:
        ValueError: when a score is not finite or k is out of range.
    """
    count, n = scores.shape
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and {n}, not {k}.")
    index = np.empty((count, k), dtype=np.int64)
    top = np.empty((count, k), dtype=np.float32)
    none = torch.tensor(-torch.inf, dtype=torch.from_numpy(scores[:0]).dtype)
    rows = max(1, AT_ONCE // n)
    for start in range(0, count, rows):
        some = slice(start, start + rows)
        given = torch.from_numpy(np.ascontiguousarray(scores[some]))
        if not given.isfinite().all():
            raise ValueError("Scores must be finite.")
        open_ = torch.from_numpy(np.ascontiguousarray(allowed[some]))
        found, best = largest(torch.where(open_, given, none), k)
        index[some], top[some] = found.numpy(), best.numpy()
    return index, top


def largest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """:func:`topk` of scores that are -inf where nothing is allowed, on their device.

    The k best lie among the k teams with the best captains, so few scores are sorted.

    Args:
        scores: float [B, N].
        k: 1 to N.
    """
    n = scores.shape[1]
    more = min(k + 1, n)  # one more shows whether a tie lies across place k
    teams = n // TEAM
    if teams < 4 * more:
        best, index = scores.topk(more)
    else:
        captains = scores[:, : TEAM * teams].unflatten(1, (TEAM, teams)).amax(1)
        chosen = captains.topk(more, sorted=False).indices[:, None]  # [B, 1, more]
        members = torch.arange(TEAM, device=scores.device)[:, None] * teams
        rest = torch.arange(TEAM * teams, n, device=scores.device).expand(len(scores), -1)
        among = torch.cat([(chosen + members).flatten(1), rest], 1)
        best, place = scores.gather(1, among).topk(more)
        index = among.gather(1, place)
    index = index[:, :k]
    if more > k:
        tied = (best[:, k - 1] == best[:, k]) & best[:, k].isfinite()
        if tied.any():
            index[tied] = _first_of_equals(scores[tied], index[tied], best[tied, k - 1 : k])
    index = index.sort(1).values
    best, order = scores.gather(1, index).sort(dim=1, descending=True, stable=True)
    return index.gather(1, order).where(best > -torch.inf, -1), best.float()


def _first_of_equals(scores: Tensor, index: Tensor, last: Tensor) -> Tensor:
    """Indices with those that score just ``last`` replaced by the first that do, [B, k].

    Args:
        scores: float [B, N].
        index: of the k best, int64 [B, k].
        last: the k-th best score, [B, 1].
    """
    n, k = scores.shape[1], index.shape[1]
    place = torch.arange(n, 0, -1, device=scores.device, dtype=torch.int32)
    first = (place * (scores == last)).topk(k).indices  # more than needed, the first foremost
    better = index.where(scores.gather(1, index) > last, -1).sort(dim=1, descending=True).values
    still = torch.arange(k, device=scores.device) - (better >= 0).sum(1, keepdim=True)
    return better.where(still < 0, first.gather(1, still.clamp(min=0)))
