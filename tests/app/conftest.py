"""The app without a browser: ``screen("customers")`` runs that page inside the frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test

from finrec import pipeline, presets, schema, snapshots
from pages import kept

ROOT = Path(__file__).resolve().parents[2]
TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}
HOSTILE = "**Gold** [card](http://evil.example) <b>$x$ :red[y]"

Screen = Callable[..., AppTest]


def tiny(parts: str, seed: int = 0) -> Any:
    """Settings of a model that trains in about a second."""
    snapshot = snapshots.find("small")
    course = {"epochs": 2, "batch": 32}
    return presets.settings(snapshot.info, snapshot.ref, "quick", parts, seed, "cpu", TINY, course)


@pytest.fixture(scope="module")
def trained(shared_home: Path, small_dataset: schema.Dataset) -> list[Any]:
    """Two tiny models of the small data set, the one with a graph trained last."""
    snapshots.write(small_dataset, {"source": "tests", "files": []})
    return [pipeline.train(tiny("baseline")), pipeline.train(tiny("+gnn", 1))]


class AfterFirst(PagesManager):
    """As on a server that has run app.py before: it knows that pages/ is not of the older kind."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        PagesManager.uses_pages_directory = False


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """``screen("train", data=…)``: the page, run once, with these parameters of the address."""
    monkeypatch.setattr(app_test, "PagesManager", AfterFirst)
    st.cache_data.clear()
    st.cache_resource.clear()

    def run(name: str = "overview", **address: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for key, value in address.items():
            app.query_params[key] = value
        app.run()
        if name != "overview":
            app.switch_page(f"pages/{name}.py").run()
        return app

    yield run
    kept.settle()


def turned(app: AppTest, part: str, to: Any) -> AppTest:
    """The page with another tab open, or with an expander open (``True``)."""
    app.session_state[part] = to
    return calm(app.run())


def texts(app: AppTest) -> str:
    """Everything that a page says, one element a line."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "info",
        "warning",
        "success",
        "error",
    )
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def calm(app: AppTest) -> AppTest:
    """The page, which must not have raised anything nor shown an error; all is recorded."""
    kept.settle()
    assert not app.exception, app.exception
    assert not app.error, [e.value for e in app.error]
    return app
