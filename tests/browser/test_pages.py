"""Every page in a real browser: drawn, at any width, light and dark, and open to everybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, settle
from tests.browser.pictures import Goto, picture

PAGES = (
    "", "book", "customers", "products", "campaign", "data", "upload", "train", "compare", "batch",
    "groups", "policy", "records", "help",
)  # fmt: skip
TITLES = {"": "Overview", "book": "My book"}
# Streamlit's own sidebar puts the groups of pages between a list and its items.
NOT_OURS = ("list", "listitem")


def barriers(page: Page) -> list[str]:
    """What axe-core finds that keeps people from reading or using the page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:200]}"
        for v in found
        if v["impact"] in ("serious", "critical") and v["id"] not in NOT_OURS
    ]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 820])
def test_every_page_draws_without_sideways_scrolling(
    app: App, goto: Goto, page: Page, screenshots: Path, width: int, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for name in PAGES:
        goto(name)
        assert page.get_by_role("heading", level=1).inner_text() == TITLES.get(name, name.title())
        expect(page.locator("[data-testid=stException]")).to_have_count(0)
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{name} is wider than {width} px"
        picture(page, screenshots, f"{name or 'overview'}-{width}-{scheme}")
        if width == 1280:
            assert barriers(page) == [], name


def test_reload_and_link_keep_the_model(app: App, goto: Goto, page: Page) -> None:
    goto("compare")
    address = page.url
    assert "model=" in address
    page.reload()
    settle(page)
    assert page.url == address


def test_first_link_to_a_fresh_server_is_drawn_inside_the_frame(
    start_app: Callable[..., App], demo_home: Path, goto: Goto
) -> None:
    page = goto("customers", on=start_app(demo_home))
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_role("link", name="Compare")).to_be_visible()
    expect(sidebar.get_by_role("link", name="frame")).to_have_count(0)
    assert "model=" in page.url
