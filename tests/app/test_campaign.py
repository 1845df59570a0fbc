"""Campaign: planned within limits, exported, saved under a name, compared with its outcome."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from finrec import records
from finrec.pipeline import outreach
from tests.app.conftest import Screen, calm, texts


@pytest.fixture
def fresh(trained: list[Any], shared_home: Any) -> list[Any]:
    """The trained models, with nothing recorded yet and the built-in policy."""
    for name in ("records.duckdb", "records.lock", "policy.toml"):
        (shared_home / "data" / name).unlink(missing_ok=True)
    return trained


def plan(app: AppTest, *products: str) -> AppTest:
    app.multiselect(key="products").set_value(list(products)).run()
    return app.button(key="plan campaign").click().run()


def list_of(app: AppTest) -> Any:
    return next(d.value for d in app.dataframe if "Customer" in d.value)


def test_nothing_can_be_planned_without_a_product(screen: Screen, fresh: list[Any]) -> None:
    app = calm(screen("campaign"))
    assert app.button(key="plan campaign").disabled
    assert "No campaign is saved yet." in texts(app)


def test_plan_keeps_to_its_limits_and_says_what_to_expect(screen: Screen, fresh: list[Any]) -> None:
    app = screen("campaign")
    app.number_input(key="budget").set_value(4).run()
    app = calm(plan(app, "P09", "P10", "P11"))
    expected = outreach.plan(fresh[1].id, ["P09", "P10", "P11"], budgets=4)
    table = list_of(app)
    assert table["Customer"].tolist() == expected.frame["customer_id"].tolist()
    assert table["Product id"].value_counts().max() <= 4
    shown = {m.label: m.value for m in app.metric}
    assert shown["Offers"] == str(len(expected.frame))
    assert shown["Expected take-ups"] == f"{expected.forecast.expected:.1f}"
    assert "nothing better exists" in texts(app)
    assert "What an offer adds to that is known only after a trial" in texts(app)


def test_segment_and_variety_narrow_the_plan(screen: Screen, fresh: list[Any]) -> None:
    app = screen("campaign")
    app.multiselect(key="segment occupation").set_value(["nurse"]).run()
    low, high = app.slider(key="range age").value
    app.slider(key="range age").set_range(30.0, high).run()
    app.slider(key="most share").set_value(50).run()
    app = calm(plan(app, "P09", "P10"))
    table = list_of(app)
    people = outreach.segment(fresh[1].id, {"occupation": ("nurse",)}, {"age": (30, high)})
    assert set(table["Customer"]) <= set(people)
    without = outreach.plan(fresh[1].id, ["P09", "P10"], people).frame
    assert table["Product id"].value_counts().max() <= (len(without) + 1) // 2
    assert low < 30


def test_main_reasons_are_the_explanations(screen: Screen, fresh: list[Any]) -> None:
    from finrec import pipeline

    app = screen("campaign")
    app.number_input(key="budget").set_value(2).run()
    app = plan(app, "P09")
    app = calm(app.button(key="find reasons").click().run())
    first = list_of(app).iloc[0]
    told = pipeline.explain(fresh[1].id, first["Customer"], "P09")
    assert first["Main reason"] == told.sentences[0]


def test_saved_campaign_is_compared_with_what_came_of_it(screen: Screen, fresh: list[Any]) -> None:
    app = screen("campaign")
    app.number_input(key="budget").set_value(3).run()
    app = plan(app, "P09", "P10")
    first = list_of(app).iloc[0]
    app.text_input(key="campaign name").set_value("Spring")
    save = next(b for b in app.button if b.label == "Save this campaign")
    app = calm(save.click().run())
    assert "Saved with" in texts(app)
    outreach.record("accepted", first["Customer"], first["Product id"], campaign="Spring")
    app = calm(app.run())
    assert "1 of " in texts(app)
    assert "offers were taken up" in texts(app)
    assert len(records.find(kinds=("planned",), limit=None)) > 1
    again = screen("campaign")
    assert calm(again).selectbox(key="saved campaign").options == ["Spring"]


def test_second_campaign_of_a_name_is_a_sentence(screen: Screen, fresh: list[Any]) -> None:
    made = outreach.plan(fresh[1].id, ["P09"], budgets=2)
    outreach.save_campaign(made, "Spring")
    app = plan(screen("campaign"), "P09")
    app.text_input(key="campaign name").set_value("Spring")
    app = next(b for b in app.button if b.label == "Save this campaign").click().run()
    assert "already" in app.error[0].value
