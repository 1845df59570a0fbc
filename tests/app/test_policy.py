"""Policy: what it keeps back, tried on one customer, changed with a note."""

from __future__ import annotations

from typing import Any

import pytest

from finrec import records
from finrec.figures import formats
from finrec.pipeline import outreach
from tests.app.conftest import Screen, calm, texts


@pytest.fixture
def fresh(trained: list[Any], shared_home: Any) -> list[Any]:
    """The trained models, with nothing recorded yet and the built-in policy."""
    for name in ("records.duckdb", "records.lock", "policy.toml"):
        (shared_home / "data" / name).unlink(missing_ok=True)
    return trained


def test_policy_in_force_and_what_it_keeps_back(screen: Screen, fresh: list[Any]) -> None:
    app = calm(screen("policy"))
    assert "**Built\\-in policy**" in texts(app)
    shares = {m.label: m.value for m in app.metric}
    gate = outreach.gate(fresh[1].id, sorted({f"{i:03d}" for i in range(1, 61)}))
    held = float((gate.state == 3).mean())
    assert shares["Not allowed"] == formats.share(held)
    assert "can't be checked in these data" in str([e.label for e in app.expander])


def test_policy_is_readable_without_data(screen: Screen) -> None:
    app = calm(screen("policy"))
    assert "Trying needs data and a model." in texts(app)
    assert "eligibility" in app.text_area(key="policy text").value


def test_one_customer_and_product_are_tried(screen: Screen, fresh: list[Any]) -> None:
    app = screen("policy")
    app.text_input(key="trial search").set_value("013").run()
    app = calm(app.selectbox(key="trial product").select("P10").run())
    told = outreach.verdict(fresh[1].id, "013", "P10")
    for reason in told.reasons:
        assert formats.markdown(reason.sentence) in texts(app)
    assert not told.reasons or "No rule stands against it." not in texts(app)


def test_text_that_is_not_valid_is_a_sentence_with_its_line(
    screen: Screen, fresh: list[Any]
) -> None:
    app = screen("policy")
    wrong = outreach.default_policy_text().replace("min_age = 18", "min_age = 180")
    app = app.text_area(key="policy text").set_value(wrong).run()
    line = next(i for i, text in enumerate(wrong.splitlines(), 1) if "min_age" in text)
    assert f"line {line}" in app.error[0].value
    assert not app.exception
    assert outreach.policy_text() == outreach.default_policy_text()


def test_policy_is_put_in_force_with_a_note_and_taken_back(
    screen: Screen, fresh: list[Any]
) -> None:
    app = screen("policy")
    ours = outreach.default_policy_text().replace("Built-in policy", "Ours")
    app.text_area(key="policy text").set_value(ours).run()
    app = calm(app.button(key="save policy").click().run())
    assert "Say what changed" in texts(app)
    app.text_input(key="policy note").set_value("Board, 3 May").run()
    app = calm(app.button(key="save policy").click().run())
    assert outreach.policy().title == "Ours"
    assert "The policy is in force." in texts(app)
    entry = records.find(kinds=("signed_off",)).iloc[0]
    assert entry["note"] == "Board, 3 May"
    app = calm(app.button(key="reset policy").click().run())
    assert outreach.policy().title == "Built-in policy"
    assert app.text_area(key="policy text").value == outreach.default_policy_text()


def test_weights_beyond_fit_are_measured_and_taken_over(screen: Screen, fresh: list[Any]) -> None:
    app = screen("policy")
    app = calm(app.toggle(key="measure front").set_value(True).run())
    measured = outreach.trade_off(fresh[1].id, 10)
    options = app.select_slider(key="step value").options
    assert len(options) == measured.query("variety == 0 and fewest == 0")["value"].nunique() > 1
    app.select_slider(key="step value").set_value(float(measured["value"].max())).run()
    shown = {m.label: m.value for m in app.metric}
    best = measured.query("variety == 0 and fewest == 0").iloc[-1]
    assert shown["NDCG@10"] == formats.metric(best["ndcg@10"])
    app = calm(app.button(key="take over").click().run())
    text = app.text_area(key="policy text").value
    assert outreach.check_policy(text).lists.value == float(measured["value"].max())
    assert outreach.policy().lists.value == 0.0, "it is not in force before it is put there"
