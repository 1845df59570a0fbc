"""Protocol P: precision, recall and F1 of yes/no answers about customer-product pairs.

Held-out acquisitions stand beside products that the customer did not acquire, in three variants
that must never be mixed up, since the same method gets very different figures from them:

- ``uniform``: one product each, drawn uniformly from those neither acquired nor in the history.
- ``popularity``: one product each, drawn in proportion to training events (plus one), so that
  knowing what is popular does not help.
- ``natural``: all of them, so that a yes is as rare as in life; of large catalogues a uniform
  sample, weighted so that it stands for all.

The seed is frozen. The threshold and the curve from score to probability are chosen on validation
and then frozen. These figures say how well acquisitions are told from other products, not how good
recommendations are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from finrec.evaluation import calibration, significance
from finrec.split import Cases

VARIANTS = {
    "uniform": "uniform negatives, 1:1",
    "popularity": "negatives drawn by popularity, 1:1",
    "natural": "all products not acquired, natural prevalence",
}
SAMPLE = 60  # catalogues up to this size are taken whole, of larger ones so many draws a case
DRAWN = 256  # acquisitions whose draws are in memory at once
TRIES = 24  # draws by popularity before the exact way is taken


@dataclass(frozen=True)
class Pairs:
    """Pairs of customer and product, stored as columns of length R.

    Args:
        truth: whether it was acquired.
        score: the method's, standardised over the customer's products, so that one threshold
            serves all customers.
        popular: log of 1 + the product's training events.
        weight: how many pairs it stands for.
        customer: a code; pairs of one customer are not independent of each other.
    """

    truth: np.ndarray
    score: np.ndarray
    popular: np.ndarray
    weight: np.ndarray
    customer: np.ndarray


class _Standardised:
    """Scores [C, N] less their row's mean, over its standard deviation, where asked for alone.

    Args:
        scores: float [C, N].
        who: ids of the rows' customers, [C].
    """

    def __init__(self, scores: np.ndarray, who: np.ndarray) -> None:
        self.scores, self.who = scores, who
        self.mean = scores.mean(1, dtype=np.float64)
        square = np.einsum("ij,ij->i", scores, scores, dtype=np.float64) / scores.shape[1]
        self.scale = np.maximum(np.sqrt(np.maximum(square - self.mean**2, 0.0)), 1e-12)

    def at(self, row: np.ndarray, product: np.ndarray) -> np.ndarray:
        """Values of these cells, float64."""
        return (self.scores[row, product] - self.mean[row]) / self.scale[row]


class Collector:
    """Draws pairs from batches of scored cases, so that nothing is scored a second time.

    Args:
        counts: training events of each product, [N].
        seed: of the negatives.
    """

    def __init__(self, counts: np.ndarray, seed: int) -> None:
        self.log_counts = np.log1p(counts.astype(np.float64))
        share = np.cumsum(counts + 1.0)
        self.cumulative = share / share[-1]
        self.weights = counts + 1.0
        self.rngs = {v: np.random.default_rng([seed, i] if i else seed) for i, v in
                     enumerate(VARIANTS)}  # fmt: skip
        self.parts: dict[str, list[tuple[np.ndarray, ...]]] = {v: [] for v in VARIANTS}

    def add(self, cases: Cases, scores: np.ndarray) -> None:
        """Draw from these cases, scored float [C, N]."""
        table = _Standardised(scores, cases.customers.ids)
        n = scores.shape[1]
        taken = cases.relevance(n) | cases.customers.seen(n)
        free = ~taken if cases.allowed is None else ~taken & cases.allowed
        rows = np.repeat(np.arange(len(cases)), np.diff(cases.offsets))
        keep = free.any(1)[rows]
        rows, relevant = rows[keep], cases.relevant[keep]
        if not len(rows):
            return
        uniform = np.empty(len(rows), dtype=np.int64)
        for start in range(0, len(rows), DRAWN):
            some = slice(start, start + DRAWN)
            draws = self.rngs["uniform"].random((len(rows[some]), n))
            draws *= free[rows[some]]  # the largest of the free ones; a draw of 0 has no chance
            uniform[some] = draws.argmax(1)
        for variant, negative in (
            ("uniform", uniform),
            ("popularity", self._by_popularity(free, rows)),
        ):
            row, product = np.repeat(rows, 2), np.stack([relevant, negative], 1).ravel()
            truth = np.tile([True, False], len(rows))
            self._keep(variant, table, truth, row, product, np.ones(len(row)))
        self._natural(table, free, rows, relevant)

    def _by_popularity(self, free: np.ndarray, rows: np.ndarray) -> np.ndarray:
        rng = self.rngs["popularity"]
        tried = np.searchsorted(self.cumulative, rng.random((len(rows), TRIES)), side="right")
        tried = np.minimum(tried, free.shape[1] - 1)
        fits = free[rows[:, None], tried]
        negative = tried[np.arange(len(rows)), fits.argmax(1)]
        rest = np.flatnonzero(~fits.any(1))
        if len(rest):  # exact: the largest of log(u) / weight falls on each in proportion
            keys = np.log(rng.random((len(rest), free.shape[1]))) / self.weights
            negative[rest] = np.where(free[rows[rest]], keys, -np.inf).argmax(1)
        return negative

    def _natural(
        self, table: _Standardised, free: np.ndarray, rows: np.ndarray, relevant: np.ndarray
    ) -> None:
        self._keep("natural", table, np.ones(len(rows), bool), rows, relevant, np.ones(len(rows)))
        own = np.unique(rows)
        open_ = free[own]
        if free.shape[1] <= SAMPLE:
            place, product = np.nonzero(open_)
        else:
            drawn = self.rngs["natural"].integers(free.shape[1], size=(len(own), SAMPLE))
            place, column = np.nonzero(np.take_along_axis(open_, drawn, 1))
            product = drawn[place, column]
            missed = np.setdiff1d(np.arange(len(own)), place)
            if len(missed):  # hardly anything is free: the first free product stands for them
                place = np.concatenate([place, missed])
                product = np.concatenate([product, open_[missed].argmax(1)])
        weight = (open_.sum(1) / np.maximum(np.bincount(place, minlength=len(own)), 1))[place]
        self._keep("natural", table, np.zeros(len(place), bool), own[place], product, weight)

    def _keep(self, variant: str, table: _Standardised, truth: np.ndarray, row: np.ndarray,
              product: np.ndarray, weight: np.ndarray) -> None:  # fmt: skip
        self.parts[variant].append(
            (truth, table.at(row, product), self.log_counts[product], weight, table.who[row])
        )

    def pairs(self) -> dict[str, Pairs]:
        """All pairs drawn, by variant; the collector is empty then."""
        empty = (np.zeros(0, bool), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, object))
        found = {}
        for variant in VARIANTS:
            parts = self.parts.pop(variant)  # millions: not to be held twice
            *columns, who = (np.concatenate(c) for c in zip(*(parts or [empty]), strict=True))
            customer = pd.factorize(who, sort=True)[0]
            truth, score, popular, weight = columns
            found[variant] = Pairs(truth, score, popular, weight, customer)
        return found


def evaluate(valid: Mapping[str, Pairs], test: Mapping[str, Pairs]) -> dict[str, Any]:
    """Every figure of protocol P: those of ``uniform``, and all variants under ``variants``."""
    variants = {
        name: {"variant": title, "threshold_from": "validation"}
        | _measured(valid[name], test[name])
        for name, title in VARIANTS.items()
        if len(test[name].truth) and len(valid[name].truth)
    }
    return {**variants.get("uniform", {}), "variants": variants}


def _measured(valid: Pairs, test: Pairs) -> dict[str, Any]:
    base = float(np.average(valid.truth, weights=valid.weight))
    always = {
        **counts(test.truth, np.ones(len(test.truth), bool), test.weight),
        **_told(test, np.full(len(test.truth), base)),
    }
    own = answers(valid.truth, valid.score, valid.weight, test.truth, test.score, test.weight)
    popular = answers(
        valid.truth, valid.popular, valid.weight, test.truth, test.popular, test.weight
    )
    popular.pop("reliability")
    return {
        **own,
        "intervals": intervals(test, test.score >= own["threshold"]),
        "pairs": len(test.truth),
        "pairs_stand_for": float(test.weight.sum()),
        "positives": int(test.truth.sum()),
        "prevalence": float(np.average(test.truth, weights=test.weight)),
        "always_yes": always,
        "popular": popular,
    }


def intervals(pairs: Pairs, yes: np.ndarray) -> dict[str, list[float]]:
    """95 % bootstrap intervals of precision, recall and F1, customers resampled: [low, high].

    Args:
        pairs: R pairs.
        yes: what is said of them, bool [R].
    """
    parts = (pairs.truth & yes, yes, pairs.truth)
    sums = [np.bincount(pairs.customer, part * pairs.weight) for part in parts]
    hits, said, true = significance.resampled(np.stack(sums, 1)).T
    found = {
        "precision": hits / np.maximum(said, 1e-12),
        "recall": hits / np.maximum(true, 1e-12),
        "f1": 2 * hits / np.maximum(said + true, 1e-12),
    }
    return {name: list(significance.bounds(values)) for name, values in found.items()}


def answers(
    valid_truth: np.ndarray, valid_score: np.ndarray, valid_weight: np.ndarray,
    truth: np.ndarray, score: np.ndarray, weight: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Figures of a score on test, its threshold and probability curve taken from validation.

    precision = right yes / all yes; recall = right yes / all positives; F1 their harmonic mean;
    ``roc_auc`` = chance that a positive scores above a negative, ties half; ``pr_auc`` = average
    precision, mean over positives of the precision at their score; ``log_loss``, ``brier`` and
    ``ece`` of the probability: :mod:`finrec.evaluation.calibration`.
    """
    # Imported where needed: the library takes seconds to load.
    from sklearn.metrics import average_precision_score, roc_auc_score

    threshold = best_threshold(valid_truth, valid_score, valid_weight)
    slope, offset = calibration.platt(valid_truth, valid_score, valid_weight)
    chance = calibration.sigmoid(slope * score + offset)
    table = calibration.reliability(truth, chance, weight)
    both = 0 < truth.sum() < len(truth)
    nan = float("nan")
    return {
        **counts(truth, score >= threshold, weight),
        "roc_auc": float(roc_auc_score(truth, score, sample_weight=weight)) if both else nan,
        "pr_auc": (
            float(average_precision_score(truth, score, sample_weight=weight)) if both else nan
        ),
        "log_loss": calibration.log_loss(truth, chance, weight),
        "brier": calibration.brier(truth, chance, weight),
        "ece": calibration.ece(table),
        "threshold": threshold,
        "reliability": table.to_dict("list"),
    }


def _told(pairs: Pairs, chance: np.ndarray) -> dict[str, float]:
    table = calibration.reliability(pairs.truth, chance, pairs.weight)
    return {
        "log_loss": calibration.log_loss(pairs.truth, chance, pairs.weight),
        "brier": calibration.brier(pairs.truth, chance, pairs.weight),
        "ece": calibration.ece(table),
    }


def best_threshold(truth: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> float:
    """The score from which "yes" gives the highest F1; of equally good ones the highest."""
    given = np.ones(len(truth)) if weight is None else weight
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum((truth * given)[order])
    f1 = 2 * hits / (np.cumsum(given[order]) + (truth * given).sum())
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    return float(score[order][np.argmax(np.where(last_of_tie, f1, -1.0))])


def counts(
    truth: np.ndarray, yes: np.ndarray, weight: np.ndarray | None = None
) -> dict[str, float]:
    """Precision, recall and F1; 0 where nothing is said yes to, or nothing is true."""
    given = np.ones(len(truth)) if weight is None else weight
    hits, said, true = ((part * given).sum() for part in (truth & yes, yes, truth))
    precision = float(hits / said) if said else 0.0
    recall = float(hits / true) if true else 0.0
    total = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / total if total else 0.0,
    }
