"""Histories as padded batches of tensors, in batches of similar length.

Shapes: B customers of a batch, T events of the longest history in it. Position 0 of the network's
input is a start token (the customer's profile); event t stands at position t + 1, and the state at
position t predicts event t, so that a state never sees what it predicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finrec.features.profile import Profile
from finrec.scorer import SECONDS_PER_DAY, Cohort, Linked

GAP_EDGES = np.array([0, 1, 3, 7, 14, 30, 60, 90, 180, 365, 730])  # days; bucket 0: same day
N_GAPS = len(GAP_EDGES) + 2  # last code: no earlier event
FEWEST_MET = 20  # times that training has to meet a bucket of days to learn something of it
AMOUNT_EDGES = np.array([0, 10, 100, 1_000, 5_000, 10_000, 50_000, 100_000, 1_000_000])
TOKENS = 8_192  # worked out at once
N_AMOUNTS = len(AMOUNT_EDGES) + 2  # code 0: unknown


@dataclass(frozen=True)
class Batch:
    """Customers as tensors.

    Args:
        products: int64 [B, T], catalogue index, 0 where padded.
        kinds: int64 [B, T], code in scorer.KINDS.
        gaps: int64 [B, T], bucket of days since the event before.
        months: int64 [B, T], month of the event, 0 to 11.
        amounts: int64 [B, T], bucket of the amount, 0 unknown.
        asked: int64 [B, T], position of the state that is asked for event t: t, or with events of
            one moment taken together the position before the first of them.
        lengths: int64 [B], real events.
        numbers: float32 [B, P] of the profile.
        categories: int64 [B, Q] of the profile.
        asof_month: int64 [B], month of the recommendation.
        asof_gap: int64 [B], bucket of days since the last event.
        days: int64 [B, T], day of the event.
        asof_day: int64 [B], day of the recommendation.
        near: int64 [B, F], products taken by linked customers, 0 where padded.
        near_days: int64 [B, F], when.
        near_weights: float32 [B, F], of the link, 0 where padded.
    """

    products: Tensor
    kinds: Tensor
    gaps: Tensor
    months: Tensor
    amounts: Tensor
    asked: Tensor
    lengths: Tensor
    numbers: Tensor
    categories: Tensor
    asof_month: Tensor
    asof_gap: Tensor
    days: Tensor
    asof_day: Tensor
    near: Tensor
    near_days: Tensor
    near_weights: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})

    def part(self, start: int, end: int) -> Batch:
        """The customers from ``start`` up to ``end``."""
        return Batch(**{name: value[start:end] for name, value in vars(self).items()})

    def real(self) -> Tensor:
        """True at real events, bool [B, T]."""
        return (
            torch.arange(self.products.shape[1], device=self.products.device)
            < (self.lengths[:, None])
        )

    def seen(self) -> Tensor:
        """The customer itself and its real events, bool [B, T + 1]."""
        return torch.cat([torch.ones_like(self.lengths[:, None]).bool(), self.real()], 1)


@dataclass(frozen=True)
class Encoded:
    """A cohort's events and attributes as flat arrays, made once and cut into batches."""

    customers: Cohort
    kinds: np.ndarray
    gaps: np.ndarray
    months: np.ndarray
    amounts: np.ndarray
    together: np.ndarray  # events of the same moment before this one, of the same customer
    numbers: np.ndarray
    categories: np.ndarray
    asof_month: np.ndarray
    asof_gap: np.ndarray


def encode(
    customers: Cohort, profile: Profile, attributes: tuple[np.ndarray, np.ndarray] | None = None
) -> Encoded:
    """Flat arrays of a cohort; event arrays [E], customer arrays [B].

    Args:
        customers: B customers.
        profile: how their attributes become numbers.
        attributes: what it makes of them, where that is at hand.
    """
    times, offsets = customers.times, customers.offsets
    before = np.concatenate([times[:1], times[:-1]])
    gaps = gap_bucket((times - before) / SECONDS_PER_DAY)
    starts = offsets[:-1][customers.lengths > 0]
    gaps[starts] = N_GAPS - 1
    if customers.earlier is not None:
        since = times[starts] - customers.earlier[customers.lengths > 0]
        gaps[starts] = gap_bucket(since / SECONDS_PER_DAY)
    numbers, categories = attributes or profile.encode(customers.profile)
    last = np.where(customers.lengths > 0, offsets[1:] - 1, 0)
    since = (
        customers.asof - times[last] if len(times) else np.zeros(len(customers))
    ) / SECONDS_PER_DAY
    asof_gap = np.where(customers.lengths > 0, gap_bucket(since), N_GAPS - 1)
    return Encoded(
        customers,
        customers.kinds,
        gaps,
        month(times),
        amount_bucket(customers.amounts),
        _together(times, starts),
        numbers,
        categories,
        month(customers.asof),
        asof_gap,
    )


