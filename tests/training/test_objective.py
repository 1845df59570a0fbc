"""What is learned is what is answered: a loss by the scores of customers as known before events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from finrec import presets
from finrec.features import sequences
from finrec.schema import TIME
from finrec.split import split
from finrec.training import assemble, balance
from finrec.training.objective import Objective

ROWS = np.arange(8)


def made(dataset, **train):
    """An objective of a network that nobody has taught, on data told once a month."""
    month = dataset.events[TIME].dt.to_period("M").dt.to_timestamp()
    monthly = replace(dataset, events=dataset.events.assign(**{TIME: month}))
    settings = presets.settings(
        dataset.info, "x@0", "quick", "+gnn",
        model={"width": 16, "dropout": 0.0}, train={"timing": 0.0, **train},
    )  # fmt: skip
    given, histories = assemble.inputs(split(monthly), "valid", settings)
    given = replace(given, nearest=None)  # gaps are read as they are
    torch.manual_seed(0)
    net = assemble.network(given, settings).eval()
    for parameter in net.parameters():  # zeros would hide mistakes
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return Objective(net, given, histories, settings)


def before(histories, row: int, place: int, asof: int):
    """A customer as known with so many events, asked about at a moment."""
    own = slice(histories.offsets[row], histories.offsets[row] + place)
    told = {n: getattr(histories, n)[own] for n in ("products", "kinds", "times", "amounts")}
    offsets, moment = np.array([0, place]), np.array([asof])
    return replace(histories.take([row]), offsets=offsets, asof=moment, **told)


def by_hand(made: Objective, hide: bool = False) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Log-probability of every sold product and place of the target, [S, N]; events, [S]."""
    net, histories = made.net, made.histories
    hidden = assemble.hidden_edges(made.given, histories, ROWS, torch.device("cpu"))
    table = net.products(hidden if hide else None)
    logged, targets, events = [], [], []
    for row in ROWS:
        first = histories.offsets[row]
        for event in range(first, histories.offsets[row + 1]):
            time = histories.times[event]
            known = (
                int((histories.times[first:event] < time).sum()) if made.baskets else event - first
            )
            one = before(histories, row, known, time)
            batch = sequences.batch(sequences.encode(one, made.given.customers), np.array([0]), 50)
            logged.append(net(batch, table)[0, net.known].log_softmax(0))
            targets.append(int(net.known[: histories.products[event]].sum()))
            events.append(event)
    return torch.stack(logged), torch.tensor(targets), np.array(events)


@pytest.mark.parametrize(
    "train",
    [{}, {"baskets": False}, {"hide_own_edges": True}, {"smoothing": 0.2}, {"focal": 2.0},
     {"balance": "weights", "balance_power": 1.0}, {"half_life_days": 60.0}],
    ids=str,
)  # fmt: skip
def test_the_loss_is_of_customers_as_they_were_before_each_event(small_dataset, train):
    objective = made(small_dataset, **train)
    with torch.no_grad():
        logged, targets, events = by_hand(objective, hide="hide_own_edges" in train)
        found = objective(ROWS)
    assert objective.baskets == train.get("baskets", True) and not objective.net.all_known
    nll = -logged.gather(1, targets[:, None])[:, 0]
    smoothing = train.get("smoothing", 0.0)
    nll = (1 - smoothing) * nll - smoothing * logged.mean(1)
    nll = (1 - (-nll).exp()) ** train.get("focal", 0.0) * nll
    weights = balance.event_weights(objective.histories, 12, objective.settings.train)
    share = torch.ones(len(nll)) if weights is None else torch.from_numpy(weights[events])
    torch.testing.assert_close(found, (nll * share).sum() / share.sum(), rtol=1e-4, atol=1e-5)


def test_under_sampling_leaves_out_events_and_the_second_task_counts_as_told(small_dataset):
    objective = made(small_dataset, balance="under")
    with torch.no_grad():
        logged, targets, _ = by_hand(objective)
        often = int(targets.bincount().argmax())
        objective.kept = torch.ones(12)
        objective.kept[objective.sold[often]] = 0.0
        nll = -logged.gather(1, targets[:, None])[:, 0][targets != often]
        torch.testing.assert_close(objective(ROWS), nll.mean(), rtol=1e-4, atol=1e-5)
        none, half, whole = (made(small_dataset, timing=t)(ROWS) for t in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half - none, (whole - none) / 2)
    assert whole > none
