"""When to offer: abstention holds its promise, activity is what was seen, triggers by hand."""

import numpy as np
import pandas as pd
import pytest

from finrec.scorer import Catalogue, cohort
from finrec.serving import abstain, triggers
from finrec.serving.worth import Activity, worth

NOW = pd.Timestamp("2024-06-30")


def test_curve_counts_what_lies_above_each_threshold():
    found = abstain.curve(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, False, True, False]))
    assert found["threshold"].tolist() == [0.9, 0.5, 0.1]
    assert found["cases"].tolist() == [1, 3, 4]
    assert found["precision"].tolist() == pytest.approx([1, 2 / 3, 0.5])
    assert (found["low"] < found["precision"]).all()


def test_promised_precision_is_missed_at_most_as_often_as_said():
    missed = used = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        p = rng.beta(2, 5, 400)
        fitted = abstain.fit(p, rng.random(400) < p, target=0.4, delta=0.1)
        if fitted.threshold is not None:
            used += 1
            grid = np.random.default_rng(0).beta(2, 5, 200_000)
            missed += grid[grid >= fitted.threshold].mean() < 0.4
    assert used > 100, "it offers where it can"
    assert missed / 200 <= 0.1


def test_no_threshold_can_reach_what_the_model_can_not():
    rng = np.random.default_rng(0)
    p = rng.random(500)
    fitted = abstain.fit(p, rng.random(500) < 0.1, target=0.5)
    allowed = np.array([[True, True], [False, False]])
    assert fitted.threshold is None
    assert fitted.decide(np.full((2, 2), 0.9), allowed).tolist() == [3, 1]
    assert "50%" in fitted.sentence(3, 0.9)


def test_each_customer_without_an_offer_has_a_reason():
    fitted = abstain.Abstention(0.3, 0.4, 0.5, 0.42, 0.6, 100)
    p = np.array([[0.5, 0.1], [0.5, 0.1], [0.2, 0.1]])
    allowed = np.array([[True, True], [False, False], [True, True]])
    assert fitted.decide(p, allowed).tolist() == [0, 1, 2]
    assert fitted.sentence(0, 0.5) == ""
    assert "20.0%" in fitted.sentence(2, 0.2) and "policy" in fitted.sentence(1, 0.0)


def crowd(rows, asof=NOW):
    events = pd.DataFrame(rows, columns=["customer_id", "product_id", "time", "kind", "amount"])
    events["time"] = pd.to_datetime(events["time"])
    events["order"] = range(len(events))
    products = pd.DataFrame(
        {"product_id": ["D", "F"], "name": ["Deposit", "Fund"], "description": "", "term": [6, 0]}
    )
    customers = pd.DataFrame({"customer_id": sorted(set(events["customer_id"]))})
    catalogue = Catalogue(products)
    people = cohort(customers["customer_id"].to_numpy(), events, customers, catalogue, asof)
    return people, events, customers, products


def test_activity_is_the_share_that_came_back():
    rows = []
    for i in range(400):  # all came a year ago; every fourth again in the last 90 days
        rows.append((f"C{i:03}", "D", "2023-12-01", "acquired", 1.0))
        if i % 4 == 0:
            rows.append((f"C{i:03}", "F", "2024-06-01", "acquired", 1.0))
    people, *_ = crowd(rows)
    fitted = Activity.fit(people, 90)
    assert fitted.overall == pytest.approx(0.25)
    before = people.take(np.arange(1, 4))
    assert np.ptp(fitted.chance(before)) == 0
    assert np.allclose(fitted.rates, 0.25, atol=1e-9)


