"""Protocol P: precision, recall and F1 of yes/no answers about customer-product pairs.

Each held-out acquisition stands beside one product that the customer did not acquire, drawn
uniformly with a frozen seed. The threshold is chosen on validation and then frozen. These figures
say how well acquisitions are told from random products, not how good recommendations are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from finrec.scorer import Scorer
from finrec.split import Cases, FoldName, Split


def evaluate(scorer_for: Callable[[FoldName], Scorer], split: Split, seed: int) -> dict[str, Any]:
    """Precision, recall, F1, ROC-AUC and PR-AUC on the test pairs, uniform negatives 1:1."""
    # Imported where needed: the library takes seconds to load.
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth, score = pairs(scorer_for("valid"), split.valid.cases, seed)
    threshold = best_threshold(truth, score)
    truth, score = pairs(scorer_for("test"), split.test.cases, seed + 1)
    yes = score >= threshold
    positives = truth.sum()
    return {
        "variant": "uniform negatives, 1:1",
        "threshold_from": "validation",
        **_counts(truth, yes),
        "roc_auc": float(roc_auc_score(truth, score)),
        "pr_auc": float(average_precision_score(truth, score)),
        "pairs": len(truth),
        "always_yes": _counts(truth, np.ones_like(yes)),
        "positives": int(positives),
    }


def pairs(scorer: Scorer, cases: Cases, seed: int, batch: int = 1024) -> tuple[np.ndarray, ...]:
    """Truth (bool) and score of each pair, positives and negatives alternating.

    A score is the product's place in the customer's own score distribution (standardised), so
    that one threshold serves all customers.
    """
    rng = np.random.default_rng(seed)
    truths, scores = [], []
    for start in range(0, len(cases), batch):
        part = cases.take(np.arange(start, min(start + batch, len(cases))))
        table = scorer.score(part.customers).astype(np.float64)
        table -= table.mean(1, keepdims=True)
        table /= np.maximum(table.std(1, keepdims=True), 1e-12)
        n = table.shape[1]
        taken = part.relevance(n) | part.customers.seen(n)
        rows = np.repeat(np.arange(len(part)), np.diff(part.offsets))
        free = ~taken if part.allowed is None else ~taken & part.allowed
        keep = free.any(1)[rows]
        rows, relevant = rows[keep], part.relevant[keep]
        negative = np.argmax(np.where(free[rows], rng.random((len(rows), n)), -1.0), axis=1)
        scores.append(np.stack([table[rows, relevant], table[rows, negative]], 1).ravel())
        truths.append(np.tile([True, False], len(rows)))
    return np.concatenate(truths), np.concatenate(scores)


def best_threshold(truth: np.ndarray, score: np.ndarray) -> float:
    """The score from which "yes" gives the highest F1."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(truth) + 1) + truth.sum())
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    return float(score[order][np.argmax(np.where(last_of_tie, f1, -1.0))])


def _counts(truth: np.ndarray, yes: np.ndarray) -> dict[str, float]:
    hits = float((truth & yes).sum())
    precision, recall = hits / max(yes.sum(), 1), hits / max(truth.sum(), 1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
    }
