"""Every page when nothing is there: it says so and where to go."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from finrec import pipeline, schema, snapshots
from tests.app.conftest import Screen, calm, texts

LEADS = {
    "overview": "Nothing is loaded yet",
    "customers": "No data are loaded yet.",
    "data": "No data are loaded yet.",
    "upload": "1. Your files",
    "train": "There are no data to learn from yet.",
    "compare": "No data are loaded yet.",
    "groups": "No data are loaded yet.",
    "help": "What each number means",
    "book": "No data are loaded yet.",
    "campaign": "No data are loaded yet.",
    "batch": "No data are loaded yet.",
    "policy": "Trying needs data and a model.",
    "records": "Nothing is recorded yet",
}
TITLES = {"book": "My book"}


@pytest.mark.parametrize("name", LEADS)
def test_empty_page_says_so(screen: Screen, name: str) -> None:
    app = calm(screen(name))
    assert LEADS[name] in texts(app)
    assert app.title[0].value == TITLES.get(name, name.capitalize())


@pytest.fixture
def untrained(small_dataset: schema.Dataset) -> str:
    return snapshots.write(small_dataset, {"source": "tests", "files": []}).ref


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("overview", "Train a model"),
        ("customers", "No model is trained on this data yet"),
        ("compare", "No model is trained on this data yet."),
        ("book", "No model is trained on this data yet."),
        ("campaign", "No model is trained on this data yet."),
        ("batch", "No model is trained on this data yet."),
        ("groups", "No model is trained on this data yet."),
    ],
)
def test_data_without_a_model(screen: Screen, untrained: str, name: str, says: str) -> None:
    app = calm(screen(name))
    assert says in texts(app)
    assert "generated" in texts(app) or "generated" in str(app.main)


def test_unknown_data_in_a_link_is_said_and_something_else_is_shown(
    screen: Screen, untrained: str
) -> None:
    app = calm(screen(data="**nowhere**@123"))
    assert any(r"\*\*nowhere\*\*" in w.value for w in app.warning)
    assert app.session_state["data"] == untrained


def choose(app: AppTest, source: str) -> AppTest:
    return app.selectbox(key="kind").select(source).run()


def test_missing_file_is_one_sentence_and_nothing_is_kept(screen: Screen, tmp_path: Path) -> None:
    app = choose(screen("data"), "insurance")
    app.radio(key="where").set_value("Elsewhere on this machine").run()
    app.text_input(key="path").set_value(str(tmp_path / "nowhere")).run()
    app.button(key="bring in").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert "does not exist" in app.error[0].value
    assert pipeline.snapshots() == []


def test_empty_inbox_says_what_to_do(screen: Screen) -> None:
    app = calm(choose(screen("data"), "insurance"))
    assert "data/inbox/" in texts(app)
    assert app.button(key="bring in").disabled


def test_file_in_the_inbox_is_offered(screen: Screen, home: Path) -> None:
    (home / "data" / "inbox" / "insurance 2024").mkdir(parents=True)
    app = calm(choose(screen("data"), "insurance"))
    assert app.selectbox(key="waiting").options == ["insurance 2024"]
    assert not app.button(key="bring in").disabled
