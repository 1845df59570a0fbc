"""The device that a network learns and answers on."""

from __future__ import annotations

import torch

from finrec.config import RunSettings
from finrec.schema import DataError


def device_of(settings: RunSettings) -> torch.device:
    """The device that the settings ask for; ``auto`` takes CUDA where there is one.

    Raises:
        DataError: when CUDA is asked for and there is none.
    """
    if settings.device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if settings.device == "cuda":
        raise DataError("This machine has no CUDA device; choose device auto or cpu.")
    return torch.device("cpu")
