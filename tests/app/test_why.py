"""The screen says what to trust, what would change an offer, and why another is not made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from finrec import pipeline
from finrec.pipeline import explaining
from tests.app.conftest import turned

Screen = Callable[..., AppTest]


def said(app: AppTest) -> str:
    assert not app.exception, app.exception[0].value
    texts = [*app.markdown, *app.caption, *app.subheader, *app.success]
    return "\n".join(t.value for t in texts).replace("\\", "")


def test_the_counterfactual_and_the_badge_are_those_of_the_core(
    screen: Screen, trained: list[Any]
) -> None:
    app = turned(screen("customers"), "reasons part", "What changes it")
    text = said(app)
    customer = str(app.session_state["customer"])
    product, k = str(app.session_state["product"]), int(app.session_state["how many"])
    told = explaining.second_opinion(trained[-1].id, customer, product, k)
    assert told.badge.sentence in text
    for part in told.without:
        assert part in text
    assert "Can the evidence be trusted?" in text and "Paths over other customers" not in text


def test_a_brief_can_be_handed_over(screen: Screen, trained: list[Any]) -> None:
    app = turned(screen("customers"), "reasons part", "Brief")
    customer, product = (str(app.session_state[n]) for n in ("customer", "product"))
    found = explaining.brief(trained[-1].id, customer, product)
    assert all(s.text in said(app) for s in found.sentences)
    app.toggle(key="safe brief").set_value(True).run()
    safe = explaining.brief(trained[-1].id, customer, product, safe=True)
    assert all(s.text in said(app) for s in safe.sentences)


def test_why_not_tells_score_held_eligibility_and_suitability_apart(
    screen: Screen, trained: list[Any]
) -> None:
    app = turned(screen("customers"), "reasons part", "Why not?")
    customer = str(app.session_state["customer"])
    recommender = pipeline.load(trained[-1].id)
    held = str(recommender.catalogue.ids[recommender.cohort([customer]).products[0]])
    app.selectbox(key="why not").set_value(held).run()
    text = said(app)
    for part in ("**Score**", "**Held**", "**Eligibility**", "**Suitability**"):
        assert part in text
    assert explaining.why_not(recommender, customer, held, 5).held in text
    app.text_input(key="why not text").set_value("no such product").run()
    assert any("No product's name holds" in w.value for w in app.warning)


def test_a_models_faithfulness_is_measured_when_asked_for(
    screen: Screen, trained: list[Any]
) -> None:
    app = turned(screen("compare"), "compare section", "Evidence")
    run = str(app.session_state["model"])
    assert explaining.faithful(run) is None and "Not measured yet" in said(app)
    app.button(key=f"faithful {run}").click().run(timeout=120)
    kept = explaining.faithful(run)
    assert kept is not None and kept["run"] == run
    assert kept["sentence"] in said(app) and "Not measured yet" not in said(app)
