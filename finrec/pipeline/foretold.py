"""What a network foretold of validation cases that it had not learned from, and what came.

A run that is tested by time learns from its validation part before the test, so this is kept with
it beforehand. It holds no name and no attribute of anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from finrec.evaluation.protocols import offered
from finrec.scorer import Scorer
from finrec.serving import rerank
from finrec.split import Cases
from finrec.training import calibrate, checkpoint
from finrec.training.runs import FORETOLD, Run

BATCH = 512
MOST = 5000  # cases


@dataclass(frozen=True)
class Foretold:
    """C cases, M candidates each.

    Args:
        index: int32 [C, M], best first, -1 where there is none.
        chance: probability of each, float32 [C, M].
        offsets: int64 [C + 1], where each case's products begin in ``relevant``.
        relevant: what was taken, int64.
    """

    index: np.ndarray
    chance: np.ndarray
    offsets: np.ndarray
    relevant: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def tensors(self) -> dict[str, torch.Tensor]:
        """As they are kept."""
        return {name: torch.from_numpy(value.copy()) for name, value in vars(self).items()}

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> Self:
        """Inverse of :meth:`tensors`."""
        return cls(**{name: tensors[name].numpy() for name in cls.__dataclass_fields__})


def drawn(cases: Cases, most: int) -> Cases:
    """At most so many cases, drawn at random, in their order."""
    return cases.take(np.sort(np.random.default_rng(0).permutation(len(cases))[:most]))


def told(
    scorer: Scorer, cases: Cases, may: Callable[[Cases], np.ndarray], temperature: float
) -> Iterator[tuple[Cases, np.ndarray, np.ndarray]]:
    """Cases in batches, what may be offered, bool [B, N], and its chances, float32 [B, N]."""
    for start in range(0, len(cases), BATCH):
        some = cases.take(np.arange(start, min(start + BATCH, len(cases))))
        open_ = may(some)
        yield some, open_, calibrate.probabilities(scorer.score(some.customers), open_, temperature)


def foretell(
    scorer: Scorer,
    cases: Cases,
    products: int,
    repeatable: bool,
    temperature: float,
    most: int | None = MOST,
) -> Foretold:
    """Candidates of validation cases, drawn at random where there are more than ``most``.

    Args:
        scorer: fitted on the validation fold's training part.
        cases: of validation.
        products: in the catalogue.
        repeatable: whether a product may be taken again.
        temperature: of the scorer's probabilities.
        most: None: all.
    """
    if most is not None:
        cases = drawn(cases, most)
    m = min(rerank.M, products)
    index = [np.zeros((0, m), np.int32)]
    chances = [np.zeros((0, m), np.float32)]

    def may(some: Cases) -> np.ndarray:
        return offered(some, products, not repeatable)

    for _, open_, chance in told(scorer, cases, may, temperature):
        found = rerank.candidates(chance, open_)
        index.append(found.index.astype(np.int32))
        chances.append(found.fit)
    return Foretold(
        np.concatenate(index),
        np.concatenate(chances),
        np.asarray(cases.offsets, dtype=np.int64),
        np.asarray(cases.relevant, dtype=np.int64),
    )


def kept(run: Run) -> Foretold | None:
    """What a run keeps; None where it was trained before this was kept.

    Raises:
        CheckpointError: when the file is damaged.
    """
    file = run.path / FORETOLD
    return Foretold.of(checkpoint.read_tensors(file)) if file.is_file() else None
