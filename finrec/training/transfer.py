"""Transfer of behaviour: layers learned on other histories, or on these by filling in events.

Two ways to begin with more than chance: masked-event modelling on all training histories (as the
masked words of BERT; Sun et al., 2019, for events), and the layers of a run trained on another
data set, whose products need not be the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finrec.config import RunSettings
from finrec.features import sequences
from finrec.features.sequences import Encoded
from finrec.networks.recommender import FusedRecommender
from finrec.schema import CheckpointError
from finrec.training import course, runs
from finrec.training.losses import softmax_over_catalogue
from finrec.training.runs import Run

SHARED = ("behaviour.", "fusion.", "node.", "repeats.", "trend.")  # of no product in particular
OWN = "behaviour.regime."  # each data set has its own series
HIDDEN = 0.3  # share of events that are masked
PLAIN_PASSES = 3  # where products have no text, so that +tl can transfer behaviour only


def passes(settings: RunSettings, texts: np.ndarray | None) -> int:
    """Passes of masked-event modelling: as told, else some where all texts are empty."""
    told = settings.train.masked_passes
    if told is not None:
        return told
    return PLAIN_PASSES if texts is not None and not texts.any() else 0


def begin_with(net: FusedRecommender, name: str) -> list[str]:
    """Copy the layers that belong to no product from another run; returns their names.

    Raises:
        CheckpointError: when the run's layers have another shape.
    """
    found = runs.find(name)
    _alike(found, net)
    theirs = found.scorer().network.state_dict()
    ours = net.state_dict()
    shared = [k for k in ours if k.startswith(SHARED) and k in theirs and not k.startswith(OWN)]
    wrong = [k for k in shared if ours[k].shape != theirs[k].shape]
    if wrong or not shared:
        key = wrong[0] if wrong else "behaviour"
        raise CheckpointError(
            f"train.start_from: {key} of {found.id} is {tuple(theirs[key].shape) if wrong else 0} "
            f"wide, here {tuple(ours[key].shape) if wrong else 0}; train both with the same "
            "model.width, model.heads and model.length."
        )
    with torch.no_grad():
        for key in shared:
            ours[key].copy_(theirs[key])
    return shared


def _alike(theirs: Run, ours: FusedRecommender) -> None:
    """Refuse a run whose layers do another thing, though some of their shapes may fit."""
    there, here = theirs.settings.model, ours.behaviour.settings
    for name in ("layers", "decoder_layers", "heads", "pre_norm"):
        if getattr(there, name) != getattr(here, name):
            raise CheckpointError(
                f"train.start_from: model.{name} of {theirs.id} is {getattr(there, name)}, here "
                f"{getattr(here, name)}; train both with the same."
            )


def masked_events(
    net: FusedRecommender,
    encoded: Encoded,
    settings: RunSettings,
    count: int,
    progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[float]:
    """Learn to fill in hidden events from those before and after; returns the loss of each pass.

    The encoder reads without the causal mask here, so that it learns from both directions. What is
    kept are the layers that belong to no product, as from another run; product vectors, profile
    and graph learn along and then begin anew, for what fills a gap is not what comes next. A
    history of one event has nothing to fill it in from and is left out. Only the histories given
    are read: pass training histories.

    Args:
        net: changed in place.
        encoded: histories.
        settings: rate, batch, seed, length.
        count: passes.
        progress: told the share that is done.
        cancelled: asked at each step; True ends at once.
    """
    train, model = settings.train, settings.model
    lengths = np.minimum(encoded.customers.lengths, model.length)
    rows = np.flatnonzero(lengths > 1)
    if not len(rows):
        return []
    device = net.bias.device
    mask = nn.Parameter(torch.zeros(model.width, device=device))
    learning = [*(p for p in net.parameters() if p is not net.bias), mask]
    optimizer = torch.optim.AdamW(learning, lr=train.rate, weight_decay=train.weight_decay)
    size = course.batch_size(len(rows), train.batch)
    steps = count * math.ceil(len(rows) / size)
    step = 0
    curve: list[float] = []
    own = {k: v.clone() for k, v in net.state_dict().items() if not k.startswith(SHARED)}
    net.train()
    for number in range(count):
        rng = np.random.default_rng([train.seed, 7919, number])
        total = 0.0
        batches = list(sequences.bucketed(lengths[rows], size, rng))
        for places in batches:
            if cancelled():
                return curve
            for group in optimizer.param_groups:
                group["lr"] = train.rate * (0.05 + 0.95 * (1 - step / steps))
            batch = sequences.batch(encoded, rows[places], model.length).to(device)
            loss = _fill_in(net, batch, mask)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learning, 5.0)
            optimizer.step()
            total += float(loss.detach())
            step += 1
            progress(step / steps)
        curve.append(total / len(batches))
    net.load_state_dict(own, strict=False)
    return curve


def _fill_in(net: FusedRecommender, batch: sequences.Batch, mask: Tensor) -> Tensor:
    products = net.products()
    real = batch.real()
    hidden = (torch.rand(real.shape, device=real.device) < HIDDEN) & real
    none = ~hidden.any(1)
    last = (batch.lengths - 1).clamp(min=0)
    hidden[none, last[none]] = True
    start = net.profile(batch.numbers, batch.categories)
    events = F.embedding(batch.products, products)
    events = torch.where(hidden[..., None], mask, events)
    states = net.behaviour.both_ways(start, events, batch)[:, 1:][hidden]
    place = net.known.cumsum(0) - 1  # hidden events are of known products
    targets = place[batch.products[hidden]]
    left, right = net.sides(states, products[net.known])
    return softmax_over_catalogue(left, right, net.bias[net.known], targets)
