"""Who has which products together: counts of customers, from which nobody can be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from finrec.scorer import Cohort


@dataclass(frozen=True)
class Company:
    """The distinct products of each customer of the training part, and who has each.

    Args:
        offsets: int64 [B + 1].
        products: catalogue index, int32 [P]; customer b's are ``offsets[b]:offsets[b + 1]``.
        starts: int64 [N + 1].
        holders: row of a customer, int32 [P]; product n's are ``starts[n]:starts[n + 1]``.
    """

    offsets: np.ndarray
    products: np.ndarray
    starts: np.ndarray
    holders: np.ndarray

    @staticmethod
    def of(histories: Cohort, n_products: int) -> Company:
        """Of histories, each product counted once a customer."""
        pairs = np.unique(histories.rows() * n_products + histories.products)
        rows, products = np.divmod(pairs, n_products)
        counts = np.bincount(rows, minlength=len(histories))
        return Company.distinct(counts, products, n_products)

    @staticmethod
    def distinct(counts: np.ndarray, products: np.ndarray, n_products: int) -> Company:
        """Of lists without repetition.

        Args:
            counts: int [B], products of each customer.
            products: int [P], the lists end to end.
            n_products: N.
        """
        rows = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        order = np.argsort(products, kind="stable")
        return Company(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            products.astype(np.int32),
            np.concatenate([[0], np.cumsum(np.bincount(products, minlength=n_products))]).astype(
                np.int64
            ),
            rows[order],
        )

    def together(self, offer: int, products: Iterable[int]) -> dict[int, int]:
        """How many customers have the offer and each of these products in their history."""
        asked = [int(p) for p in products]
        if not asked:
            return {}
        theirs = self.holders[self.starts[offer] : self.starts[offer + 1]]
        first, lengths = self.offsets[theirs], self.offsets[theirs + 1] - self.offsets[theirs]
        ends = np.cumsum(lengths)
        places = np.repeat(first - (ends - lengths), lengths) + np.arange(int(lengths.sum()))
        counts = np.bincount(self.products[places], minlength=len(self.starts) - 1)
        return {p: int(counts[p]) for p in asked}
