"""What was given up, or only seen as held, is not counted as taken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finrec.baselines import METHODS
from finrec.baselines.popularity import Popularity
from finrec.schema import Dataset, DatasetInfo
from finrec.scorer import cohort
from finrec.split import Split, split


def churning() -> Split:
    """Everybody takes P0 and gives it up, most take P1 then; some hold P2 from the beginning."""
    rows = []
    for customer in range(60):
        steps = [("P0", "acquired", 10), ("P0", "dropped", 20)]
        steps += [("P1", "acquired", 30)] if customer < 50 else []
        steps += [("P2", "held", 0)] if customer < 40 else []
        steps += [("P3", "acquired", 40)] if customer < 20 else []
        start = pd.Timestamp("2024-01-01") + pd.Timedelta(days=customer)
        rows += [(str(customer), p, k, start + pd.Timedelta(days=d)) for p, k, d in steps]
    rows += [("valid", "P0", "acquired", pd.Timestamp("2024-06-01")),
             ("test", "P0", "acquired", pd.Timestamp("2024-07-01"))]  # fmt: skip
    events = pd.DataFrame(rows, columns=["customer_id", "product_id", "kind", "time"])
    events = events.sort_values("time", kind="stable").reset_index(drop=True)
    events["order"], events["amount"] = np.arange(len(events)), np.nan
    ids = pd.Series([f"P{i}" for i in range(5)], dtype="str")
    products = pd.DataFrame({"product_id": ids, "name": ids, "description": ""})
    customers = pd.DataFrame({"customer_id": events["customer_id"].drop_duplicates()})
    info = DatasetInfo("churn", "Churn", split=("2024-06-01", "2024-07-01"), ks=(1,))
    return split(Dataset(info, customers, products, events))


def test_popularity_counts_what_was_taken() -> None:
    parts = churning()
    ever = Popularity().fit(parts.valid, parts).counts
    assert np.floor(ever).tolist() == [60, 50, 0, 20, 0]
    assert 0 < ever[2] < 1, "held products come before those that nobody has"
    late = Popularity(days=400).fit(parts.valid, parts).counts
    assert np.floor(late).tolist() == [60, 50, 0, 20, 0]


@pytest.mark.parametrize("name", ["markov", "naive_bayes", "sasrec", "gru4rec"])
def test_what_follows_is_what_is_taken_next(name: str) -> None:
    parts = churning()
    method = METHODS[name].build().fit(parts.valid, parts, np.random.default_rng(0))
    took = parts.valid.train.query("kind == 'acquired' and product_id == 'P0'").head(5)
    people = cohort(
        took["customer_id"].to_numpy(), took, parts.customers, parts.catalogue, parts.valid.until
    )
    scores = method.score(people)
    assert (scores[:, 1] > scores[:, 0]).all(), "P0 follows itself only by being given up"
