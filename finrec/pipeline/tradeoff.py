"""What re-ranking costs and brings, measured on validation cases that the run had not learned from.

Choosing a setting by these figures leaves the test cases untouched.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from finrec.evaluation import beyond
from finrec.pipeline import answering
from finrec.pipeline.foretold import MOST, Foretold, foretell, kept
from finrec.pipeline.standing import margins
from finrec.schema import DESCRIPTION, NAME, PRODUCT, DataError
from finrec.serving import policy as rules
from finrec.serving import rerank
from finrec.serving.recommender import Recommender
from finrec.serving.rerank import Candidates, Weights
from finrec.split import Split, split


def gather(recommender: Recommender, parts: Split, most: int | None = MOST) -> Foretold:
    """What the run foretold of its validation cases, at most so many (None: all there are).

    A run tested by leaving one out has never learned from them and is asked anew; one tested by
    time has, so that what it kept beforehand is taken.

    Raises:
        DataError: when such a run kept nothing.
    """
    run = recommender.run
    if run.settings.protocol == "R1":
        return foretell(
            recommender.scorer, parts.valid.cases, len(parts.catalogue), parts.repeatable,
            run.provenance["temperature"], most,
        )  # fmt: skip
    found = kept(run)
    if found is None:
        raise DataError(
            f"Run {run.id} was trained before finrec kept what is foretold of validation cases, "
            "and it has learned from them since; train it again to see what re-ranking costs."
        )
    return found


def measured(
    lists: np.ndarray, cases: Foretold, popularity: np.ndarray, products: pd.DataFrame,
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
    most: int | None = MOST,
) -> pd.DataFrame:
    """Each setting of re-ranking with what it gave on validation cases.

    Returns:
        One row a setting: value, variety, fewest, loss (the weights), the measures, ``front`` and
        ``ndcg_loss`` (relative to the first setting).

    Raises:
        DataError: when a run by time kept nothing of its validation cases.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    parts = split(recommender.dataset, recommender.run.settings.protocol)
    cases = gather(recommender, parts, most)
    table = recommender.catalogue.table
    features = rerank.alike(table, [str(c) for c in table if c not in (PRODUCT, NAME, DESCRIPTION)])
    index = parts.catalogue.index(parts.valid.train[PRODUCT])
    popularity = np.bincount(index[index >= 0], minlength=len(table))
    margin = margins(recommender, rules.load())
    worth = np.where(cases.index < 0, 0, cases.chance * margin[cases.index]).astype(np.float32)
    given = Candidates(cases.index.astype(np.int64), cases.chance, worth)
    frame = rerank.pareto(
        given, k, len(table), rerank.grid() if weights is None else weights,
        lambda lists: measured(lists, cases, popularity, table, margin), features,
    )  # fmt: skip
    base = frame[f"ndcg@{k}"].iloc[0]
    return frame.assign(ndcg_loss=1 - frame[f"ndcg@{k}"] / base if base else np.nan)
