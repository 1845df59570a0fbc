"""Showing groups more alike, and what that costs: measured on validation cases, never on test.

``level`` takes from each score what a customer's group as a whole scores above or below everybody
for that product, all of it at strength 1. It uses scores and group alone, no outcome. The list
stays the customer's own; what goes is what was offered because of the group.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from finrec.evaluation import groups, metrics
from finrec.split import Cases
from finrec.topk import topk

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_CASES = 4000
MOST_CELLS = 20_000_000  # scores kept at once


def level(scores: np.ndarray, codes: np.ndarray, strength: float) -> np.ndarray:
    """Scores with the group's own part taken out, float [C, N]; rows keep their customer's scale.

    Each customer's scores are standardised first, so that groups of confident scores don't weigh
    more. Customers without a group (code -1) keep theirs.

    Args:
        scores: [C, N].
        codes: group of each customer, [C].
        strength: 0 (as they are) to 1.
    """
    table = scores.astype(np.float64)
    table -= table.mean(1, keepdims=True)
    table /= np.maximum(table.std(1, keepdims=True), 1e-12)
    inside = codes >= 0
    if not inside.any():
        return table
    means = np.stack(
        [
            table[codes == g].mean(0) if (codes == g).any() else np.zeros(table.shape[1])
            for g in range(codes.max() + 1)
        ]
    )
    present = np.unique(codes[inside])
    table[inside] -= strength * (means[codes[inside]] - means[present].mean(0))
    return table


class Collector:
    """Keeps the scores of a sample of validation cases, then measures every strength on them.

    Args:
        cases: all validation cases.
        n_products: N.
        k: list length.
        masked: leave out products of the history.
        seed: of the sample.
        least: cases that a group must have.
    """

    def __init__(
        self, cases: Cases, n_products: int, k: int, masked: bool, seed: int = 0,
        least: int | None = None,
    ) -> None:  # fmt: skip
        self.least = groups.LEAST if least is None else least
        self.columns = groups.usable(cases.customers.profile, self.least)
        size = min(MOST_CASES, MOST_CELLS // max(n_products, 1)) if self.columns else 0
        chosen = np.random.default_rng(seed).permutation(len(cases))[:size]
        self.wanted = np.zeros(len(cases), dtype=bool)
        self.wanted[chosen] = True
        self.sample = cases.take(np.flatnonzero(self.wanted))
        self.k, self.masked, self.seed = min(k, n_products), masked, seed
        self.at = 0
        self.scores: list[np.ndarray] = []

    def add(self, cases: Cases, scores: np.ndarray) -> None:
        """The next cases, in order, with their scores [C, N]."""
        self.scores.append(scores[self.wanted[self.at : self.at + len(cases)]])
        self.at += len(cases)

    def measured(self) -> dict[str, Any]:
        """By column: groups, what chance alone gives, and a row for each strength.

        ``ndcg``: over the sample. ``exposure_gap``: :func:`finrec.evaluation.groups.exposure_gap`.
        ``quality_gap``: NDCG of the best less that of the worst group. ``chance``: exposure gap of
        random groups of the same sizes, below which nothing can be closed.
        """
        found: dict[str, Any] = {}
        if not self.columns or not len(self.sample):
            return found
        scores = np.concatenate(self.scores)
        n = scores.shape[1]
        allowed = self.sample.allowed
        if allowed is None:
            allowed = np.ones(scores.shape, bool)
            if self.masked:
                allowed = ~self.sample.customers.seen(n)
        for column in self.columns:
            own = groups.assign(self.sample.customers.profile[column], self.least)
            if len(own.names) < 2:
                continue
            rows = [self._row(scores, allowed, own, strength) for strength in STRENGTHS]
            lists = topk(scores, allowed, min(self.k, n))[0]
            shuffled = np.random.default_rng(self.seed).permutation(own.codes)
            by_chance = groups.Groups(shuffled, own.names, own.hidden)
            found[column] = {
                "groups": list(own.names),
                "cases": int((own.codes >= 0).sum()),
                "k": self.k,
                "chance": groups.exposure_gap(lists, by_chance, n),
                "strengths": rows,
            }
        return found

    def _row(
        self, scores: np.ndarray, allowed: np.ndarray, own: groups.Groups, strength: float
    ) -> dict[str, float]:
        levelled = level(scores, own.codes, strength)
        cases = self.sample
        row = np.repeat(np.arange(len(cases)), np.diff(cases.offsets))
        rank = metrics.ranks(levelled, allowed, row, cases.relevant)
        ndcg = metrics.per_case(rank, cases.offsets, (self.k,))[f"ndcg@{self.k}"].to_numpy()
        each = [ndcg[own.codes == g].mean() for g in range(len(own.names))]
        lists = topk(levelled, allowed, min(self.k, scores.shape[1]))[0]
        return {
            "strength": strength,
            "ndcg": float(ndcg.mean()),
            "exposure_gap": groups.exposure_gap(lists, own, scores.shape[1]),
            "quality_gap": float(max(each) - min(each)),
        }
