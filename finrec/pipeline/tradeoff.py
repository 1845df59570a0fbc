"""What re-ranking costs and brings, measured on cases that the run has not learned from.

Those are the validation cases where a run was tested by leaving one out. A run that was tested by
time was fitted again on its validation period, so that only its test period is new to it; the
figures then say what re-ranking changes and are no second grade of the model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from finrec.evaluation import beyond
from finrec.evaluation.protocols import offered
from finrec.pipeline import answering
from finrec.pipeline.standing import margins, unseen
from finrec.schema import DESCRIPTION, NAME, PRODUCT
from finrec.serving import policy as rules
from finrec.serving import rerank
from finrec.serving.recommender import Recommender
from finrec.serving.rerank import Candidates, Weights
from finrec.split import Cases, FoldName, split
from finrec.training import calibrate

BATCH = 512
MOST = 5000  # cases for sliders; coverage is of lists of so many


def gather(
    run: str | Recommender, fold: FoldName | None = None, most: int | None = MOST
) -> tuple[Candidates, Cases]:
    """The candidates of held-out cases, drawn at random where there are more than ``most``."""
    recommender = answering.load(run) if isinstance(run, str) else run
    parts = split(recommender.dataset, recommender.run.settings.protocol)
    cases = parts.fold(fold or unseen(recommender)).cases
    if most is not None and len(cases) > most:
        cases = cases.take(np.sort(np.random.default_rng(0).permutation(len(cases))[:most]))
    margin = margins(recommender, rules.load())
    found = []
    for start in range(0, len(cases), BATCH):
        some = cases.take(np.arange(start, min(start + BATCH, len(cases))))
        may = offered(some, len(parts.catalogue), not parts.repeatable)
        chance = calibrate.probabilities(
            recommender.scorer.score(some.customers), may,
            recommender.run.provenance["temperature"],
        )  # fmt: skip
        found.append(rerank.candidates(chance, may, chance * margin))
    return rerank.joined(found), cases


def measured(
    lists: np.ndarray, cases: Cases, popularity: np.ndarray, products: pd.DataFrame,
    margin: np.ndarray,
) -> dict[str, float]:  # fmt: skip
    """NDCG, hit rate, coverage, evenness (1 - Gini), diversity, worth of hits; more is better."""
    k = lists.shape[1]
    rows = np.repeat(np.arange(len(cases)), np.diff(cases.offsets))
    here = lists[rows] == cases.relevant[:, None]  # [R, k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    gained = np.bincount(rows, weights=here @ discount, minlength=len(cases))
    number = np.minimum(np.diff(cases.offsets), k)
    ideal = np.cumsum(discount)[np.maximum(number, 1) - 1]
    hits = np.bincount(rows, weights=here.any(1), minlength=len(cases)) > 0
    paid = np.bincount(rows, weights=here.any(1) * margin[cases.relevant], minlength=len(cases))
    figures = beyond.figures(lists, popularity, products)
    return {
        f"ndcg@{k}": float((gained / ideal).mean()),
        f"hr@{k}": float(hits.mean()),
        "coverage": figures["coverage"],
        "evenness": 1 - figures["gini"],
        "diversity": figures["diversity"],
        "worth": float(paid.mean()),
    }


def trade_off(
    run: str | Recommender,
    k: int = 10,
    weights: Sequence[Weights] | None = None,
    fold: FoldName | None = None,
    most: int | None = MOST,
) -> pd.DataFrame:
    """Each setting of re-ranking with what it gave on held-out cases.

    Returns:
        One row a setting: value, variety, fewest, loss (the weights), the measures, ``front`` and
        ``ndcg_loss`` (relative to the first setting).
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    given, cases = gather(recommender, fold, most)
    table = recommender.catalogue.table
    features = rerank.alike(table, [str(c) for c in table if c not in (PRODUCT, NAME, DESCRIPTION)])
    parts = split(recommender.dataset, recommender.run.settings.protocol)
    index = parts.catalogue.index(parts.fold(fold or unseen(recommender)).train[PRODUCT])
    popularity = np.bincount(index[index >= 0], minlength=len(table))
    margin = margins(recommender, rules.load())
    frame = rerank.pareto(
        given, k, len(table), rerank.grid() if weights is None else weights,
        lambda lists: measured(lists, cases, popularity, table, margin), features,
    )  # fmt: skip
    base = frame[f"ndcg@{k}"].iloc[0]
    return frame.assign(ndcg_loss=1 - frame[f"ndcg@{k}"] / base if base else np.nan)