def test_activity_follows_recency_and_is_tempered_where_little_was_seen():
    rng = np.random.default_rng(0)
    rows = []
    for i in range(3000):
        fresh = i % 2 == 0
        rows.append((f"C{i:04}", "D", "2024-03-20" if fresh else "2022-01-01", "acquired", 1.0))
        if rng.random() < (0.4 if fresh else 0.1):
            rows.append((f"C{i:04}", "F", "2024-05-01", "acquired", 1.0))
    people, *_ = crowd(rows)
    fitted = Activity.fit(people, 90)
    fresh, old = fitted.rates[0, 1], fitted.rates[5, 0]
    assert fresh == pytest.approx(0.4, abs=0.04) and old == pytest.approx(0.1, abs=0.04)
    assert fitted.rates[3, 3] == pytest.approx(fitted.overall)  # nobody there


def test_where_nobody_ever_comes_back_that_is_said():
    people, *_ = crowd([("A", "D", "2023-12-01", "acquired", 1.0)])
    fitted = Activity.fit(people, 90)
    assert not fitted.measured and fitted.chance(people).tolist() == [1.0]


def test_worth_by_hand():
    p = np.array([[0.5, 0.1]])
    assert worth(p, np.array([10.0, 100.0])).tolist() == [[5.0, 10.0]]
    tired = worth(
        p, np.array([10.0, 100.0]), offered=np.array([2]), fatigue=0.5,
        alike=np.array([[0, 1]]), saturation=0.5, lifetime=np.array([10.0, 0.0]),
    )  # fmt: skip
    assert tired.tolist() == [[0.5 * 0.25 * 20, 0.1 * 0.25 * 0.5 * 100]]
    saved = worth(
        p, np.array([10.0, 100.0]), alike=np.array([[3, 1]]), saturation=0.5,
        family=np.array([1, 1]),
    )  # fmt: skip
    assert saved.tolist() == [[0.5 * 0.5 * 10, 0.1 * 0.5 * 100]]


def no_past():
    return pd.DataFrame(columns=["customer_id", "product_id", "kind", "time", "undone"])


def test_triggers_by_hand():
    rows = [
        ("A", "D", "2024-01-15", "acquired", 5000.0),  # six months later: 15 July
        ("B", "D", "2024-01-15", "acquired", 5000.0),
        ("B", "D", "2024-06-20", "dropped", np.nan),
        ("C", "F", "2023-01-01", "acquired", 100.0),
        ("C", "F", "2024-06-25", "acquired", 90_000.0),
        ("E", "D", "2023-01-15", "acquired", 100.0),  # ran out long ago
        ("F", "D", "2024-07-15", "acquired", 1e9),  # not yet known
    ]
    _, events, customers, products = crowd(rows)
    customers["marital_status"] = ["single", "married", "single", "single", "single"]
    earlier = customers.assign(marital_status="single")
    customers["child_born"] = pd.to_datetime([None, None, None, "2024-06-10", None])
    past = pd.DataFrame(
        {"customer_id": ["A", "B", "C"], "product_id": "F", "kind": "declined",
         "time": pd.to_datetime(["2024-03-15", "2024-06-15", "2024-03-15"]),
         "undone": [False, False, True]}
    )  # fmt: skip
    found = triggers.find(
        events, customers, products, past, NOW, before=earlier,
        cooling_off={"declined": 100}, now=NOW,
    )  # fmt: skip
    told = {(r.customer_id, r.trigger) for r in found.itertuples()}
    assert told == {
        ("A", "maturing"), ("A", "cooled_off"), ("B", "given_up"), ("B", "life_event"),
        ("C", "large_amount"), ("E", "date"),
    }  # fmt: skip
    assert set(told_trigger for _, told_trigger in told) == set(triggers.TRIGGERS)
    first = found.iloc[0]
    assert first["sentence"] == "Deposit runs out on 2024-07-15 (5,000)."
    assert "Marital status changed from single to married." in set(found["sentence"])


def test_without_what_they_need_there_are_no_triggers():
    _, events, customers, products = crowd([("A", "F", "2023-01-01", "acquired", np.nan)])
    found = triggers.find(events, customers, products.drop(columns="term"), no_past(), NOW)
    assert found.empty and list(found.columns) == list(triggers.COLUMNS)
