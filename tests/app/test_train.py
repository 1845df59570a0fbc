"""Train: the advanced form, the line, pausing; a model brought in; a new one beside that in use."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from finrec import pipeline
from finrec.pipeline import keeping
from tests.app.conftest import Screen, calm, texts, tiny


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Settings of the trainings that the page has asked for, without a process."""
    asked: list[Any] = []

    def start(settings: Any) -> str:
        asked.append(settings)
        return "asked-for"

    monkeypatch.setattr(pipeline, "start", start)
    return asked


def begin(app: Any) -> Any:
    return next(b for b in app.button if b.label == "Start training")


def test_advanced_settings_are_trained_with(
    screen: Screen, trained: list[Any], started: list[Any]
) -> None:
    app = calm(screen("train"))
    app.radio(key="preset").set_value("quick").run()
    app = calm(app.toggle(key="by hand").set_value(True).run())
    app.number_input(key="set quick model.width").set_value(32)
    app.selectbox(key="set quick model.graph_kind").set_value("gat")
    app.toggle(key="set quick model.gaps").set_value(False)
    app.number_input(key="set quick train.balance_power").set_value(1.0)
    app = calm(app.number_input(key="set quick train.half_life_days").set_value(90.0).run())
    without = "Without effect here: train.balance_power (train.balance is none)"
    assert without in texts(app).replace("\\", "")
    calm(begin(app).click().run())
    (settings,) = started
    assert (settings.model.width, settings.model.graph_kind, settings.model.gaps) == (32, "gat", False)  # fmt: skip  # noqa: E501
    assert settings.train.half_life_days == 90.0
    assert settings.train.epochs == 4, "what is not changed is the preset's"


def test_wrong_setting_is_said_at_it_and_nothing_starts(
    screen: Screen, trained: list[Any], started: list[Any]
) -> None:
    app = screen("train")
    app.radio(key="preset").set_value("quick").run()
    app.toggle(key="by hand").set_value(True).run()
    app.number_input(key="set quick model.heads").set_value(5)
    app = app.number_input(key="set quick train.rate").set_value(2.0).run()
    assert not app.exception
    said = [e.value for e in app.error]
    assert any("divide the width" in s for s in said)
    assert any("at most 1" in s for s in said)
    assert any("2 settings are" in s and "heads" in s and "rate" in s for s in said)
    assert begin(app).disabled and started == []
    app = calm(app.toggle(key="by hand").set_value(False).run())
    assert not begin(app).disabled


def test_device_tells_its_memory(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("train"))
    assert any(o.startswith("auto (") for o in app.selectbox(key="device").options)
    assert "of its memory is free" in texts(app)


def test_running_one_is_paused_and_waiting_ones_have_a_place(
    screen: Screen, trained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = pipeline.jobs
    first, second, third = (jobs.create(tiny("+gnn", seed)) for seed in (5, 6, 7))
    try:
        monkeypatch.setattr(jobs, "line", lambda: [second, third])
        with jobs.working(first):
            app = calm(screen("train"))
            assert "It is next" in texts(app) and "with 1 training before it" in texts(app)
            assert not any(b.key == f"pause {second}" for b in app.button), "it does not work yet"
            app = calm(app.button(key=f"pause {first}").click().run())
            assert jobs.cancelled(first)
            jobs.stopped(first)
        app = calm(app.run())
        assert jobs.read(first).state == "paused"
        assert any("paused" in m.value for m in app.markdown if "badge" in m.value)
        assert app.button(key=f"resume {first}")
        calm(app.button(key=f"stop {third}").click().run())
        assert jobs.read(third).state == "cancelled"
    finally:
        for run in (first, second, third):
            jobs.finish(run, "cancelled", "")
            jobs.forget(run)


def test_new_model_is_beside_the_one_in_use(screen: Screen, trained: list[Any]) -> None:
    older, newer = trained
    keeping.promote(older.id, "Checked.")
    app = screen("train")
    app.session_state["started"] = newer.id
    app = calm(app.run())
    assert any(m.label.startswith("In use") for m in app.metric)
    button = next(b for b in app.button if b.label == "Compare with the model in use")
    app = calm(button.click().run())
    assert app.title[0].value == "Compare"
    assert app.selectbox(key="versus one").value == older.id
    assert app.selectbox(key="versus other").value == newer.id


def packed(run: Any, **changed: bytes) -> bytes:
    """A run as a file, under another name and with other contents of some files."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(keeping.pack(run.id))) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            file = name.partition("/")[2]
            new.writestr(f"brought/{file}", changed.get(file.partition(".")[0], old.read(name)))
    return out.getvalue()


def upload(app: Any, content: bytes, name: str = "brought.zip") -> Any:
    app.file_uploader[0].upload(name, content, "application/zip")
    return app.run()


def test_model_is_brought_in_and_chosen(screen: Screen, trained: list[Any]) -> None:
    app = calm(upload(screen("train"), packed(trained[0])))
    assert app.session_state["model"] == "brought"
    app = upload(app, packed(trained[0]))
    assert "there is a run brought already" in app.error[0].value.replace("\\", "")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nothing", "no ZIP file"),
        ("pickle", "is no file of a run"),
        ("weights", "no run that can be used"),
    ],
)
def test_bad_model_is_refused_in_words(
    screen: Screen, trained: list[Any], content: Any, says: str
) -> None:
    if content == "pickle":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            made.writestr("bad/weights.pkl", b"\x80\x04.")
        content = out.getvalue()
    elif content == "weights":
        content = packed(trained[0], weights=b"nothing").replace(b"brought", b"brokenn")
    before = {r.id for r in pipeline.runs()}
    app = upload(screen("train"), content, "bad.zip")
    assert not app.exception
    assert says in app.error[0].value.replace("\\", "")
    assert {r.id for r in pipeline.runs()} == before
