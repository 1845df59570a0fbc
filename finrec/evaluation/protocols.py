"""The protocols by which finrec measures; every figure that it prints comes from here.

R1 (leave one out) and R2 (by time) rank the whole catalogue; P asks yes or no of pairs. Test cases
are read by :func:`evaluate` alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from finrec import memory
from finrec.evaluation import beyond, levelling, metrics, ownership, pointwise, timing
from finrec.schema import PRODUCT, DatasetInfo
from finrec.scorer import Scorer
from finrec.split import Cases, FoldName, Split
from finrec.topk import topk

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ranking:
    """How a scorer ranked held-out cases.

    Args:
        per_case: one row a case, one column a metric.
        warm: whether the customer had events before, bool [C].
        top: each list's products, best first, int64 [C, k]; -1 where fewer could be offered.
    """

    per_case: pd.DataFrame
    warm: np.ndarray
    top: np.ndarray

    def mean(self, rows: np.ndarray | None = None) -> dict[str, float]:
        """Mean over cases (macro average), or over the cases at ``rows``; empty for none."""
        chosen = self.per_case if rows is None else self.per_case[rows]
        if chosen.empty:
            return {}
        return {str(name): float(value) for name, value in chosen.mean().items()}


def ranking(
    scorer: Scorer,
    cases: Cases,
    ks: Sequence[int],
    masked: bool,
    repeatable: bool,
    batch: int = 512,
) -> Ranking:
    """Rank the whole catalogue for each case.

    Args:
        scorer: the method.
        cases: held-out cases.
        ks: list lengths.
        masked: leave out products of the history (unless repeatable). Where the source says what
            could be offered, that alone decides.
        repeatable: products of the history may be acquired again.
        batch: cases scored at once.
    """
    return rankings(scorer, cases, ks, (masked,), repeatable, batch)[masked]


def rankings(
    scorer: Scorer,
    cases: Cases,
    ks: Sequence[int],
    views: Sequence[bool],
    repeatable: bool,
    batch: int = 512,
    also: Callable[[Cases, np.ndarray], None] | None = None,
) -> dict[bool, Ranking]:
    """:func:`ranking` with and without the history masked, from one scoring; by ``masked``.

    ``also`` is shown each batch of cases with its scores, so that nothing is scored twice.
    """
    parts: dict[bool, list[pd.DataFrame]] = {masked: [] for masked in views}
    lists: dict[bool, list[np.ndarray]] = {masked: [] for masked in views}
    for part, scores in scored(scorer, cases, batch):
        if also is not None:
            also(part, scores)
        rows = np.repeat(np.arange(len(part)), np.diff(part.offsets))
        for masked, kept in parts.items():
            allowed = offered(part, scores.shape[1], masked and not repeatable)
            rank = metrics.ranks(scores, allowed, rows, part.relevant)
            kept.append(metrics.per_case(rank, part.offsets, ks))
            k = min(ks[0], scores.shape[1])
            lists[masked].append(topk(scores, allowed, k)[0])
    warm = cases.customers.lengths > 0
    return {
        masked: Ranking(pd.concat(kept, ignore_index=True), warm, np.concatenate(lists[masked]))
        for masked, kept in parts.items()
    }


def scored(scorer: Scorer, cases: Cases, batch: int = 512) -> Iterator[tuple[Cases, np.ndarray]]:
    """Cases in batches, each with its scores, float [B, N]."""
    for number, start in enumerate(range(0, len(cases), batch)):
        part = cases.take(np.arange(start, min(start + batch, len(cases))))
        yield part, scorer.score(part.customers)
        if number % 8 == 7:
            memory.give_back()


def offered(cases: Cases, n_products: int, without_history: bool) -> np.ndarray:
    """What is ranked for each case, bool [C, N]."""
    if cases.allowed is not None:
        return cases.allowed
    if without_history:
        return ~cases.customers.seen(n_products)
    return np.ones((len(cases), n_products), dtype=bool)


@dataclass(frozen=True)
class Evaluation:
    """What the one look at the test cases gave.

    Args:
        metrics: by protocol, as kept in a run's ``metrics.json``.
        per_case: the headline view (history masked), one row a case: ``customer`` (a code, not an
            id: place of the customer's first case among the test cases), ``warm``, the metrics.
    """

    metrics: dict[str, Any]
    per_case: pd.DataFrame


def evaluate(
    scorer_for: Callable[[FoldName], Scorer],
    split: Split,
    info: DatasetInfo,
    references: Mapping[str, Scorer],
    seed: int = 0,
    timed: Mapping[str, timing.Rival] | None = None,
) -> Evaluation:
    """Metrics by protocol on the test cases, beside simple methods that they must beat.

    Args:
        scorer_for: the scorer fitted for a fold; under R1 both folds have the same.
        split: from :func:`finrec.split.split`.
        info: list lengths.
        references: simple methods by name, fitted on the test fold's training part.
        seed: of the negatives of protocol P.
        timed: for a scorer that also says whether anything is taken: simpler ways to say so.
    """
    logger.info("Reading the test cases of %s, protocol %s.", info.name, split.protocol)
    test_pairs = pointwise.Collector(_counts(split, "test"), seed + 1)
    views, headline = _ranked(scorer_for("test"), split, info, test_pairs.add)
    memory.give_back()
    valid_pairs = pointwise.Collector(_counts(split, "valid"), seed)
    level = levelling.Collector(
        split.valid.cases, len(split.catalogue), info.ks[0], not split.repeatable, seed
    )
    for part, scores in scored(scorer_for("valid"), split.valid.cases):
        valid_pairs.add(part, scores)
        level.add(part, scores)
    memory.give_back()
    pairs = pointwise.evaluate(valid_pairs.pairs(), test_pairs.pairs())
    memory.give_back()
    found = {
        split.protocol: {
            **views,
            "headline": f"ndcg@{info.ks[0]}",
            "description": split.description,
            "cases": len(split.test.cases),
            "references": {name: _ranked(r, split, info)[0] for name, r in references.items()},
        },
        "P": pairs,
    }
    held = ownership.evaluate(scorer_for, split, seed)
    optional = {"levelling": level.measured(), "O": held}
    if timed is not None:
        optional["T"] = timing.evaluate(
            cast("Callable[[FoldName], timing.Timed]", scorer_for), split, timed, seed
        )
    found |= {name: block for name, block in optional.items() if block}
    codes = pd.factorize(split.test.cases.customers.ids)[0]
    return Evaluation(
        found,
        pd.concat(
            [pd.DataFrame({"customer": codes, "warm": headline.warm}), headline.per_case], axis=1
        ),
    )


def _counts(split: Split, fold: FoldName) -> np.ndarray:
    """Training events of each product, int64 [N]."""
    places = split.catalogue.index(split.fold(fold).train[PRODUCT])
    return np.bincount(places, minlength=len(split.catalogue))


def all_new(cases: Cases, known: np.ndarray) -> np.ndarray:
    """Cases in which only products were taken that nobody had before, bool [C].

    A case with one known product among them does not count: a hit may be that one.

    Args:
        cases: held-out cases.
        known: whether a product has an event in what is learned from, bool [N].
    """
    taken = np.diff(cases.offsets)
    rows = np.repeat(np.arange(len(cases)), taken)
    before = np.bincount(rows, known[cases.relevant], len(cases))
    return cast("np.ndarray", (before == 0) & (taken > 0))


def _ranked(
    scorer: Scorer,
    split: Split,
    info: DatasetInfo,
    also: Callable[[Cases, np.ndarray], None] | None = None,
) -> tuple[dict[str, Any], Ranking]:
    cases = split.test.cases
    views: dict[str, Any] = {}
    told = cases.allowed is not None or split.repeatable
    names = {True: "masked"} if told else {True: "masked", False: "unmasked"}
    ranked = rankings(scorer, cases, info.ks, tuple(names), split.repeatable, also=also)
    for masked, name in names.items():
        views[name] = ranked[masked].mean()
    found = ranked[True]
    one = cases.customers.lengths == 1
    counts = _counts(split, "test")
    slices = {
        "warm": found.warm,
        "cold": ~found.warm,
        "one event": one,
        "new product": all_new(cases, counts > 0),
    }
    views["slices"] = {
        which: {"cases": int(rows.sum()), **found.mean(rows)}
        for which, rows in slices.items()
        if 0 < rows.sum() < len(rows)
    }
    figures = beyond.figures(found.top, counts, split.catalogue.table)
    views["lists"] = {"k": info.ks[0], **figures}
    return views, found
