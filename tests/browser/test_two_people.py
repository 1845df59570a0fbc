"""Two people at once: neither sees the other's state, both see what is shared."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from finrec.training import jobs
from tests.browser.conftest import App, settle
from tests.browser.pictures import LONG


def open_(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=LONG)
    settle(page)


@pytest.mark.slow
def test_one_trains_while_the_other_browses(
    start_app: Callable[..., App], demo_home: Path, chromium: Browser, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    home = tmp_path / "home"
    shutil.copytree(demo_home, home)
    monkeypatch.setenv("FINREC_HOME", str(home))
    app = start_app(home)
    people = [chromium.new_context(viewport={"width": 1280, "height": 900}) for _ in range(2)]
    analyst, manager = (context.new_page() for context in people)
    try:
        for page in (analyst, manager):
            page.goto(app.url)
            settle(page)
        open_(manager, "Customers")
        manager.get_by_label("Customer id begins with").fill("C0123")
        manager.keyboard.press("Enter")
        settle(manager)
        theirs = manager.get_by_role("heading", name=re.compile("^What fits customer")).inner_text()
        assert "C0123" in theirs

        open_(analyst, "Train")
        analyst.get_by_text("Best", exact=True).click()
        settle(analyst)
        analyst.get_by_role("button", name="Start training").click()
        expect(analyst.get_by_text(re.compile(r"Learning, pass \d+"))).to_be_visible(timeout=LONG)

        open_(manager, "My book")  # the training is seen, and in nobody's way
        calls = manager.get_by_text(re.compile(r"\d+ calls? of 10,000 customers"))
        expect(calls).to_be_visible(timeout=LONG)
        expect(
            manager.get_by_role("link", name=re.compile("1 training is running"))
        ).to_be_visible()
        open_(manager, "Customers")
        expect(manager.get_by_role("heading", name=theirs)).to_be_visible(timeout=LONG)

        open_(analyst, "Customers")
        expect(analyst.get_by_label("Customer id begins with")).to_have_value("")
        expect(analyst.get_by_role("heading", name=theirs)).to_have_count(0)
        for page in (analyst, manager):
            expect(page.get_by_test_id("stException")).to_have_count(0)
    finally:
        for context in people:
            context.close()
        for job in jobs.jobs():
            jobs.kill(job.run)
