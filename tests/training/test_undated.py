"""Histories of one moment: what is held together is learned all the same."""

import numpy as np
import pandas as pd

from finrec.features import sequences
from finrec.features.profile import Profile
from finrec.presets import settings
from finrec.schema import Dataset, DatasetInfo
from finrec.scorer import Catalogue, cohort
from finrec.split import split
from finrec.training import assemble, fit

DAY = pd.Timestamp("2024-01-31")


def pairs(people: int = 400) -> Dataset:
    """Customers who hold two of ten pairs of products, one of the four held out."""
    rng = np.random.default_rng(0)
    rows = []
    for customer in range(people):
        first, second = rng.choice(10, 2, replace=False)
        held = np.array([2 * first, 2 * first + 1, 2 * second, 2 * second + 1])
        hidden = rng.integers(4)
        fold = "valid" if customer % 2 else "test"
        rows += [
            (f"C{customer:03}", f"P{p:02}", "train" if i != hidden else fold)
            for i, p in enumerate(rng.permutation(held))
        ]
    events = pd.DataFrame(rows, columns=["customer_id", "product_id", "fold"])
    events = events.assign(time=DAY, kind="other", amount=np.nan, order=range(len(events)))
    products = pd.DataFrame({"product_id": [f"P{p:02}" for p in range(20)]})
    products = products.assign(name=products["product_id"], description="")
    customers = pd.DataFrame({"customer_id": sorted(set(events["customer_id"]))})
    info = DatasetInfo(name="pairs", title="Pairs", protocol="R2", ks=(1, 3), repeatable=False)
    return Dataset(info, customers, products, events)


def test_the_other_half_of_a_pair_is_found_without_dates():
    dataset = pairs()
    asked = settings(
        dataset.info, "pairs@0", "quick", "baseline", 0, "cpu",
        {"width": 32, "layers": 1, "heads": 2}, {"epochs": 25, "batch": 64},
    )  # fmt: skip
    assert asked.train.baskets
    parts = split(dataset)
    given, histories = assemble.inputs(parts, "test", asked)
    scorer = fit.fit(given, histories, asked, None, epochs=25).scorer
    cases = parts.test.cases
    scores = scorer.score(cases.customers)
    scores[cases.customers.rows(), cases.customers.products] = -np.inf
    # Asked for together, before the first, they would be right one time in 17.
    assert (scores.argmax(1) == cases.relevant).mean() > 0.4


def encoded(days):
    events = pd.DataFrame(
        {"customer_id": ["A"] * len(days), "product_id": "P", "kind": "other", "amount": np.nan,
         "time": pd.to_datetime("2024-01-01") + pd.to_timedelta(days, unit="D"),
         "order": range(len(days))}
    )  # fmt: skip
    products = pd.DataFrame({"product_id": ["P"], "name": ["P"], "description": [""]})
    people = pd.DataFrame({"customer_id": ["A"]})
    one = cohort(["A"], events, people, Catalogue(products), pd.Timestamp("2025-01-01"))
    return sequences.encode(one, Profile())


def test_time_orders_events_where_enough_have_something_before_them():
    assert sequences.ordered(encoded([0]))
    assert sequences.ordered(encoded([0, 1]))
    assert not sequences.ordered(encoded([3, 3, 3]))
    assert sequences.ordered(encoded([0] * 19 + [1])), "one of 19 is more than 5 %"
    assert not sequences.ordered(encoded([0] * 40 + [1]))
