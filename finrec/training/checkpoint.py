"""Weights and training state on disk: safetensors and JSON, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from finrec.schema import CheckpointError
from finrec.snapshots import publish


def write_json(file: Path, value: Any) -> None:
    """Write JSON to a file by way of a temporary one and a rename."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".writing-")
    with os.fdopen(handle, "w") as stream:
        json.dump(value, stream, indent=1, default=str)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, file)


def read_json(file: Path) -> Any:
    """Read JSON.

    Raises:
        CheckpointError: when the file is missing or damaged.
    """
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file.parent.name}/{file.name} can't be read: {error}.") from error


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Raises:
        CheckpointError: when the file is missing or damaged.
    """
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file.parent.name}/{file.name} can't be read: {error}.") from error


def load_weights(network: torch.nn.Module, weights: dict[str, Tensor], what: str) -> None:
    """Put weights into a network of the same shape.

    Raises:
        CheckpointError: when names or shapes differ.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"The weights of {what} don't fit its settings: {reason}") from error


@dataclass(frozen=True)
class Checkpoints:
    """The latest training state in a folder; only the newest is kept.

    Args:
        folder: holds ``latest-<n>/`` with ``tensors.safetensors`` and ``state.json``.
    """

    folder: Path

    def save(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Replace the latest state; a crash at any moment leaves the old or the new one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        old = self._all()
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, staging / FILE)
        (staging / "state.json").write_text(json.dumps(state))
        number = int(old[-1].name.split("-")[1]) + 1 if old else 0
        publish(staging, self.folder / f"latest-{number:06d}")
        for folder in old:
            shutil.rmtree(folder, ignore_errors=True)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The latest state, or None when there is none."""
        found = self._all()
        if not found:
            return None
        return read_tensors(found[-1] / FILE), read_json(found[-1] / "state.json")

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("latest-*")) if self.folder.is_dir() else []


FILE = "tensors.safetensors"


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """AdamW's state as flat tensors named by parameter index and key."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{key}": value for i, entry in state.items() for key, value in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Inverse of :func:`optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    whole = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
