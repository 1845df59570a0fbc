"""The loop that trains text networks: resumable after each epoch, logged as JSONL.

The paper's θ(t+1) = θ(t) - η(t) ∇J(θ(t)), with AdamW as the "variant of SGD" it names, a linear
warm-up and a linear decay of η. Checkpoints are safetensors and JSON.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from finrec.networks.language import TextEncoder
from finrec.schema import CheckpointError
from finrec.snapshots import publish

Progress = Callable[[dict[str, Any]], None]
STATE = "state.json"


class Log:
    """Lines of a job's ``log.jsonl``, each also given to a callback."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        """Append to ``path``."""
        self.path, self.progress = path, progress

    def write(self, event: str, **fields: Any) -> None:
        """Append one line, with the time."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "event": event,
            **{k: round(v, 6) if isinstance(v, float) else v for k, v in fields.items()},
        }
        with self.path.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        if self.progress:
            self.progress(line)


class Diverged(CheckpointError):
    """Learning led to numbers that are not finite; the same settings would do so again."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn.

    Args:
        name: of the phase, in the log.
        epochs: passes over the batches.
        warmup: share of all steps in which the rate rises to its peak.
        metric: key of what ``validate`` returns that chooses the epoch to keep.
        larger: whether a larger metric is better.
        minutes: no new epoch begins after this time.
        seed: of batches and dropout, together with the epoch's number.
        clip: largest norm of the gradient.
    """

    name: str
    epochs: int
    warmup: float
    metric: str
    larger: bool
    minutes: float
    seed: int
    clip: float = 1.0


def layerwise(
    encoder: TextEncoder, top: nn.Module, rate: float, top_rate: float, decay: float, weight: float
) -> list[dict[str, Any]]:
    """Parameter groups whose peak rate falls from layer to layer towards the input.

    Args:
        encoder: gets ``rate`` in its last layer, ``decay`` times as much in each one below.
        top: gets ``top_rate``.
        rate: peak rate of the encoder's last layer.
        top_rate: peak rate of what stands on the encoder.
        decay: 1 for the same rate everywhere.
        weight: AdamW's weight decay, for matrices only.
    """
    depth = len(encoder.layers)
    parts: list[tuple[float, str, nn.Module]] = [(top_rate, "top.", top)]
    for i, layer in enumerate(encoder.layers):
        parts.append((rate * decay ** (depth - 1 - i), f"encoder.layers.{i}.", layer))
    for name in ("words", "places", "segments", "norm"):
        parts.append((rate * decay**depth, f"encoder.{name}.", getattr(encoder, name)))
    groups = []
    for peak, prefix, module in parts:
        named = [(prefix + n, p) for n, p in module.named_parameters() if p.requires_grad]
        for matrices in (True, False):
            chosen = [(n, p) for n, p in named if (p.ndim > 1) == matrices]
            if chosen:
                groups.append(
                    {
                        "params": [p for _, p in chosen],
                        "names": [n for n, _ in chosen],
                        "peak": peak,
                        "weight_decay": weight if matrices else 0.0,
                    }
                )
    return groups


def learn(
    work: Path,
    plan: Plan,
    model: nn.Module,
    groups: list[dict[str, Any]],
    batches: Callable[[np.random.Generator], Sequence[Any]],
    loss: Callable[[Any, np.random.Generator], tuple[Tensor, int]],
    validate: Callable[[], dict[str, float]],
    log: Log,
    mode: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Train, keep the epoch that validates best, and leave its weights in ``model``.

    Called again after an interruption it goes on behind the last whole epoch, and ends with the
    very weights of an uninterrupted run.

    Args:
        work: folder of the checkpoints of this phase.
        plan: epochs and schedule.
        model: what is trained.
        groups: from :func:`layerwise`.
        batches: the batches of an epoch, given its own source of chance.
        loss: mean loss of a batch and the number of targets it is a mean of.
        validate: measures ``model`` (in evaluation mode).
        log: of the whole job.
        mode: sets training mode; None: the whole model.

    Returns:
        ``{"epochs": epochs done, "best_epoch": i, "history": [validation of each epoch]}``.

    Raises:
        Diverged: when a loss, a figure of the validation or a weight is not finite.
        CheckpointError: when there is no time for an epoch, or a checkpoint is damaged.
    """
    work.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-6)
    folder = _latest(work)
    state: dict[str, Any] = {"epoch": 0, "history": [], "best_epoch": 0, "seconds": 0.0}
    if folder is not None:
        state = _restore(folder, model, optimizer)
        log.write("resumed", phase=plan.name, epoch=state["epoch"], epochs=plan.epochs)
    else:
        log.write("start", phase=plan.name, epochs=plan.epochs)
    began = time.monotonic() - state["seconds"]
    while state["epoch"] < plan.epochs and time.monotonic() - began < 60 * plan.minutes:
        epoch = state["epoch"]
        with torch.random.fork_rng(devices=[]):
            # Seeded by epoch, so that a resumed run draws what an uninterrupted one would.
            torch.manual_seed(plan.seed * 1_000_003 + epoch)
            chance = np.random.default_rng([plan.seed, epoch])
            (mode or model.train)()
            mean, rate = _epoch(plan, epoch, model, optimizer, batches(chance), loss, chance)
        model.eval()
        found = validate()
        if not (math.isfinite(mean) and math.isfinite(found[plan.metric]) and _finite(model)):
            raise _diverged(plan, epoch)
        history = [*state["history"], {"loss": mean, **found}]
        sign = 1 if plan.larger else -1
        best = max(range(len(history)), key=lambda i: (sign * history[i][plan.metric], -i))
        seconds = time.monotonic() - began
        state = {
            "epoch": epoch + 1,
            "history": history,
            "best_epoch": best + 1,
            "seconds": seconds,
        }
        folder = _keep(work, folder, model, optimizer, state)
        log.write(
            "epoch",
            phase=plan.name,
            epoch=epoch + 1,
            epochs=plan.epochs,
            loss=mean,
            metric=plan.metric,
            valid=found[plan.metric],
            best=history[best][plan.metric],
            targets_per_second=rate,
            seconds=seconds,
            eta_seconds=seconds / (epoch + 1) * (plan.epochs - epoch - 1),
        )
    if folder is None:
        raise CheckpointError(f"No time for an epoch of {plan.name}; allow more minutes.")
    model.load_state_dict(_tensors(folder / "best.safetensors"))
    if not _finite(model):
        raise _diverged(plan, state["best_epoch"] - 1)
    model.eval()
    return {"epochs": state["epoch"], **{k: state[k] for k in ("best_epoch", "history", "seconds")}}


