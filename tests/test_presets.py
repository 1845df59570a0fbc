"""Settings from presets, and those that change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from finrec import presets
from finrec.schema import DatasetInfo

INFO = DatasetInfo("bank", "A bank")


@pytest.mark.parametrize(
    ("parts", "protocol", "model", "train", "idle"),
    [
        ("+tl+gnn", "R2", {}, {}, set()),
        ("baseline", "R1", {}, {}, set()),
        ("+tl+gnn", "R2", {"graph_kind": "gat", "graph_neighbours": 5}, {"rate": 0.01}, set()),
        ("+tl+gnn", "R2", {"graph_neighbours": 5}, {}, {"model.graph_neighbours"}),
        ("+tl", "R2", {"graph_kind": "gat"}, {}, {"model.graph_kind"}),
        ("+gnn", "R2", {"id_dropout": 0.1}, {}, {"model.id_dropout"}),
        ("+tl", "R1", {"calendar": True}, {"timing": 0.5}, {"model.calendar", "train.timing"}),
        ("+tl", "R2", {"timing": False}, {"timing": 0.5}, {"train.timing"}),
        ("+tl", "R2", {"matching": "dot", "sharpness": 9}, {}, {"model.sharpness"}),
        ("+tl", "R2", {}, {"balance_power": 1}, {"train.balance_power"}),
        ("+tl", "R2", {}, {"balance_power": 1, "balance": "weights"}, set()),
    ],
)
@pytest.mark.parametrize("preset", list(presets.PRESETS))
def test_settings_that_change_nothing_are_named(
    preset: str,
    parts: str,
    protocol: str,
    model: dict[str, Any],
    train: dict[str, Any],
    idle: set[str],
) -> None:
    made = presets.settings(
        INFO, "bank@1", preset, parts, model=model, train=train, protocol=protocol
    )
    assert set(presets.idle(made)) == idle
    told = presets.without_effect(made)
    assert bool(told) == bool(idle) and all(name in told for name in idle)
