"""Ranking metrics against torch_geometric's and ranx's, on random lists."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric import metrics as theirs

from finrec.evaluation import metrics

CASES, PRODUCTS, KS = 60, 30, (1, 3, 7, 10)


@pytest.fixture(scope="module")
def lists() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores without ties, which products may be offered, and what was acquired."""
    rng = np.random.default_rng(5)
    scores = rng.permuted(np.tile(np.arange(PRODUCTS, dtype=float), (CASES, 1)), axis=1)
    allowed = rng.random((CASES, PRODUCTS)) < 0.9
    truth = (rng.random((CASES, PRODUCTS)) < 0.15) & allowed
    truth[np.arange(CASES), allowed.argmax(1)] |= ~truth.any(1)
    return scores, allowed, truth


@pytest.fixture(scope="module")
def ours(lists: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Our metrics of each case."""
    scores, allowed, truth = lists
    rows, relevant = np.nonzero(truth)
    rank = metrics.ranks(scores, allowed, rows, relevant)
    offsets = np.concatenate([[0], np.cumsum(truth.sum(1))])
    found = metrics.per_case(rank, offsets, KS)
    return {str(name): found[name].to_numpy() for name in found.columns}


@pytest.mark.parametrize("k", KS)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("hr", theirs.LinkPredHitRatio),
        ("precision", theirs.LinkPredPrecision),
        ("recall", theirs.LinkPredRecall),
        ("f1", theirs.LinkPredF1),
        ("map", theirs.LinkPredMAP),
        ("ndcg", theirs.LinkPredNDCG),
        ("mrr", theirs.LinkPredMRR),
    ],
)
def test_means_equal_those_of_torch_geometric(lists, ours, name: str, kind, k: int) -> None:
    scores, allowed, truth = lists
    order = np.argsort(-np.where(allowed, scores, -np.inf), axis=1)[:, :k]
    metric = kind(k)
    metric.update(torch.from_numpy(order), torch.from_numpy(np.stack(np.nonzero(truth))))
    found = float(metric.compute())
    mine = ours[f"{name}@{k}"]
    if name == "f1":  # theirs is the harmonic mean of the two means over cases, or of each case
        p, r = ours[f"precision@{k}"], ours[f"recall@{k}"]
        each = np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)
        assert mine == pytest.approx(each)
        assert found == pytest.approx(each.mean(), abs=1e-6)
    else:
        assert found == pytest.approx(mine.mean(), abs=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_each_case_equals_ranx(lists, ours) -> None:
    import ranx  # compiles for half a minute

    scores, allowed, truth = lists
    qrels = {f"q{c}": {f"d{p}": 1 for p in np.flatnonzero(truth[c])} for c in range(CASES)}
    run = {
        f"q{c}": {f"d{p}": float(scores[c, p]) for p in np.flatnonzero(allowed[c])}
        for c in range(CASES)
    }
    names = {"hit_rate": "hr", "precision": "precision", "recall": "recall", "f1": "f1",
             "mrr": "mrr", "ndcg": "ndcg", "map": "map"}  # fmt: skip
    asked = [f"{n}@{k}" for n in names for k in KS] + ["mrr"]
    found = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), asked, return_mean=False)
    order = [f"q{c}" for c in range(CASES)]
    keys = list(ranx.Qrels(qrels).keys())
    place = [keys.index(q) for q in order]
    n = truth.sum(1)
    for metric in asked:
        name, _, k = metric.partition("@")
        mine = ours[f"{names[name]}@{k}" if k else name]
        if name == "map":  # ranx divides by all that is relevant, Kaggle by what fits the list
            mine = mine * np.minimum(int(k), n) / n
        assert np.asarray(found[metric])[place] == pytest.approx(mine), metric