def _epoch(
    plan: Plan,
    epoch: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Any],
    loss: Callable[[Any, np.random.Generator], tuple[Tensor, int]],
    chance: np.random.Generator,
) -> tuple[float, float]:
    """One pass; mean loss per target and targets per second."""
    total, targets, began = 0.0, 0, time.monotonic()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, batch in enumerate(batches):
        done = (epoch + i / len(batches)) / plan.epochs
        share = min(done / plan.warmup if plan.warmup else 1.0, (1 - done) / (1 - plan.warmup))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
        value, count = loss(batch, chance)
        if not torch.isfinite(value):
            raise _diverged(plan, epoch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(parameters, plan.clip)
        optimizer.step()
        total += float(value.detach()) * count
        targets += count
    return total / max(targets, 1), targets / max(time.monotonic() - began, 1e-9)


def _diverged(plan: Plan, epoch: int) -> Diverged:
    return Diverged(
        f"The loss of {plan.name} is not finite in epoch {epoch + 1}; lower the rate, the head's "
        "rate or the weight decay and start again."
    )


def _finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in model.parameters())


def _latest(work: Path) -> Path | None:
    found = sorted(f for f in work.glob("epoch-*") if (f / STATE).is_file())
    return found[-1] if found else None


def _keep(
    work: Path,
    previous: Path | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
) -> Path:
    """Write a checkpoint folder whole or not at all, then drop the one before."""
    target = work / f"epoch-{state['epoch']:04d}"
    staging = work / f".{target.name}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    weights = {k: v.detach().contiguous() for k, v in model.state_dict().items()}
    save_file(weights, staging / "weights.safetensors")
    if state["best_epoch"] == state["epoch"] or previous is None:
        shutil.copyfile(staging / "weights.safetensors", staging / "best.safetensors")
    else:
        shutil.copyfile(previous / "best.safetensors", staging / "best.safetensors")
    moments = {}
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            for key, value in optimizer.state[parameter].items():
                moments[f"{name}|{key}"] = value.detach().contiguous()
    save_file(moments, staging / "optimizer.safetensors")
    (staging / STATE).write_text(json.dumps(state))
    publish(staging, target)
    if previous is not None:
        shutil.rmtree(previous, ignore_errors=True)
    return target


def _restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    try:
        model.load_state_dict(_tensors(folder / "weights.safetensors"))
        moments = _tensors(folder / "optimizer.safetensors")
        for group in optimizer.param_groups:
            for name, parameter in zip(group["names"], group["params"], strict=True):
                prefix = f"{name}|"
                kept = {k[len(prefix) :]: v for k, v in moments.items() if k.startswith(prefix)}
                if kept:
                    optimizer.state[parameter] = kept
        state: dict[str, Any] = json.loads((folder / STATE).read_text())
        return state
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"The checkpoint {folder} does not fit or is damaged ({error}); delete its parent "
            "folder and start again."
        ) from error


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} is missing or damaged ({error}); start again.") from error