def _together(times: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """How many events right before an event, of the same customer, have its time; int64 [E]."""
    place = np.arange(len(times))
    begins = np.ones(len(times), dtype=bool)
    begins[1:] = times[1:] != times[:-1]
    begins[starts] = True
    return place - np.maximum.accumulate(np.where(begins, place, 0))


def ordered(encoded: Encoded, least: float = 0.05) -> bool:
    """Whether time says what came first: of how many later events something is of before them.

    Args:
        encoded: of the cohort.
        least: share of them from which it does.
    """
    place = np.arange(len(encoded.together)) - encoded.customers.offsets[encoded.customers.rows()]
    later = place > 0
    return not later.any() or bool((encoded.together < place)[later].mean() >= least)


def gap_bucket(days: np.ndarray) -> np.ndarray:
    """Bucket of a number of days, int64."""
    return (
        np.searchsorted(GAP_EDGES, np.floor(np.maximum(days, 0)), side="right").astype(np.int64) - 1
    )


def amount_bucket(amounts: np.ndarray) -> np.ndarray:
    """Bucket of an amount, int64; 0 where unknown, sign ignored."""
    known = np.isfinite(amounts)
    size = np.abs(np.where(known, amounts, 0))
    return np.where(known, np.searchsorted(AMOUNT_EDGES, size, side="right"), 0).astype(np.int64)


def nearest_met(histories: Cohort, length: int) -> tuple[np.ndarray, np.ndarray]:
    """For each bucket of days the nearest that training meets, itself where it is met.

    A question may be asked longer after an event than training ever asked one (three months are
    known, the fifth is asked about), and nothing was learned of that bucket.

    Args:
        histories: of the training part.
        length: most events read.

    Returns:
        Of days since the event before, and of days since any event before; int64 [N_GAPS] each,
        codes of no number of days stay.
    """
    rows, times = histories.rows(), histories.times
    met = np.zeros((2, len(GAP_EDGES)), dtype=np.int64)
    for lag in range(1, min(length, int(histories.lengths.max(initial=0)))):
        apart = (rows[lag:] == rows[:-lag]) & (times[lag:] > times[:-lag])
        days = (times[lag:] - times[:-lag])[apart] / SECONDS_PER_DAY
        met[min(lag, 2) - 1] += np.bincount(gap_bucket(days), minlength=len(GAP_EDGES))
    met[1] += met[0]
    return _nearest(met[0] >= FEWEST_MET), _nearest(met[1] >= FEWEST_MET)


def _nearest(met: np.ndarray) -> np.ndarray:
    """Place of the nearest True, the lower of two alike; each place itself where there is none."""
    out = np.arange(N_GAPS)
    there = np.flatnonzero(met)
    if len(there):
        out[: len(met)] = there[np.abs(out[: len(met), None] - there).argmin(1)]
    return out


def month(times: np.ndarray) -> np.ndarray:
    """Month of seconds since 1970-01-01, int64, 0 to 11."""
    return times.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12


def latest(
    customers: Cohort, rows: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The last ``length`` events of these customers at most, as places in a padded table.

    Returns:
        Where events are, bool [B, T]; which one each is, int64 [R]; how many, int64 [B].
    """
    counts = np.minimum(customers.lengths[rows], length)
    places = np.arange(int(counts.max(initial=0)))
    real = places < counts[:, None]
    first = customers.offsets[rows + 1] - counts
    return real, (first[:, None] + places)[real], counts


def padded(real: np.ndarray, values: np.ndarray) -> Tensor:
    """Values [R] where ``real`` [B, T] is True, zeros elsewhere."""
    out = np.zeros(real.shape, dtype=values.dtype)
    out[real] = values
    return torch.from_numpy(out)


def batch(encoded: Encoded, rows: np.ndarray, length: int, baskets: bool = False) -> Batch:
    """Tensors of these customers, each with its last ``length`` events.

    Args:
        encoded: of the whole cohort.
        rows: int64 [B].
        length: most events kept.
        baskets: events of one moment are asked for together, before the first of them.
    """
    customers = encoded.customers
    real, source, counts = latest(customers, rows, length)

    def spread(values: np.ndarray) -> Tensor:
        return padded(real, values[source].astype(np.int64, copy=False))

    asked = torch.arange(real.shape[1]).expand(len(rows), -1)
    if baskets:
        asked = (asked - spread(encoded.together)).clamp(min=0)
    return Batch(
        products=spread(customers.products),
        kinds=spread(encoded.kinds),
        gaps=spread(encoded.gaps),
        months=spread(encoded.months),
        amounts=spread(encoded.amounts),
        asked=asked,
        lengths=torch.from_numpy(counts),
        numbers=torch.from_numpy(encoded.numbers[rows]),
        categories=torch.from_numpy(encoded.categories[rows]),
        asof_month=torch.from_numpy(encoded.asof_month[rows]),
        asof_gap=torch.from_numpy(encoded.asof_gap[rows]),
        days=spread(customers.times // SECONDS_PER_DAY),
        asof_day=torch.from_numpy(customers.asof[rows] // SECONDS_PER_DAY),
        **_near(customers.linked, rows),
    )


def _near(linked: Linked | None, rows: np.ndarray) -> dict[str, Tensor]:
    """What customers linked to these took, padded behind; F is 0 where no links are known."""
    if linked is None:
        none = torch.zeros(len(rows), 0, dtype=torch.int64)
        return {"near": none, "near_days": none, "near_weights": none.float()}
    some = linked.take(rows)
    counts = np.diff(some.offsets)
    real = np.arange(int(counts.max(initial=0))) < counts[:, None]
    days = some.times // SECONDS_PER_DAY
    told = {"near": some.products, "near_days": days, "near_weights": some.weights}
    return {name: padded(real, values) for name, values in told.items()}


def bucketed(
    lengths: np.ndarray, size: int, rng: np.random.Generator | None = None
) -> Iterator[np.ndarray]:
    """Rows in batches of similar length, so that little is padded.

    Args:
        lengths: events of each customer, int64.
        size: customers in a batch.
        rng: shuffles customers of like length and the order of batches; None: sorted order.
    """
    if rng is None:
        order = np.argsort(lengths, kind="stable")
        yield from (order[i : i + size] for i in range(0, len(order), size))
        return
    order = np.argsort(lengths + rng.uniform(0, 2, len(lengths)), kind="stable")
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]


def tight(
    lengths: np.ndarray, size: int, tokens: int = TOKENS, padded: float = 0.1
) -> Iterator[np.ndarray]:
    """Rows in batches of like length, the longest first, of which little is padding.

    Args:
        lengths: events of each customer, int64.
        size: most customers in a batch.
        tokens: most tokens in a batch, so that what is worked out stays in the cache.
        padded: padding allowed, as a share of the real tokens.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order] + 1)
    start = 0
    while start < len(order):
        longest = lengths[order[start]] + 1
        most = max(1, min(size, tokens // longest))
        real = ends[start : start + most] - (ends[start - 1] if start else 0)
        whole = longest * np.arange(1, len(real) + 1)
        fits = int(np.flatnonzero(whole <= (1 + padded) * real)[-1]) + 1
        yield order[start : start + fits]
        start += fits


def slabs(
    batches: Iterable[tuple[np.ndarray, Batch]],
) -> Iterator[list[tuple[np.ndarray, Batch]]]:
    """Batches that are worked out together, of so many tokens that they stay in a CPU's cache."""
    slab: list[tuple[np.ndarray, Batch]] = []
    tokens = 0
    for one in batches:
        more = one[1].products.numel() + len(one[0])
        if slab and tokens + more > TOKENS:
            yield slab
            slab, tokens = [], 0
        slab.append(one)
        tokens += more
    if slab:
        yield slab
