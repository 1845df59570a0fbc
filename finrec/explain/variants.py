"""The same customer with some events left out, many variants at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from finrec.features import sequences
from finrec.scorer import Cohort
from finrec.training.assemble import FusedScorer

BATCH = 256  # variants scored at once


def without(customer: Cohort, removed: Iterable[Iterable[int]], length: int) -> Cohort:
    """One customer a variant: the last ``length`` events, less those at the given places.

    Places count from 0 within the window. Events before the window stay out: the explanation is
    about what the network has read.
    """
    total = len(customer.products)
    window = np.arange(max(total - length, 0), total)
    kept = [np.delete(window, sorted(set(places))) for places in removed]
    order = np.concatenate(kept) if kept else window[:0]
    lengths = np.array([len(k) for k in kept], dtype=np.int64)
    count = len(kept)
    return Cohort(
        np.repeat(customer.ids, count),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        customer.products[order],
        customer.kinds[order],
        customer.times[order],
        customer.amounts[order],
        np.repeat(customer.asof, count),
        customer.profile.iloc[np.zeros(count, dtype=int)].reset_index(drop=True),
    )


@torch.inference_mode()
def scores(
    scorer: FusedScorer,
    customer: Cohort,
    removed: list[tuple[int, ...]],
    products: Tensor | None = None,
) -> np.ndarray:
    """Scores of every variant, float32 [variants, N].

    Args:
        scorer: a trained network.
        customer: one customer.
        removed: places left out in each variant.
        products: product vectors, where they are at hand.
    """
    network = scorer.network.eval()
    table = network.products() if products is None else products
    out = []
    for start in range(0, len(removed), BATCH):
        many = without(customer, removed[start : start + BATCH], scorer.length)
        encoded = sequences.encode(many, scorer.given.customers)
        batch = sequences.batch(encoded, np.arange(len(many)), scorer.length)
        out.append(network(batch.to(table.device), table).cpu().numpy())
    if not out:
        return np.zeros((0, len(scorer.given.catalogue)), dtype=np.float32)
    return np.concatenate(out)
