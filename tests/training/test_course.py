"""Epochs over few customers have enough steps; over many nothing changes."""

from __future__ import annotations

import pytest
import torch

from finrec import presets
from finrec.split import split
from finrec.training import assemble, fit
from finrec.training.choosing import Choice
from finrec.training.course import AVERAGED, FEWEST_STEPS, average, batch_size, passes


@pytest.mark.parametrize(
    ("customers", "batch", "rounds"),
    [
        (1, 8, 20),
        (66, 8, 3),
        (300, 15, 3),
        (2_500, 125, 3),
        (5_000, 250, 2),
        (6_000, 256, 1),
        (1_000_000, 256, 1),
    ],  # fmt: skip
)
def test_batch_and_passes(customers: int, batch: int, rounds: int) -> None:
    assert batch_size(customers, 256) == batch
    assert passes(customers, batch) == rounds
    assert -(-customers // batch) * rounds >= FEWEST_STEPS


def test_a_smaller_batch_that_was_asked_for_stays() -> None:
    assert batch_size(66, 4) == 4 and passes(66, 4) == 3


def test_an_epoch_of_few_customers_learns_from_each_as_often(small_dataset) -> None:
    settings = presets.settings(
        small_dataset.info, "x@0", "quick", "baseline", model={"width": 16}, train={"epochs": 1}
    )
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    told: list[dict[str, object]] = []
    done = fit.fit(given, histories, settings, None, epochs=1, progress=told.append)
    steps = [e for e in told if e["event"] == "step"]
    size = batch_size(len(histories), 256)
    rounds = passes(len(histories), size)
    assert len(steps) == -(-len(histories) // size) * rounds >= FEWEST_STEPS
    assert done.targets == rounds * int(histories.lengths.clip(max=settings.model.length).sum())


def test_weights_are_averaged_where_data_are_split_by_time_unless_told(small_dataset) -> None:
    def told(**train):
        return presets.settings(small_dataset.info, "x@0", "quick", "baseline", train=train)

    assert average(told()) == AVERAGED and average(told(average=0.0)) == 0.0
    assert average(told().model_copy(update={"protocol": "R1"})) == 0.0
    assert average(told(average=2.0).model_copy(update={"protocol": "R1"})) == 2.0


def test_with_a_fixed_number_of_epochs_the_rate_falls_to_its_end_within_them(small_dataset) -> None:
    settings = presets.settings(
        small_dataset.info, "x@0", "quick", "baseline", model={"width": 16}, train={"epochs": 9}
    )
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)

    def last_rate(validate, epochs):
        loop = fit._Loop(
            given,
            histories,
            settings,
            Choice(validate is None),
            None,
            lambda event: None,
            lambda: False,
        )
        loop.run(validate, epochs)
        return loop.optimizer.param_groups[0]["lr"]

    assert last_rate(None, 2) < 0.06 * settings.train.rate
    falling = iter([2.0, 1.0, 0.0, 0.0, 0.0, 0.0])  # the best is the first, of at most nine
    assert last_rate(lambda scorer: next(falling), None) > 0.3 * settings.train.rate


def test_a_seed_decides_the_first_weights_and_each_epoch_has_batches_of_its_own(
    small_dataset, monkeypatch
) -> None:
    drawn: list[list[int]] = []
    monkeypatch.setattr(fit._Loop, "_step", lambda self, rows: drawn[-1].extend(rows) or 0.0)
    begun = []
    for seed in (0, 0, 1):
        settings = presets.settings(
            small_dataset.info, "x@0", "quick", "baseline", seed, model={"width": 16}
        )
        given, histories = assemble.inputs(split(small_dataset), "valid", settings)
        loop = fit._Loop(given, histories, settings, Choice(True), None, print, lambda: False)
        begun.append(loop.net.embedding.detach().clone())
        for epoch in (0, 1):
            drawn.append([])
            loop.state.update(epoch=epoch, step=0)
            loop._epoch(2)
    assert torch.equal(begun[0], begun[1]) and not torch.equal(begun[0], begun[2])
    assert drawn[:2] == drawn[2:4]
    assert drawn[0] != drawn[1] and drawn[0] != drawn[4] and sorted(drawn[0]) == sorted(drawn[1])


def test_the_pass_that_validates_best_is_what_is_kept_and_told(small_dataset) -> None:
    settings = presets.settings(
        small_dataset.info, "x@0", "quick", "baseline",
        model={"width": 16}, train={"epochs": 4, "timing": 0.0},
    )  # fmt: skip
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    values, seen = [1.0, 5.0, 1.0, 0.0], []

    def validate(scorer) -> float:
        seen.append({k: v.clone() for k, v in scorer.network.state_dict().items()})
        return values[len(seen) - 1]

    done = fit.fit(given, histories, settings, validate)
    assert (done.epochs, done.valid, len(done.curve)) == (2, 5.0, 4)
    assert done.seconds == done.curve[1]["seconds"]
    for name, value in done.scorer.network.state_dict().items():
        assert torch.equal(value, seen[1][name]), name


def test_rates_rise_and_fall_as_told_gradients_are_clipped_and_the_second_task_is_settled_last(
    small_dataset, monkeypatch
) -> None:
    settings = presets.settings(
        small_dataset.info, "x@0", "quick", "baseline",
        model={"width": 16}, train={"epochs": 2, "warmup": 0.5, "rate": 0.01},
    )  # fmt: skip
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    settled = []
    monkeypatch.setattr(fit.Objective, "settle", lambda self: settled.append(self))
    fit.fit(given, histories, settings, None, epochs=1)
    assert len(settled) == 1
    loop = fit._Loop(given, histories, settings, Choice(True), None, print, lambda: False)
    total = 2 * loop.steps_per_epoch
    for step, share in ((0, 2 / total), (total // 2, 0.525)):
        loop.state.update(epoch=0, step=step)
        assert loop._rate() == pytest.approx(0.01 * share)
    steep = loop.objective
    loop.objective = lambda rows: 1e6 * steep(rows)
    loop._step(torch.arange(8).numpy())
    grads = [p.grad for p in loop.net.parameters() if p.grad is not None]
    norm = torch.stack([g.norm() for g in grads]).norm()
    assert norm == pytest.approx(fit.GRADIENT_NORM, rel=1e-3)
