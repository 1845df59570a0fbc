"""Which code made a figure: a hash of the files that decide it, and the commit for people."""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path

from finrec import baselines

ROOT = Path(__file__).parent.parent
OF_ALL = ("scorer.py", "split.py", "evaluation")
OF_FUSED = ("features", "networks", "training", "config.py", "presets.py", "pipeline/learning.py")


@cache
def of_fused() -> str:
    """Hash of the code that decides the figures of our own network."""
    return _hash((*OF_ALL, *OF_FUSED))


@cache
def of_method(name: str) -> str:
    """Hash of the code that decides the figures of a method to compare with."""
    baselines.method(name)  # methods build on each other, so all of them count
    return _hash((*OF_ALL, "baselines", "features"))


def _hash(names: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in names:
        where = ROOT / name
        for file in sorted(where.rglob("*.py")) if where.is_dir() else [where]:
            digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


@cache
def commit() -> str:
    """The commit of this code, with ``+`` where files differ from it; empty outside git."""
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    said = []
    for command in (["rev-parse", "--short=10", "HEAD"], ["status", "--porcelain", "."]):
        try:
            done = subprocess.run(
                ["git", *command], cwd=ROOT, capture_output=True, text=True, check=True, env=quiet
            )
        except (OSError, subprocess.CalledProcessError):
            return ""
        said.append(done.stdout.strip())
    return said[0] + ("+" if said[1] else "")
