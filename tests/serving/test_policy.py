"""The gate against the same rules written out for one customer and product at a time."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from finrec.schema import PolicyError
from finrec.scorer import Catalogue, cohort
from finrec.serving import policy
from finrec.serving.gate import STATES, gate, test_it
from finrec.topk import topk

NOW = pd.Timestamp("2024-06-30")
FULL = """
title = "Full"
[columns.customers]
age = ["age"]
residence = ["country"]
consent = ["consent"]
vulnerable = ["vulnerable"]
risk_tolerance = ["tolerance"]
horizon_months = ["horizon"]
capacity = ["income"]
knowledge = ["education"]
[columns.products]
risk = ["risk"]
term_months = ["term"]
family = ["type"]
on_sale = ["on_sale"]
sale_begins = ["launched"]
[levels.knowledge]
low = 0
high = 2
[eligibility]
min_age = 18
max_age = 95
residence = ["ES", "PT"]
cooling_off_scope = "family"
[eligibility.cooling_off]
declined = 100
[suitability]
from_risk = 2
risk_above_tolerance = ["warn", "needs advice", "blocked"]
term_beyond_horizon = "needs advice"
vulnerable = "needs advice"
unknown = "warn"
oldest_at_end = 80
[[suitability.capacity]]
risk = 5
least = 20_000
state = "blocked"
[[suitability.knowledge]]
risk = 4
least = 1
state = "needs advice"
[[rules]]
code = "no_two"
sentence = "Not for the young."
state = "blocked"
customers = { column = "age", below = 25 }
products = { column = "type", one_of = ["fund"] }
"""


def none_past():
    return pd.DataFrame(columns=["customer_id", "product_id", "kind", "time"])


def bank(rng, b=40, n=15):
    """Customers, products and events drawn at random, with gaps."""

    def gaps(values):
        column = pd.Series(values, dtype=object)
        column[rng.random(len(column)) < 0.15] = None
        return column

    customers = pd.DataFrame(
        {
            "customer_id": [f"C{i}" for i in range(b)],
            "age": pd.to_numeric(gaps(rng.integers(10, 100, b))),
            "country": gaps(rng.choice(["ES", "PT", "FR"], b)),
            "consent": gaps(rng.choice(["yes", "no"], b)),
            "vulnerable": gaps(rng.choice([True, False], b)),
            "tolerance": pd.to_numeric(gaps(rng.integers(1, 8, b))),
            "horizon": pd.to_numeric(gaps(rng.integers(0, 400, b))),
            "income": pd.to_numeric(gaps(rng.integers(5_000, 50_000, b))),
            "education": gaps(rng.choice(["low", "HIGH "], b)),
        }
    )
    products = pd.DataFrame(
        {
            "product_id": [f"P{i}" for i in range(n)],
            "name": [f"Product {i}" for i in range(n)],
            "description": "",
            "risk": pd.to_numeric(gaps(rng.integers(1, 8, n))),
            "term": pd.to_numeric(gaps(rng.integers(0, 360, n))),
            "type": rng.choice(["fund", "bond", "deposit"], n),
            "on_sale": gaps(rng.choice(["true", "false"], n, p=[0.9, 0.1])),
            "launched": pd.to_datetime(gaps(rng.choice(["2024-01-01", "2024-12-01"], n))),
        }
    )
    m = 60
    events = pd.DataFrame(
        {
            "customer_id": rng.choice(customers["customer_id"], m),
            "product_id": rng.choice(products["product_id"], m),
            "time": NOW - pd.to_timedelta(rng.integers(1, 500, m), "D"),
            "kind": rng.choice(["acquired", "dropped", "held"], m),
            "amount": np.nan,
            "order": np.arange(m),
        }
    )
    past = pd.DataFrame(
        {
            "customer_id": rng.choice(customers["customer_id"], m),
            "product_id": rng.choice(products["product_id"], m),
            "kind": rng.choice(["declined", "accepted"], m),
            "time": NOW - pd.to_timedelta(rng.integers(1, 200, m), "D"),
            "undone": rng.random(m) < 0.2,
        }
    )
    return customers, products, events, past


def plain_state(person, product, holds, refusals):
    """The rules of FULL, one by one, for one customer and one product; the strictest state."""
    found = ["ok"]
    age, risk, term = person["age"], product["risk"], product["term"]
    if holds or age < 18 or age > 95 or person["country"] not in ("ES", "PT"):
        found.append("blocked")
    if pd.isna(age):
        found.append("warn")
    if person["consent"] != "yes" or product["on_sale"] == "false":
        found.append("blocked")
    if pd.notna(product["launched"]) and product["launched"] > NOW:
        found.append("blocked")
    if product["type"] in refusals or (age < 25 and product["type"] == "fund"):
        found.append("blocked")
    if pd.isna(risk):
        found.append("warn")
    if risk >= 2:
        over = risk - person["tolerance"]
        found.append("warn" if pd.isna(over) else STATES[int(min(max(over, 0), 3))])
        if pd.notna(term) and term > 0 and pd.isna(person["horizon"]):
            found.append("warn")
        if pd.notna(term) and term > person["horizon"]:
            found.append("needs advice")
        if person["vulnerable"] is True:
            found.append("needs advice")
    if pd.notna(term) and age + term / 12 > 80:
        found.append("needs advice")
    if risk >= 5 and not person["income"] >= 20_000:
        found.append("warn" if pd.isna(person["income"]) else "blocked")
    if risk >= 4 and person["education"] != "HIGH ":
        found.append("warn" if pd.isna(person["education"]) else "needs advice")
    return max(found, key=STATES.index)


@pytest.mark.parametrize("seed", range(6))
def test_the_gate_equals_the_rules_written_out_one_by_one(seed):
    rng = np.random.default_rng(seed)
    customers, products, events, past = bank(rng)
    catalogue = Catalogue(products)
    crowd = cohort(customers["customer_id"].to_numpy(), events, customers, catalogue, NOW)
    found = gate(policy.parse(FULL), crowd, catalogue, past, now=NOW)
    assert found.not_checked == ("sale ends of products: the policy names no column, not checked.",)
    family = dict(zip(products["product_id"], products["type"], strict=True))
    holds = crowd.held(len(products))
    for b, person in customers.iterrows():
        mine = past[
            (past["customer_id"] == person["customer_id"])
            & (past["kind"] == "declined")
            & ~past["undone"]
            & (past["time"] > NOW - timedelta(100))
        ]
        refusals = {family[p] for p in mine["product_id"]}
        for n, product in products.iterrows():
            expected = plain_state(person, product, holds[b, n], refusals)
            assert STATES[found.state[b, n]] == expected, (person, product, found.reasons(b, n))


def test_every_exclusion_has_its_rule_and_none_else():
    customers, products, events, past = bank(np.random.default_rng(9))
    catalogue = Catalogue(products)
    crowd = cohort(customers["customer_id"].to_numpy(), events, customers, catalogue, NOW)
    offerable = np.random.default_rng(1).random((40, 15)) < 0.9
    found = gate(policy.parse(FULL), crowd, catalogue, past, offerable, NOW)
    assert ((found.state > 0) == (found.rule >= 0)).all()
    assert ((found.state > 0) == (found.bits > 0)).all()
    assert not (found.allowed & ~offerable).any()
    assert (found.up_to("warn") == (found.state <= 1)).all()
    for b in range(40):
        for n in range(15):
            reasons = found.reasons(b, n)
            states = [r.state for r in reasons]
            assert max(states, key=STATES.index, default="ok") == STATES[found.state[b, n]]
            if reasons:
                assert found.rules[found.rule[b, n]].state == reasons[0].state


def test_ten_thousand_lists_behind_the_gate_hold_no_unsuitable_product():
    violations = lists = 0
    rules = policy.parse(FULL)
    for seed in range(100):
        rng = np.random.default_rng(1000 + seed)
        customers, products, events, past = bank(rng, b=100)
        catalogue = Catalogue(products)
        crowd = cohort(customers["customer_id"].to_numpy(), events, customers, catalogue, NOW)
        found = gate(rules, crowd, catalogue, past, now=NOW)
        index, _ = topk(rng.random((100, 15)).astype(np.float32), found.allowed, 5)
        lists += len(index)
        for b, n in zip(*np.nonzero(index >= 0), strict=True):
            person, product = customers.iloc[b], products.iloc[index[b, n]]
            violations += plain_state(person, product, False, set()) == "blocked"
    assert (lists, violations) == (10_000, 0)


def test_a_refusal_rests_the_product_for_its_days_and_an_undone_one_does_not():
    customers, products, events, _ = bank(np.random.default_rng(0))
    rules = policy.parse('title = "t"\n[eligibility.cooling_off]\ndeclined = 10\n')
    catalogue = Catalogue(products)
    crowd = cohort(["C1", "C2"], events.iloc[:0], customers, catalogue, NOW)
    past = pd.DataFrame(
        {"customer_id": "C2", "product_id": ["P3", "P4", "P5"], "kind": "declined",
         "time": [NOW - timedelta(9), NOW - timedelta(10), NOW], "undone": [False, False, True]}
    )  # fmt: skip
    found = gate(rules, crowd, catalogue, past, now=NOW)
    assert np.argwhere(~found.allowed).tolist() == [[1, 3]]
    assert [r.code for r in found.reasons(1, 3)] == ["cooling_off_declined"]


def test_the_built_in_policy_fits_the_demo_bank():
    rules = policy.parse(policy.default_text(), "default_policy.toml")
    person = {"age": 40, "income": 40_000.0, "education": "bachelor"}
    safe = {"risk": 1, "term": 12, "type": "term deposit"}
    assert test_it(rules, person, safe).state == "ok"
    fund = {"risk": 7, "term": 36, "type": "fund"}
    assert test_it(rules, person, fund).state == "warn"
    assert test_it(rules, person | {"income": 20_000.0}, fund).state == "blocked"
    young = {"risk": 1, "term": 0, "type": "account", "name": "Campus Account"}
    assert test_it(rules, person, young).state == "blocked"
    verdict = test_it(rules, person | {"risk_tolerance": 3, "age": 17}, fund)
    codes = [r.code for r in verdict.reasons]
    assert {"too_young", "risk_3_over", "horizon_unknown"} <= set(codes)
    assert any("horizon months" in s and "not checked" in s for s in verdict.not_checked)
    assert "Credit decisions are out of scope" in rules.scope


def test_birth_dates_stand_in_for_ages():
    rules = policy.parse(policy.default_text())
    born = datetime.now() - timedelta(days=int(17.9 * 365.25))
    verdict = test_it(rules, {"birth_date": born}, {"risk": 1})
    assert [r.code for r in verdict.reasons] == ["too_young"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = ", "line 1"),
        ('title = "a"\ntitel = "b"', r"line 2, titel: no such setting"),
        ('title = "a"\n[eligibility]\nmin_age = "18"', r"line 3, eligibility\.min_age"),
        ('title = "a"\n[eligibility]\nmin_age = 30\nmax_age = 20', "line 2.*max_age is below"),
        (
            'title = "a"\n[[rules]]\ncode = "x"\nsentence = "abc"\nstate = "ok"\n\n'
            '[[rules]]\ncode = "y"\nsentence = "abc"\nstate = "stop"',
            r"line 10, rules\.2\.state",
        ),
        ('title = "a"\n[columns.customers]\nweight = ["w"]', "line 3"),
        (
            'title = "a"\n[[rules]]\ncode = "x"\nsentence = "abc"\nstate = "ok"\n'
            'customers = { column = "age" }',
            "line 6.*one_of",
        ),
        ("[eligibility]", "title: this is required"),
    ],
)
def test_a_wrong_policy_is_refused_with_line_field_and_remedy(text, says):
    with pytest.raises(PolicyError, match=says) as error:
        policy.parse(text, "mine.toml")
    assert str(error.value).startswith("mine.toml")


def test_the_installations_own_file_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("FINREC_HOME", str(tmp_path))
    assert policy.load().title == "Built-in policy"
    policy.file().parent.mkdir()
    policy.file().write_text('title = "Ours"')
    assert policy.load().title == "Ours"
    policy.file().write_bytes(b"\xff")
    with pytest.raises(PolicyError, match="UTF-8"):
        policy.load()
    with pytest.raises(PolicyError, match="nowhere.toml can't be read"):
        policy.load(tmp_path / "nowhere.toml")
