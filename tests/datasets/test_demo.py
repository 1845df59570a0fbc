"""The demo bank: FPRT's shape, the same on every call, plausible, and worth learning from."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finrec import datasets, schema, snapshots
from finrec.datasets import demo
from finrec.split import Cases, Split, split


@pytest.fixture(scope="module")
def bank() -> schema.Dataset:
    return demo.load()


def test_has_exactly_the_shape_of_fprt(bank: schema.Dataset) -> None:
    assert len(bank.customers) == 10_000
    assert list(bank.customers) == [
        "customer_id", "age", "gender", "income", "occupation", "education", "marital_status",
    ]  # fmt: skip
    assert len(bank.products) == 100
    assert list(bank.products) == [
        "product_id", "name", "description", "type", "term", "interest_rate", "risk", "return",
    ]  # fmt: skip
    assert len(bank.events) == 20_000
    assert bank.info.generated and "generated" in bank.info.title
    assert schema.validated(bank) is bank
    assert "demo" in datasets.sources()


def test_values_are_plausible(bank: schema.Dataset) -> None:
    customers, products, events = bank.customers, bank.products, bank.events
    assert customers["age"].between(18, 95).all()
    assert customers["income"].dropna().between(3_000, 400_000).all()
    assert 0.01 < customers["income"].isna().mean() < 0.03
    assert customers.set_index("occupation").loc["retired", "age"].min() >= 55
    assert products["risk"].between(1, 7).all() and set(products["risk"]) == set(range(1, 8))
    assert products["term"].between(0, 480).all()
    assert products["interest_rate"].between(0, 8).all() and products["return"].between(0, 8).all()
    assert set(events["kind"]) == {schema.ACQUIRED}
    assert events["time"].between("2023-01-01", "2024-12-31 23:59").all()
    assert events["time"].is_monotonic_increasing
    assert (events["amount"] > 0).all()


def test_products_read_like_leaflets(bank: schema.Dataset) -> None:
    products = bank.products
    assert products["name"].is_unique and products["description"].is_unique
    for text in products["description"]:
        sentences = re.split(r"(?<=\.)\s+", text)
        assert len(sentences) == 2, text
        assert all(re.fullmatch(r"[A-Z][^.]{20,}\.", s) for s in sentences), text


def test_same_seed_same_bytes_other_seed_other_bank(bank: schema.Dataset) -> None:
    again, other = demo.generate(seed=7), demo.generate(seed=8)
    for name, table in bank.tables().items():
        assert table.to_csv().encode() == again.tables()[name].to_csv().encode()
        pd.testing.assert_frame_equal(table, again.tables()[name])
    assert not other.events.equals(bank.events) and not other.customers.equals(bank.customers)


def test_becomes_the_same_snapshot_each_time() -> None:
    small = [demo.generate(seed=1, customers=200, products=30, purchases=300) for _ in range(2)]
    first, second = (snapshots.write(d) for d in small)
    assert first.ref == second.ref
    assert first.load().info == demo.INFO


def test_nobody_takes_a_product_twice(bank: schema.Dataset) -> None:
    assert not bank.events.duplicated(["customer_id", "product_id"]).any()
    ordered = bank.events.sort_values(["customer_id", "time", "order"])
    numbered = ordered.groupby("customer_id").cumcount()
    assert (ordered["order"] == numbered).all()


def test_purchases_are_skewed_over_customers_and_products(bank: schema.Dataset) -> None:
    each = bank.events["customer_id"].value_counts()
    cold = 1 - len(each) / len(bank.customers)
    assert 0.2 < cold < 0.45
    assert 10 <= each.max() <= 15
    popularity = bank.events["product_id"].value_counts(normalize=True)
    assert len(popularity) == 100 and popularity.head(20).sum() > 0.4
    assert popularity.tail(30).sum() < 0.12


def test_split_dates_leave_enough_to_validate_and_test(bank: schema.Dataset) -> None:
    valid_from, test_from = map(pd.Timestamp, bank.info.split)
    times = bank.events["time"]
    assert 0.08 <= ((times >= valid_from) & (times < test_from)).mean() <= 0.10
    assert 0.08 <= (times >= test_from).mean() <= 0.10


def test_products_are_launched_late_and_sold_only_then(bank: schema.Dataset) -> None:
    listed = demo.catalogue().set_index("product_id")
    launched = pd.to_datetime(listed.loc[listed["launched"] != "", "launched"])
    assert (launched >= "2024-07-01").sum() >= 3
    assert (launched >= bank.info.split[1]).any()  # one that no model can have seen
    first = bank.events.groupby("product_id")["time"].min()
    assert (first[launched.index] >= launched).all()


def test_links_are_between_customers_and_stand_once(bank: schema.Dataset) -> None:
    links, ids = bank.links, set(bank.customers["customer_id"])
    assert set(links["kind"]) == {"household", "referral"} and len(links) > 2_000
    assert set(links["source"]) <= ids and set(links["target"]) <= ids
    assert (links["source"] != links["target"]).all()
    pairs = {frozenset(pair) for pair in zip(links["source"], links["target"], strict=True)}
    assert len(pairs) == len(links)
    assert links["weight"].between(0, 1, inclusive="right").all()


def _copied(bank: schema.Dataset, target: np.ndarray) -> int:
    """Purchases repeated by the other end of a link within six weeks."""
    links = pd.DataFrame({"source": bank.links["source"], "target": target})
    bought = bank.events[["customer_id", "product_id", "time"]]
    both = links.merge(bought, left_on="source", right_on="customer_id").merge(
        bought, left_on=["target", "product_id"], right_on=["customer_id", "product_id"]
    )
    return int(((both["time_x"] - both["time_y"]).abs() <= pd.Timedelta(days=42)).sum())


def test_linked_customers_take_the_same_soon_after(bank: schema.Dataset) -> None:
    shuffled = np.random.default_rng(0).permutation(bank.links["target"].to_numpy())
    assert _copied(bank, bank.links["target"].to_numpy()) > 3 * _copied(bank, shuffled)


def _share(bank: schema.Dataset, products: pd.Series, months: list[int]) -> float:
    inside = bank.events[bank.events["time"].dt.month.isin(months)]
    return float(inside["product_id"].isin(products).mean())


def test_seasons_show(bank: schema.Dataset) -> None:
    listed = demo.catalogue()
    for segment, high, low in (
        ("pension_topup", [11, 12], [3, 4, 5]),
        ("travel", [6, 7], [11, 1, 2]),
        ("car", [11], [3, 4, 5]),
    ):
        products = listed.loc[listed["segment"] == segment, "product_id"]
        assert _share(bank, products, high) > 2 * _share(bank, products, low), segment


def test_risk_appetite_and_stage_of_life_show(bank: schema.Dataset) -> None:
    seen = bank.events.merge(bank.customers, on="customer_id").merge(bank.products, on="product_id")
    funds = seen[seen["type"] == "fund"]
    age = funds.groupby(pd.cut(funds["age"], [17, 35, 55, 99]), observed=True)["risk"].mean()
    assert age.is_monotonic_decreasing
    income = funds.dropna(subset="income").groupby(pd.qcut(funds["income"], 3), observed=True)
    assert income["risk"].mean().is_monotonic_increasing
    accounts = seen[seen["name"] == "Campus Account"]
    assert accounts["age"].max() < 30 and len(accounts) > 50


def test_a_matured_deposit_is_followed_by_another_or_a_bond(bank: schema.Dataset) -> None:
    kinds = bank.products.set_index("product_id")["type"]
    terms = bank.products.set_index("product_id")["term"]
    events = bank.events.sort_values(["customer_id", "order"])
    events = events.assign(
        type=events["product_id"].map(kinds), term=events["product_id"].map(terms)
    )
    after = events.groupby("customer_id").shift(-1)
    gap = (after["time"] - events["time"]).dt.days - events["term"] * 30.44
    matured = (events["type"] == "term deposit") & gap.between(0, 30)
    again = after.loc[matured, "type"].isin(["term deposit", "bond"]).mean()
    usual = events["type"].isin(["term deposit", "bond"]).mean()
    assert matured.sum() > 50 and again > 2 * usual


def _hit_rate(cases: Cases, scores: np.ndarray, k: int = 5) -> float:
    """HR@k of [C, N] scores with the history masked."""
    scores = scores.copy()
    for row in range(len(cases)):
        start, end = cases.customers.offsets[row : row + 2]
        scores[row, cases.customers.products[start:end]] = -np.inf
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.take_along_axis(cases.relevance(scores.shape[1]), top, axis=1).any(1).mean())


@pytest.fixture(scope="module")
def parts(bank: schema.Dataset) -> Split:
    return split(bank)


def test_popularity_is_neither_useless_nor_enough(parts: Split) -> None:
    cases = parts.test.cases
    popular = np.bincount(parts.catalogue.index(parts.test.train["product_id"]), minlength=100)
    rate = _hit_rate(cases, np.tile(popular.astype(float), (len(cases), 1)))
    assert 0.15 < rate < 0.35


def test_knowing_the_customer_beats_popularity(bank: schema.Dataset, parts: Split) -> None:
    cases, train = parts.test.cases, parts.test.train
    index = parts.catalogue.index(train["product_id"])
    popular = np.bincount(index, minlength=100).astype(float)
    band = pd.Series(
        np.digitize(bank.customers["age"], [23, 27, 32, 38, 45, 52, 58, 63, 70]),
        index=bank.customers["customer_id"],
    )
    by_age = np.tile(20 * popular / popular.sum(), (10, 1))
    np.add.at(by_age, (band[train["customer_id"]].to_numpy(), index), 1.0)
    plain = _hit_rate(cases, np.tile(popular, (len(cases), 1)))
    known = _hit_rate(cases, by_age[band[cases.customers.ids].to_numpy()])
    assert known > plain + 0.05


def test_what_was_taken_last_beats_popularity(parts: Split) -> None:
    cases, train = parts.test.cases, parts.test.train
    warm = np.flatnonzero(np.diff(cases.customers.offsets) > 0)
    cases = cases.take(warm)
    popular = np.bincount(parts.catalogue.index(train["product_id"]), minlength=100).astype(float)
    ordered = train.sort_values(["customer_id", "order"])
    follows = np.tile(10 * popular / popular.sum(), (100, 1))
    pairs = ordered.assign(then=ordered.groupby("customer_id")["product_id"].shift(-1)).dropna()
    rows, columns = (parts.catalogue.index(pairs[c]) for c in ("product_id", "then"))
    np.add.at(follows, (rows, columns), 1.0)
    last = cases.customers.products[cases.customers.offsets[1:] - 1]
    scores = follows / follows.sum(1, keepdims=True)
    plain = _hit_rate(cases, np.tile(popular, (len(cases), 1)))
    assert _hit_rate(cases, scores[last]) > plain + 0.01


def test_other_sizes_and_seeds(tmp_path: Path) -> None:
    small = demo.generate(seed=0, customers=50, products=8, purchases=120)
    assert (len(small.customers), len(small.products), len(small.events)) == (50, 8, 120)
    assert not small.events.duplicated(["customer_id", "product_id"]).any()
    assert len(demo.generate(customers=5, products=3, purchases=0).events) == 0
    (tmp_path / "seed.txt").write_text("12\n")
    read, made = demo.load(tmp_path / "seed.txt"), demo.generate(seed=12)
    pd.testing.assert_frame_equal(read.events, made.events)


def test_impossible_sizes_and_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(schema.DataError, match="100 products, not 101"):
        demo.generate(products=101)
    with pytest.raises(schema.DataError, match="too many"):
        demo.generate(customers=10, purchases=200)
    with pytest.raises(schema.DataError, match="at least one"):
        demo.generate(customers=0)
    (tmp_path / "seed.txt").write_text("-1")
    with pytest.raises(schema.DataError, match="holds no seed"):
        demo.load(tmp_path / "seed.txt")
    with pytest.raises(schema.DataError, match="can't be read as a seed"):
        demo.load(tmp_path)


def test_a_missing_catalogue_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CATALOGUE", tmp_path / "none.csv")
    with pytest.raises(schema.DataError, match="none.csv is missing"):
        demo.generate(customers=1, purchases=0)
