"""Self-supervised tasks on text: which tokens are hidden, or in which order they are predicted.

Masked language model (MLM): Devlin et al. (2019). Permutation language model (PLM): Yang et al.
(2019). Both make the pairs (x, y) of the paper's pretraining objective out of text alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finrec.networks.language import CONTEXT, HIDDEN

SHARE = {"mlm": 0.15, "plm": 1 / 6}  # predicted tokens of a text, as in BERT and XLNet


@dataclass(frozen=True)
class Masked:
    """A batch for the masked language model.

    Args:
        ids: with hidden tokens, int64 [B, S].
        present: bool [B, S]; False is padding.
        chosen: bool [B, S]; the tokens to predict.
        targets: true ids of the chosen tokens, row by row, int64 [M].
    """

    ids: Tensor
    present: Tensor
    chosen: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Permuted:
    """A batch for the permutation language model.

    Args:
        ids: true ids, int64 [B, S].
        rank: factorisation order, int64 [B, S]; see :meth:`TextEncoder.permuted`.
        places: positions of the predicted tokens in their order, int64 [B, M].
        asked: bool [B, M]; False is a filler.
        targets: true ids of the asked tokens, row by row, int64 [sum of asked].
    """

    ids: Tensor
    rank: Tensor
    places: Tensor
    asked: Tensor
    targets: Tensor


def padded(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids as int64 [B, S] padded with 0, and their lengths int64 [B]."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    ids = np.zeros((len(rows), lengths.max()), dtype=np.int64)
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = np.concatenate(
        [np.asarray(row, dtype=np.int64) for row in rows]
    )
    return ids, lengths


def _draw(
    ids: np.ndarray, lengths: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A random order of each row's words, and how many of them are predicted (at least one).

    The first and the last token of a row are its start and end tokens and are never drawn.

    Returns:
        place in a random order from 0, int64 [B, S] (large where not drawn), and counts [B].
    """
    column = np.arange(ids.shape[1])
    word = (column > 0) & (column < lengths[:, None] - 1)  # [B, S]
    score = np.where(word, rng.random(ids.shape), np.inf)
    order = score.argsort(1, kind="stable").argsort(1, kind="stable")  # [B, S]
    count = np.maximum(1, np.rint(share * (lengths - 2)).astype(np.int64))
    return order, count


def masked(
    rows: Sequence[Sequence[int]],
    mask: int,
    words: int,
    rng: np.random.Generator,
    share: float = SHARE["mlm"],
    disguise: bool = True,
) -> Masked:
    """Hide a share of each row's words.

    Args:
        rows: token ids with start and end tokens; at least one word each.
        mask: id of the token that hides.
        words: size of the vocabulary.
        rng: source of chance.
        share: of words that are predicted.
        disguise: of the predicted words show 10 % as they are and 10 % as a random word, as BERT
            does in training; False hides them all, for measuring.
    """
    ids, lengths = padded(rows)
    order, count = _draw(ids, lengths, share, rng)
    chosen = order < count[:, None]
    shown = np.where(chosen, mask, ids)
    if disguise:
        chance = rng.random(ids.shape)
        shown = np.where(chosen & (chance < 0.1), ids, shown)
        other = rng.integers(0, words, ids.shape)
        shown = np.where(chosen & (chance >= 0.9), other, shown)
    present = np.arange(ids.shape[1]) < lengths[:, None]
    as_tensor = torch.from_numpy
    return Masked(as_tensor(shown), as_tensor(present), as_tensor(chosen), as_tensor(ids[chosen]))


def permuted(
    rows: Sequence[Sequence[int]], rng: np.random.Generator, share: float = SHARE["plm"]
) -> Permuted:
    """Draw a factorisation order for each row, and predict its last ``share``.

    The words that come first in the order are the context of all later ones; among themselves
    they are not predicted, so they may read one another.
    """
    ids, lengths = padded(rows)
    order, count = _draw(ids, lengths, share, rng)
    present = np.arange(ids.shape[1]) < lengths[:, None]
    rank = np.where(order < count[:, None], order + 1, CONTEXT)
    rank = np.where(present, rank, HIDDEN)
    most = int(count.max())
    places = order.argsort(1, kind="stable")[:, :most]  # position of rank 1, 2, ...; [B, M]
    asked = np.arange(most) < count[:, None]
    places = np.where(asked, places, 0)
    targets = np.take_along_axis(ids, places, 1)[asked]
    as_tensor = torch.from_numpy
    return Permuted(
        as_tensor(ids), as_tensor(rank), as_tensor(places), as_tensor(asked), as_tensor(targets)
    )
