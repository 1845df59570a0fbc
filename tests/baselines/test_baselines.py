"""What every method must do: learn the checkerboard, stay finite, serve strangers, not leak."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from finrec.baselines import METHODS
from finrec.baselines.markov import Markov
from finrec.baselines.popularity import Popularity
from finrec.schema import PRODUCT, TIME, Dataset, DatasetInfo
from finrec.scorer import cohort
from finrec.split import split

# Of the checkerboard only what was taken together tells the colours apart.
PERSONAL = ("markov", "itemcf", "naive_bayes", "ease", "sasrec", "lightgcn", "slope_one_trust",
            "ips_mf", "doubly_robust", "gru4rec", "neumf", "dlrm", "time_cf_cuckoo")  # fmt: skip
LEARNED = ("boosting", "sasrec", "robo_advisor", "gru4rec", "dlrm")
EVERY = tuple(METHODS)


def checkerboard(n: int = 10) -> Dataset:
    """Even customers take even products, odd ones odd, each all but its own number."""
    rows = []
    rng = np.random.default_rng(0)
    for copy in range(30):
        for customer in range(n):
            own = [p for p in range(n) if p % 2 == customer % 2 and p != customer]
            for place, product in enumerate(rng.permutation(own)):
                rows.append((f"{copy}-{customer}", f"P{product}", place))
    events = pd.DataFrame(rows, columns=["customer_id", "product_id", "order"])
    events["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(events["order"], unit="D")
    events["kind"], events["amount"] = "acquired", np.nan
    ids = pd.Series([f"P{p}" for p in range(n)], dtype="str")
    products = pd.DataFrame({"product_id": ids, "name": ids, "description": ""})
    customers = pd.DataFrame({"customer_id": events["customer_id"].drop_duplicates()})
    last = pd.DataFrame(  # one case of each fold, so that the split is one
        {
            "customer_id": ["valid", "test"], "product_id": ["P0", "P0"], "order": [0, 0],
            "time": pd.to_datetime(["2024-03-01", "2024-04-01"]), "kind": "acquired",
            "amount": np.nan,
        }
    )  # fmt: skip
    info = DatasetInfo(name="board", title="Board", split=("2024-02-01", "2024-03-15"), ks=(1,))
    everything = pd.concat([events, last], ignore_index=True)
    return Dataset(info, customers, products, everything)


@pytest.mark.parametrize("name", PERSONAL)
def test_the_withheld_product_of_the_checkerboard_comes_first(name):
    board = checkerboard()
    cut = split(board)
    method = METHODS[name].build().fit(cut.valid, cut, np.random.default_rng(0))
    people = [f"0-{c}" for c in range(10)]
    customers = cohort(people, cut.valid.train, board.customers, cut.catalogue, cut.valid.until)
    scores = np.where(customers.seen(10), -np.inf, method.score(customers))
    assert np.argmax(scores, axis=1).tolist() == list(range(10))


@pytest.mark.parametrize("name", EVERY)
def test_scores_are_finite_float32_and_strangers_get_what_is_popular(name, small_dataset):
    cut = split(small_dataset)
    method = METHODS[name].build().fit(cut.test, cut, np.random.default_rng(0))
    scores = method.score(cut.test.cases.customers)
    assert scores.dtype == np.float32 and np.isfinite(scores).all()
    assert scores.shape == (len(cut.test.cases), len(cut.catalogue))
    stranger = cohort(
        ["nobody"], cut.test.train.iloc[:0], cut.customers, cut.catalogue, cut.test.until
    )
    found = method.score(stranger)[0]
    days = getattr(method, "days", None)
    popular = Popularity(days).fit(cut.test, cut).counts
    if name in LEARNED:  # what a stranger takes first is learned, so it need not be the very top
        assert popular[np.argmax(found)] > 0.75 * popular.max()  # one product nobody has
    else:
        assert popular[np.argmax(found)] == popular.max()


@pytest.mark.parametrize("name", EVERY)
def test_what_is_held_out_changes_nothing_that_is_learned(name, small_dataset):
    cut = split(small_dataset)
    events = small_dataset.events.copy()
    later = events[TIME] >= pd.Timestamp("2024-07-01")
    shuffled = np.random.default_rng(1).permutation(events.loc[later, PRODUCT])
    events.loc[later, PRODUCT] = shuffled
    other = split(replace(small_dataset, events=events))
    one, two = (
        METHODS[name].build().fit(c.valid, c, np.random.default_rng(0)) for c in (cut, other)
    )
    customers = cut.valid.cases.customers
    assert one.score(customers).tobytes() == two.score(customers).tobytes()


def test_markov_by_hand(small_dataset):
    cut = split(small_dataset)
    method = Markov(weight=4.0, days=None).fit(cut.valid, cut)
    customers = cut.valid.cases.customers.take([0])
    latest = customers.products[-1]
    counts = method.transitions[latest].toarray()[0]
    popular = cut.valid.train[PRODUCT].value_counts().reindex(cut.catalogue.ids).fillna(0)
    prior = (popular + 1e-6) / (popular + 1e-6).sum()
    expected = (counts + 4 * prior.to_numpy()) / (counts.sum() + 4)
    np.testing.assert_allclose(method.score(customers)[0], expected, rtol=1e-4)
