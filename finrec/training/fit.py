"""The one training loop: every variant of the model is learned by it.

A run is repeatable: batches come from (seed, epoch), dropout from torch's generator, whose state
is part of each checkpoint, so that a killed run resumes to the weights it would have had; on CUDA,
where sums are added up in no fixed order, but for rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from finrec import memory
from finrec.config import RunSettings
from finrec.features import sequences
from finrec.networks.recommender import FusedRecommender
from finrec.schema import CheckpointError, DataError
from finrec.scorer import Cohort
from finrec.training import balance, course, transfer
from finrec.training.assemble import Inputs, network, settled
from finrec.training.checkpoint import (
    Checkpoints,
    load_optimizer,
    load_weights,
    optimizer_tensors,
)
from finrec.training.choosing import Choice
from finrec.training.device import device_of
from finrec.training.fused_scorer import FusedScorer
from finrec.training.objective import Objective
from finrec.training.weight_average import WeightAverage

CHECKPOINT_SECONDS = 60.0  # of work lost at most, besides whole epochs
GRADIENT_NORM = 5.0

Progress = Callable[[dict[str, Any]], None]


class Cancelled(Exception):
    """The user asked for a stop; the latest checkpoint is kept."""


@dataclass(frozen=True)
class Fitted:
    """Outcome of one fit.

    Args:
        scorer: with the weights of the chosen epoch.
        epochs: passes to the chosen epoch.
        valid: validation value of the chosen epoch; NaN when nothing was validated.
        seconds: wall-clock to the chosen epoch, with what was learned by filling in hidden events
            before, without validation.
        targets: events learned from in one epoch.
        curve: one entry an epoch: epoch, loss, valid, seconds.
    """

    scorer: FusedScorer
    epochs: int
    valid: float
    seconds: float
    targets: int
    curve: list[dict[str, float]]


def fit(
    given: Inputs,
    histories: Cohort,
    settings: RunSettings,
    validate: Callable[[FusedScorer], float] | None,
    *,
    epochs: int | None = None,
    checkpoints: Checkpoints | None = None,
    progress: Progress = lambda event: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Fitted:
    """Learn a network from histories.

    Args:
        given: inputs made from the same training part.
        histories: one a customer.
        settings: shape, rates, seed.
        validate: score of a scorer on the validation cases, larger is better; the epoch that
            :mod:`choosing <finrec.training.choosing>` takes for the best is kept. None: train
            ``epochs`` passes and keep the last.
        epochs: with no ``validate``, how many passes; the rate falls to its least within them, so
            that weights come to rest however few passes were chosen.
        checkpoints: where to resume from and save to.
        progress: told of steps and epochs.
        cancelled: asked at each step.

    Raises:
        Cancelled: when ``cancelled()`` said so.
        CheckpointError: when a checkpoint does not fit.
    """
    choice = Choice(fixed=validate is None)
    loop = _Loop(given, histories, settings, choice, checkpoints, progress, cancelled)
    return loop.run(validate, epochs)


class _Loop:
    def __init__(
        self,
        given: Inputs,
        histories: Cohort,
        settings: RunSettings,
        choice: Choice,
        checkpoints: Checkpoints | None,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self.given, self.histories, self.settings = given, histories, settings
        self.choice, self.checkpoints = choice, checkpoints
        self.progress, self.cancelled = progress, cancelled
        self.device = device_of(settings)
        torch.manual_seed(settings.train.seed)
        self.net: FusedRecommender = network(given, settings).to(self.device)
        self.scorer = FusedScorer(self.net, given, settings.model.length)
        self.optimizer = _optimizer(self.net, settings)
        self.objective = Objective(self.net, given, histories, settings)
        self.lengths = self.objective.lengths
        count = len(histories)
        self.batch = course.batch_size(count, settings.train.batch)
        self.passes = course.passes(count, self.batch)
        self.targets = int(self.lengths.sum()) * self.passes
        self.steps_per_epoch = math.ceil(count / self.batch) * self.passes
        self.state: dict[str, Any] = {
            "epoch": 0,
            "step": 0,
            "seconds": 0.0,
            "loss_sum": 0.0,
        }
        self.most = settings.train.epochs
        self.mean = WeightAverage(self.net, course.average(settings) * self.steps_per_epoch)
        self._resume()
        if not self.state["epoch"] and not self.state["step"]:
            self._transfer()

    def _transfer(self) -> None:
        """Begin with what was learned elsewhere; not when a checkpoint was taken up."""
        settings = self.settings
        if settings.train.start_from:
            transfer.begin_with(self.net, settings.train.start_from)
        count = transfer.passes(settings, self.given.texts)
        if count:
            began = time.monotonic()
            transfer.masked_events(
                self.net,
                self.objective.encoded,
                settings,
                count,
                lambda share: self.progress({"event": "pretraining", "share": share}),
                self.cancelled,
            )
            self.state["seconds"] += time.monotonic() - began

    def run(self, validate: Callable[[FusedScorer], float] | None, epochs: int | None) -> Fitted:
        train = self.settings.train
        self.most = most = epochs if validate is None and epochs else train.epochs
        while self.state["epoch"] < most and not self._finished():
            self._epoch(most)
            memory.give_back()
            with self.mean.in_place():
                entry = self._note(None if validate is None else validate(self.scorer))
            memory.give_back()
            self._end_of_epoch(entry, most)
        kept = self.choice.entry
        load_weights(self.net, self.choice.weights, "the chosen epoch")
        self.objective.settle()
        return Fitted(
            settled(self.scorer),
            int(kept["epoch"]),
            float(kept["valid"]) if kept["valid"] is not None else float("nan"),
            float(kept["seconds"]),
            self.targets,
            self.choice.curve,
        )

    def _finished(self) -> bool:
        if self.choice.fixed or not self.choice.curve:
            return False
        waited = self.state["epoch"] - self.choice.entry["epoch"]
        return (
            waited >= self.settings.train.patience
            or self.state["seconds"] > 60 * self.settings.train.minutes
        )

    def _epoch(self, most: int) -> None:
        """One pass, from the step that the state names."""
        train = self.settings.train
        rng = np.random.default_rng([train.seed, self.state["epoch"]])
        began, saved = time.monotonic(), time.monotonic()
        before = self.state["seconds"]
        first = self.state["step"]
        done_targets = 0
        self.net.train()
        for step, rows in enumerate(self._batches(rng)):
            if step < first:
                continue
            if self.cancelled():
                if self.state["step"] or self.state["epoch"]:  # else it begins anew
                    self._save()
                raise Cancelled
            tokens = len(rows) * (int(self.lengths[rows].max()) + 1)
            with memory.room(tokens > sequences.TOKENS // 2):
                self.state["loss_sum"] += self._step(rows)
            self.state["step"] = step + 1
            now = time.monotonic()
            self.state["seconds"] = before + now - began
            done_targets += int(self.lengths[rows].sum())
            rate = done_targets / max(now - began, 1e-9)
            left = (most - self.state["epoch"]) * self.steps_per_epoch - step - 1
            self.progress(
                {
                    "event": "step",
                    "epoch": self.state["epoch"],
                    "epochs": most,
                    "share": (step + 1) / self.steps_per_epoch,
                    "loss": self.state["loss_sum"] / (step + 1),
                    "targets_per_second": rate,
                    "eta_seconds": left * (now - began) / (step + 1 - first),
                }
            )
            if now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = now

    def _batches(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Rows of the customers of each step of an epoch."""
        for _ in range(self.passes):
            pool = balance.drawn(
                self.histories, len(self.given.catalogue), self.settings.train, rng
            )
            for places in sequences.bucketed(self.lengths[pool], self.batch, rng):
                yield pool[places]

    def _step(self, rows: np.ndarray) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        loss = self.objective(rows)
        if not torch.isfinite(loss):
            raise DataError(
                f"The loss is not a finite number in pass {self.state['epoch'] + 1}; lower "
                f"train.rate (it is {self.settings.train.rate:g}) or train.weight_decay."
            )
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self.mean.update(self.state["epoch"] * self.steps_per_epoch + self.state["step"])
        return float(loss.detach())

    def _rate(self) -> float:
        """Linear warm-up, then a cosine to a twentieth, over the most epochs there may be."""
        train = self.settings.train
        total = self.most * self.steps_per_epoch
        step = self.state["epoch"] * self.steps_per_epoch + self.state["step"]
        warm = min(1.0, (step + 1) / max(1.0, train.warmup * total))
        return train.rate * warm * (0.05 + 0.475 * (1 + math.cos(math.pi * min(1.0, step / total))))

    def _note(self, value: float | None) -> dict[str, Any]:
        """Write the pass down, and keep its weights where it may be the one to be kept."""
        state = self.state
        loss = state["loss_sum"] / self.steps_per_epoch
        state.update(epoch=state["epoch"] + 1, step=0, loss_sum=0.0)
        valid = None if value is None or math.isnan(value) else value
        entry = {"epoch": state["epoch"], "loss": loss, "valid": valid, "seconds": state["seconds"]}
        self.choice.note(entry, self.net.state_dict())
        return entry

    def _end_of_epoch(self, entry: dict[str, Any], most: int) -> None:
        state = self.state
        judged = [e["valid"] for e in self.choice.curve if e["valid"] is not None]
        self._save()
        self.progress(
            {
                "event": "epoch",
                **entry,
                "epochs": most,
                "best": max(judged, default=None),
                "kept": self.choice.entry["epoch"],
                "targets_per_second": self.targets * state["epoch"] / max(state["seconds"], 1e-9),
                "eta_seconds": state["seconds"] / state["epoch"] * (most - state["epoch"]),
            }
        )

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.choice.best.items()}
        tensors |= {f"last.{k}": v for k, v in self.choice.last.items()}
        tensors |= {f"mean.{k}": v for k, v in self.mean.tensors.items()}
        tensors |= {f"adam.{k}": v for k, v in optimizer_tensors(self.optimizer).items()}
        tensors["rng.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(self.device)
        told = {"curve": self.choice.curve, "before": self.choice.before}
        self.checkpoints.save(tensors, self.state | told)

    def _resume(self) -> None:
        loaded = self.checkpoints.load() if self.checkpoints else None
        if loaded is None:
            return
        tensors, self.state = loaded
        if "before" not in self.state:
            raise CheckpointError("The checkpoint is of an older finrec; train anew.")
        curve, before = self.state.pop("curve"), self.state.pop("before")
        groups: dict[str, dict[str, Tensor]] = {
            "net": {},
            "best": {},
            "last": {},
            "mean": {},
            "adam": {},
            "rng": {},
        }
        for name, value in tensors.items():
            group, key = name.split(".", 1)
            groups[group][key] = value
        load_weights(self.net, groups["net"], "the checkpoint")
        self.choice.resume(curve, before, groups["best"], groups["last"])
        self.mean.resume(groups["mean"])
        if groups["adam"]:
            load_optimizer(self.optimizer, groups["adam"])
        torch.set_rng_state(groups["rng"]["cpu"])
        if self.device.type == "cuda" and "cuda" in groups["rng"]:
            torch.cuda.set_rng_state(groups["rng"]["cuda"], self.device)
        self.progress(
            {"event": "resumed", "epoch": self.state["epoch"], "step": self.state["step"]}
        )


def _optimizer(net: nn.Module, settings: RunSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        net.parameters(),
        lr=settings.train.rate,
        betas=(0.9, 0.98),
        weight_decay=settings.train.weight_decay,
        fused=True,
    )
