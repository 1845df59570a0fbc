"""What a training can run on here, with its memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from finrec.pipeline.learning import device_name

LIMIT = Path("/sys/fs/cgroup/memory.max")
MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True)
class Device:
    """A processor or graphics card.

    Args:
        name: auto, cpu or cuda.
        title: for people.
        total: bytes of memory; None when it can't be told.
        free: of them, those that nobody uses.
    """

    name: str
    title: str
    total: int | None
    free: int | None


def devices() -> list[Device]:
    """``auto`` first, then what there is; a graphics card only where torch can use one."""
    total, free = _memory()
    threads = torch.get_num_threads()
    words = f"CPU, {threads} {'thread' if threads == 1 else 'threads'}"
    found = [Device("cpu", words, total, free)]
    if torch.cuda.is_available():
        left, whole = torch.cuda.mem_get_info(0)
        found.append(Device("cuda", device_name(), int(whole), int(left)))
    best = found[-1]
    return [Device("auto", f"auto ({best.title})", best.total, best.free), *found]


def _memory() -> tuple[int | None, int | None]:
    """Bytes of memory that this process may use, and those that are free."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        lines = dict(line.split(":") for line in MEMORY.read_text().splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return None, None
    try:
        limit = int(LIMIT.read_text())  # of a container
    except (OSError, ValueError):
        return total, free
    return min(total, limit), min(free, limit)


__all__ = ["Device", "devices"]
