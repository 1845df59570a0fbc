"""Cold start, measured: products that nobody has bought yet, customers with little or no past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from finrec import snapshots as store
from finrec.baselines.popularity import Popularity
from finrec.config import RunSettings
from finrec.evaluation import protocols
from finrec.schema import PRODUCT, DataError
from finrec.scorer import Catalogue
from finrec.split import Cases, Fold, split
from finrec.training import assemble, fit
from finrec.training.fused_scorer import FusedScorer


@dataclass(frozen=True)
class ColdProducts:
    """How well products without any training event are found.

    Args:
        held_out: number of products whose events were all taken out of training.
        cases: test cases whose product is one of them.
        recall: share of cases with the product among the first k of the whole catalogue.
        popularity: the same for popularity, which knows nothing of these products.
        random: k divided by the number of products that could be offered, on average.
        k: list length.
    """

    held_out: int
    cases: int
    recall: float
    popularity: float
    random: float
    k: int


def products(
    settings: RunSettings,
    share: float = 0.05,
    seed: int = 0,
    k: int = 10,
    progress: Callable[[dict[str, Any]], None] = lambda event: None,
) -> ColdProducts:
    """Take products out of training, learn, and look for them in the test cases.

    Settings and the number of passes are chosen on validation cases of the other products.

    Args:
        settings: of the run; nothing is kept.
        share: of the products that are test targets, taken out.
        seed: of the choice of products.
        k: list length.
        progress: told of steps and epochs.

    Raises:
        DataError: when no test case is about a product taken out, or a list is the catalogue.
    """
    parts = split(store.find(settings.snapshot).load(), settings.protocol)
    n = len(parts.catalogue)
    if k >= n:
        raise DataError(
            f"A list of {k} holds all {n} products, so that anything is found; give a smaller -k."
        )
    chosen = np.random.default_rng(seed).permutation(n)[: max(1, round(share * n))]
    cold = np.zeros(n, dtype=bool)
    cold[chosen] = True
    valid = _without(parts.valid, parts.catalogue, cold)
    test = _without(parts.test, parts.catalogue, cold)
    seen = replace(parts, valid=replace(valid, cases=_about(valid.cases, ~cold)), test=test)
    target = _about(test.cases, cold)
    if not len(target):
        raise DataError("No test case is about a product taken out; take out a larger share.")
    headline = f"ndcg@{k}"

    def validate(scorer: FusedScorer) -> float:
        found = protocols.ranking(scorer, seen.valid.cases, (k,), True, parts.repeatable)
        return found.mean()[headline]

    given, histories = assemble.inputs(seen, "valid", settings)
    fitted = fit.fit(given, histories, settings, validate, progress=progress)
    if settings.protocol == "R2":
        given, histories = assemble.inputs(seen, "test", settings)
        fitted = fit.fit(given, histories, settings, None, epochs=fitted.epochs, progress=progress)

    def recall(scorer: Any) -> float:
        found = protocols.ranking(scorer, target, (k,), True, parts.repeatable)
        return found.mean()[f"recall@{k}"]

    return ColdProducts(
        int(cold.sum()),
        len(target),
        recall(fitted.scorer),
        recall(Popularity().fit(test, seen)),
        float((k / protocols.offered(target, n, not parts.repeatable).sum(1).clip(min=k)).mean()),
        k,
    )


def _without(fold: Fold, catalogue: Catalogue, cold: np.ndarray) -> Fold:
    """The fold as if nobody had ever taken the cold products before its cases."""
    train = fold.train[~cold[catalogue.index(fold.train[PRODUCT])]].reset_index(drop=True)
    people = fold.cases.customers
    keep = ~cold[people.products]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(people.rows()[keep], minlength=len(people)))])  # fmt: skip  # noqa: E501
    known = replace(
        people,
        offsets=offsets.astype(np.int64),
        products=people.products[keep],
        kinds=people.kinds[keep],
        times=people.times[keep],
        amounts=people.amounts[keep],
    )
    return replace(fold, train=train, cases=replace(fold.cases, customers=known))


def _about(cases: Cases, wanted: np.ndarray) -> Cases:
    """Cases whose products are all among the wanted ones."""
    row = np.repeat(np.arange(len(cases)), np.diff(cases.offsets))
    other = np.bincount(row, ~wanted[cases.relevant], len(cases))
    return cases.take(np.flatnonzero(other == 0))


__all__ = ["ColdProducts", "products"]
