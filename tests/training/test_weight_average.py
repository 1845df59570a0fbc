"""Averaged weights: by hand, in place only inside, and through a whole fit."""

from __future__ import annotations

import torch

from finrec import presets
from finrec.split import split
from finrec.training import assemble, fit
from finrec.training.checkpoint import Checkpoints
from finrec.training.weight_average import WeightAverage


def test_average_by_hand_and_in_place_only_inside():
    layer = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(layer, 2)
    for taken, value in enumerate((4.0, 8.0, 2.0)):
        torch.nn.init.constant_(layer.weight, value)
        average.update(taken)
    # 4, then (4 + 8) / 2, then (6 + 2) / 2
    with average.in_place():
        assert layer.weight.item() == 4.0
    assert layer.weight.item() == 2.0


def test_none_is_kept_when_none_is_asked_for():
    layer = torch.nn.Linear(1, 1)
    average = WeightAverage(layer, 0)
    average.update(0)
    before = layer.weight.clone()
    with average.in_place():
        assert torch.equal(layer.weight, before)
    assert not average.tensors


def test_what_was_saved_goes_on_where_the_network_is():
    layer = torch.nn.Linear(1, 1, device="meta")
    average = WeightAverage(layer, 2)
    average.resume({k: torch.zeros(v.shape) for k, v in layer.state_dict().items()})
    assert {v.device.type for v in average.tensors.values()} == {"meta"}
    average.update(1)


def test_the_average_is_what_is_kept_and_a_resumed_fit_has_the_same(small_dataset, tmp_path):
    settings = presets.settings(
        small_dataset.info, "x@0", "quick", "+gnn",
        model={"width": 16}, train={"epochs": 2, "batch": 8, "average": 0.5},
    )  # fmt: skip
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    whole = fit.fit(given, histories, settings, None, epochs=2).scorer
    plain = settings.model_copy(
        update={"train": settings.train.model_copy(update={"average": 0.0})}
    )
    last = fit.fit(given, histories, plain, None, epochs=2).scorer
    assert not torch.equal(whole.network.embedding, last.network.embedding)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4

    kept = Checkpoints(tmp_path)
    try:
        fit.fit(given, histories, settings, None, epochs=2, checkpoints=kept, cancelled=stop)
        raise AssertionError("it was not cancelled")
    except fit.Cancelled:
        pass
    again = fit.fit(given, histories, settings, None, epochs=2, checkpoints=kept).scorer
    assert torch.equal(again.network.embedding, whole.network.embedding)
