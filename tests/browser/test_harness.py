"""The browser harness on the smallest app: it waits, it shows the theme, it stays offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

SCRIPT = """
import os, time
import streamlit as st
st.title("Harness")
if st.button("Slow"):
    time.sleep(1.5)
    st.write("done at last")
st.write(os.environ["FINREC_HOME"])
"""


@pytest.fixture(scope="module")
def tiny_app(start_app: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An app of five lines, started as the real one is."""
    folder: Path = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.py").write_text(SCRIPT)
    return start_app(folder, script=folder / "tiny.py")


def test_goto_and_settle_wait_for_the_script(tiny_app: Any, goto: Callable[..., Page]) -> None:
    page = goto(on=tiny_app)
    assert page.get_by_role("heading", name="Harness").is_visible()
    assert page.get_by_text(str(tiny_app.home), exact=True).is_visible()
    page.get_by_role("button", name="Slow").click()
    page.get_by_text("done at last").wait_for()
    goto(on=tiny_app)
    assert not page.get_by_text("done at last").is_visible()


@pytest.mark.parametrize(("scheme", "ground"), [("light", "#ffffff"), ("dark", "#11181d")])
def test_own_theme_follows_the_system(
    tiny_app: Any, goto: Callable[..., Page], page: Page, scheme: Any, ground: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    goto(on=tiny_app)
    style = "getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor"
    rgb = tuple(int(ground[i : i + 2], 16) for i in (1, 3, 5))
    assert page.evaluate(style) == f"rgb{rgb}"


def test_developer_options_and_usage_statistics_are_off(
    tiny_app: Any, goto: Callable[..., Page]
) -> None:
    page = goto(on=tiny_app)
    assert page.get_by_text("Deploy").count() == 0
    assert "gather" not in tiny_app.log.read_text().lower()
