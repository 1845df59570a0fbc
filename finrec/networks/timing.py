"""Whether and when a customer takes anything at all: a second task beside the next product."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.networks.linear import Linear

EDGES = (7.0, 14.0, 31.0, 61.0, 92.0, 183.0, 365.0, 730.0)  # days, upper ends of buckets
PENALTY = 1e-4  # of squared weights
LAST = 730.0  # days that the last bucket, which has no end, is taken to be long


class TimingHead(nn.Module):
    """Days until the next acquisition, as hazards of buckets of days since the last event.

    ``h_j = sigmoid(w_j . state + b_j)`` is the chance that a customer who has waited up to bucket
    j acquires something within it. Source: survival in discrete time by a network, Gensheimer and
    Narasimhan (2019). A wait that has not ended counts for the buckets it has outlived.

    Shapes: states [S, D] -> logits [S, J].

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        upper = torch.tensor([*EDGES, EDGES[-1] + LAST])
        self.register_buffer("upper", upper, persistent=False)
        self.register_buffer("lower", torch.cat([torch.zeros(1), upper[:-1]]), persistent=False)
        self.hazard = Linear(width, len(upper))
        nn.init.zeros_(self.hazard.weight)
        nn.init.constant_(self.hazard.bias, -2.0)

    def forward(self, states: Tensor) -> Tensor:
        """Logits of the hazards."""
        return self.hazard(states)

    def loss(self, logits: Tensor, days: Tensor, ended: Tensor) -> Tensor:
        """Mean negative log-likelihood of waits.

        Args:
            logits: [S, J].
            days: how long each has waited, float [S].
            ended: whether by an acquisition, bool [S]; else the wait was still going on.
        """
        bucket = torch.bucketize(days, self.upper[:-1])  # (lower, upper]
        # A wait that goes on has outlived its bucket when it is past the middle of it.
        past = days > (self.lower + self.upper)[bucket] / 2
        place = torch.arange(logits.shape[1], device=logits.device)
        outlived = place < (bucket + (past & ~ended))[:, None]
        here = (place == bucket[:, None]) & ended[:, None]
        risk = (outlived | here).float()
        each = F.binary_cross_entropy_with_logits(logits, here.float(), reduction="none")
        return (each * risk).sum() / risk.sum().clamp(min=1.0)

    def settle(self, states: Tensor, days: Tensor, ended: Tensor) -> None:
        """Fit the hazards to states that no longer change: a convex problem, solved to its end.

        Args:
            states: [S, D].
            days: of the waits, [S].
            ended: whether each ended, [S].
        """
        weights = list(self.hazard.parameters())
        solver = torch.optim.LBFGS(
            weights, max_iter=100, history_size=20, line_search_fn="strong_wolfe"
        )

        def closure() -> float:
            solver.zero_grad()
            loss = self.loss(self(states), days, ended)
            loss = loss + PENALTY * self.hazard.weight.square().sum()
            loss.backward()
            return float(loss.detach())

        with torch.enable_grad():
            solver.step(closure)

    def chance(self, logits: Tensor, since: Tensor, window: float, intensity: float) -> Tensor:
        """Chance of an acquisition within a window by those who have waited so long, float [S].

        Args:
            logits: [S, J].
            since: days waited by now, float [S].
            window: days from now.
            intensity: what cumulative hazards are multiplied by; calibrated on validation.
        """
        slope = -F.logsigmoid(-logits) / (self.upper - self.lower)  # cumulative hazard a day

        def cumulative(days: Tensor) -> Tensor:
            inside = torch.minimum(days[:, None], self.upper) - self.lower
            found = (slope * inside.clamp(min=0)).sum(1)
            beyond = (days - self.upper[-1]).clamp(min=0)  # goes on at the last bucket's pace
            return found + slope[:, -1] * beyond

        return -torch.expm1(-intensity * (cumulative(since + window) - cumulative(since)))


def waits(batch, taken: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How long customers waited after each day with events until they took something again.

    Args:
        batch: :class:`finrec.features.sequences.Batch`, B customers, T events.
        taken: which codes of kinds are acquisitions, int64.

    Returns:
        Which events are the last of their day, bool [B, T]; and of those, S in row-major order:
        days until the next acquisition, or until now, float [S], and whether there was one,
        bool [S].
    """
    days, real = batch.days, batch.real()
    never = torch.iinfo(torch.int64).max
    when = torch.where(torch.isin(batch.kinds, taken) & real, days, never)
    after = torch.cat([when[:, 1:], torch.full_like(when[:, :1], never)], 1)
    following = after.flip(1).cummin(1).values.flip(1)  # next acquisition after event t
    later = torch.cat([days[:, 1:], torch.full_like(days[:, :1], never)], 1)
    count = torch.arange(days.shape[1], device=days.device)
    last = real & ((later > days) | (count == batch.lengths[:, None] - 1))
    ended = following < never
    until = torch.where(ended, following, batch.asof_day[:, None])
    return last, (until - days).clamp(min=0)[last].float(), ended[last]
