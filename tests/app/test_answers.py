"""Customers: offers are recorded and taken back; filters; what if; customers alike."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from finrec import pipeline, schema
from finrec.pipeline import outreach, trying
from finrec.serving import lookup
from tests.app.conftest import Screen, calm, texts, turned


def test_offer_is_recorded_shown_and_taken_back(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("customers"))
    app = calm(app.text_input(key="search").set_value("013").run())
    first = outreach.offers(trained[1].id, "013", 5).frame.iloc[0]
    app = calm(app.button(key=f"offer 013 {first['product_id']}").click().run())
    (entry,) = outreach.find_records(kinds=["offered"], customer="013").to_dict("records")
    assert entry["product_id"] == first["product_id"]
    assert entry["rank"] == 1
    assert entry["probability"] == pytest.approx(first["probability"], rel=1e-5)
    assert entry["run"] == trained[1].id
    assert r"Offered\: " in texts(app)
    assert any("Earlier offers and answers: 1" in e.label for e in app.expander)
    app = calm(app.button(key="undo answer").click().run())
    assert outreach.find_records(kinds=["offered"], customer="013")["undone"].all()
    assert r"Offered\: " not in texts(app)


def test_not_suitable_keeps_its_reason(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("customers"))
    app = calm(app.text_input(key="search").set_value("015").run())
    product = outreach.offers(trained[1].id, "015", 5).frame["product_id"].iloc[1]
    key = f"not_suitable 015 {product}"
    app.radio(key=key).set_value("too_risky")
    calm(app.button(key=f"record {key}").click().run())
    found = outreach.find_records(kinds=["not_suitable"], customer="015")
    assert found["reason_code"].tolist() == ["too_risky"]
    assert found["product_id"].tolist() == [product]


def test_filters_find_exactly_those_who_fit(
    screen: Screen, trained: list[Any], small_dataset: schema.Dataset
) -> None:
    people = small_dataset.customers
    ref = trained[0].settings.snapshot
    found = lookup.search(ref, "0", only={"occupation": ["nurse"]}, between={"age": (30, 50)})
    right = people[(people["occupation"] == "nurse") & people["age"].between(30, 50)]
    assert set(found["customer_id"]) == set(right["customer_id"])
    words, numbers = lookup.filters(ref)
    assert words["occupation"] == ("clerk", "engineer", "nurse", "retired")
    assert numbers["age"] == (people["age"].min(), people["age"].max())
    with pytest.raises(schema.DataError, match="no column 'x"):
        lookup.search(ref, "", only={'x" OR 1': ["1"]})
    app = calm(screen("customers"))
    app = calm(app.multiselect(key=f"only {ref} occupation").set_value(["nurse"]).run())
    shown = {o.split(" ")[0] for o in app.selectbox(key="customer").options}
    assert shown == set(people[people["occupation"] == "nurse"]["customer_id"])


def test_what_if_changes_only_what_is_asked(screen: Screen, trained: list[Any]) -> None:
    recommender = pipeline.load(trained[1].id)
    same = trying.what_if(recommender, "013")
    assert (same["before"].dropna() == same["after"].dropna()).all()
    assert same["probability"].equals(same["probability_after"].rename("probability"))
    own = recommender.catalogue.ids[recommender.cohort(["013"]).products]
    less = trying.what_if(recommender, "013", without=[own[0]])
    row = less[less["product_id"] == own[0]].iloc[0]
    assert pd.isna(row["before"])
    assert row["after"] >= 1, "what is no longer held may be offered"
    new = same["product_id"].iloc[0]
    more = trying.what_if(recommender, "013", also=[new], changed={"age": 77, "occupation": None})
    assert pd.isna(more.set_index("product_id").loc[new, "after"]), "what is held may not"
    assert recommender.cohort(["013"]).profile["age"].iloc[0] != 77, "nothing is kept"
    with pytest.raises(schema.DataError, match="no attribute 'shoe'"):
        trying.what_if(recommender, "013", changed={"shoe": 42})
    app = calm(screen("customers"))
    app = calm(app.text_input(key="search").set_value("013").run())
    app = turned(app, "what if", True)
    app = calm(app.multiselect(key="without 013").set_value([own[0]]).run())
    assert "first 5" in texts(app)


def test_customers_alike_are_only_ever_summed(trained: list[Any]) -> None:
    recommender = pipeline.load(trained[1].id)
    found = trying.alike(recommender, "013", 20)
    assert found.customers == 20
    assert (found.products["share"] * 20 >= 10).all()
    assert "customer_id" not in found.products.columns
    own = recommender.cohort(["013"]).held(12)[0]
    ids = recommender.catalogue.ids
    assert all(h == own[list(ids).index(p)] for p, h in
               zip(found.products["product_id"], found.products["held"], strict=True))  # fmt: skip
