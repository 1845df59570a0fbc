"""Every page with a trained model: what it shows is what the pipeline says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from finrec import pipeline
from finrec.figures import formats
from tests.app.conftest import Screen, calm, texts, turned


@pytest.mark.parametrize("name", ["overview", "customers", "data", "train", "compare", "help"])
def test_page_runs(screen: Screen, trained: list[Any], name: str) -> None:
    app = calm(screen(name))
    assert app.session_state["model"] == trained[1].id, "the newest model is chosen"


def test_overview_says_what_is_loaded_and_how_good_it_is(
    screen: Screen, trained: list[Any]
) -> None:
    app = calm(screen())
    shown = {m.label: m.value for m in app.metric}
    assert shown["Customers"] == "60"
    assert shown["Products"] == "12"
    assert shown["Events"] == "400"
    name = trained[1].metrics["R2"]["headline"]
    value = trained[1].metrics["R2"]["masked"][name]
    assert shown[f"{formats.measure(name)}, test"] == formats.metric(value)
    assert "Find a customer" in texts(app)
    assert "popular products" in texts(app)


def test_choice_is_in_the_address_without_any_customer(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("customers"))
    app.text_input(key="search").set_value("01").run()
    app.selectbox(key="customer").select("013").run()
    address = dict(app.query_params)
    assert address == {"data": trained[0].settings.snapshot, "model": trained[1].id}


def test_link_to_a_model_chooses_it(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen(model=trained[0].id))
    assert app.session_state["model"] == trained[0].id
    assert app.session_state["data"] == trained[0].settings.snapshot


def test_customers_offers_are_the_pipelines(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("customers"))
    app.text_input(key="search").set_value("013").run()
    expected = pipeline.recommend(trained[1].id, ["013"], 5)
    shown = [m.value for m in app.markdown if m.value.startswith("**1.") or "**2." in m.value]
    assert formats.markdown(expected["name"].iloc[0]) in shown[0]
    chances = [m.value for m in app.markdown if re.fullmatch(r"\*\*[\d.]+%\*\*", m.value)]
    assert chances == [f"**{formats.chance(p)}**" for p in expected["probability"]]


def test_why_shows_the_reasons_of_the_product_asked_for(screen: Screen, trained: list[Any]) -> None:
    app = screen("customers")
    app.text_input(key="search").set_value("013").run()
    app = calm(app.button(key="why 3").click().run())
    third = pipeline.recommend(trained[1].id, ["013"], 5).iloc[2]
    expected = pipeline.explain(trained[1].id, "013", third["product_id"])
    headings = [h.value for h in app.header]
    assert f"Why {formats.markdown(third['name'])} for customer 013" in headings
    for sentence in expected.sentences:
        assert formats.markdown(sentence) in texts(app)
    app = turned(app, "reasons part", "Attention")
    assert app.selectbox(key="attention").options == list(expected.attention)


def test_customer_without_events_is_served(screen: Screen, trained: list[Any]) -> None:
    app = screen("customers")
    app = calm(app.text_input(key="search").set_value("007").run())
    assert "No events are known of this customer" in texts(app)
    app = turned(app, "reasons part", "Attention")
    assert "There are no events to look at" in texts(app)
    assert sum(m.value.startswith("**1.") for m in app.markdown) == 1


def test_unknown_customer_is_said(screen: Screen, trained: list[Any]) -> None:
    app = screen("customers")
    app = calm(app.text_input(key="search").set_value("*nobody*").run())
    assert r"\*nobody\*" in app.warning[0].value
    assert not [b for b in app.button if str(b.key).startswith("why")]


def test_compare_names_data_protocol_view_and_seeds(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("compare"))
    said = next(m.value for m in app.markdown if "test case" in m.value)
    for part in (
        "Small made\\-up bank \\(generated\\)",
        trained[0].settings.snapshot,
        "R2, by time",
        "products already taken are left out",
        "seeds 0, 1",
    ):
        assert part in said
    app.selectbox(key="view").select("unmasked").run()
    assert any("all products are ranked" in m.value for m in calm(app).markdown)
    app = turned(app, "compare section", "Parts")
    assert "Not trained yet with this preset: Events + text, Events + text + graph." in texts(app)


def test_compare_without_a_choice_asks_for_one(screen: Screen, trained: list[Any]) -> None:
    app = screen("compare")
    app = calm(next(m for m in app.multiselect if m.label == "Models").set_value([]).run())
    assert "Choose at least one model." in texts(app)


def test_train_estimates_and_shows_how_the_model_was_trained(
    screen: Screen, trained: list[Any]
) -> None:
    app = calm(screen("train"))
    assert "This takes about" in texts(app)
    assert "In 2 passes the loss went from" in texts(app)
    longer = app.radio(key="preset").set_value("best").run()
    assert "rough guess" in texts(calm(longer))


def test_damaged_model_is_a_sentence_not_a_trace(screen: Screen, trained: list[Any]) -> None:
    weights = trained[1].path / "weights.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(b"nothing")
    try:
        app = screen("customers")
    finally:
        weights.write_bytes(kept)
    assert not app.exception
    assert len(app.error) == 1
    assert "weights" in app.error[0].value


def test_help_explains_the_method_on_a_live_example(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("help"))
    said = texts(app)
    assert "Expected worth" in said and "PSI" in said
    app.session_state["help tabs"] = "How it works"
    app = calm(app.run())
    formulas = [latex.value for latex in app.latex]
    assert any("softmax" in f for f in formulas) and any("sigma" in f for f in formulas)
    assert "Gates of this customer" in texts(app)
