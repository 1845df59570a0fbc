"""Train: a model is put into use with a note, and is then chosen first."""

from __future__ import annotations

from typing import Any

from finrec.pipeline import keeping, outreach
from tests.app.conftest import Screen, calm, texts


def test_model_is_put_into_use_and_chosen_first(screen: Screen, trained: list[Any]) -> None:
    older, newer = trained
    app = calm(screen("train"))
    assert app.session_state["model"] == newer.id
    app.selectbox(key="model").select(older.id).run()
    app.button(key="put into use").click().run()
    assert "with a note" in app.error[0].value
    app.text_area(key=f"note {older.id}").set_value("Simple, and as good.").run()
    app = calm(app.button(key="put into use").click().run())
    assert "This model is in use now" in texts(app)
    assert keeping.active(older.settings.snapshot) == older.id
    assert outreach.find_records(kinds=["signed_off"])["note"].tolist() == ["Simple, and as good."]
    again = calm(screen("train"))
    assert again.session_state["model"] == older.id, "the model in use comes first"
    again.selectbox(key="model").select(newer.id).run()
    labels = [m.label for m in calm(again).metric]
    assert any(label.startswith("In use") for label in labels)
