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
        return Company.of_lists(histories.lengths, histories.products, n_products)

    @staticmethod
    def of_lists(lengths: np.ndarray, products: np.ndarray, n_products: int) -> Company:
        """Of each customer's products, end to end, repeated or not.

        Args:
            lengths: int [B].
            products: catalogue index, int [E]; less than 0: not in the catalogue.
            n_products: N.
        """
        rows = np.repeat(np.arange(len(lengths)), lengths)
        pairs = np.sort((rows * n_products + products)[products >= 0])
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        rows, products = np.divmod(pairs, n_products)
        order = np.argsort(products, kind="stable")
        counts = [
            np.bincount(rows, minlength=len(lengths)),
            np.bincount(products, minlength=n_products),
        ]
        offsets, starts = (np.concatenate([[0], np.cumsum(c)]).astype(np.int64) for c in counts)
        return Company(offsets, products.astype(np.int32), starts, rows.astype(np.int32)[order])

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
