"""A page kept outside the app: saved as one HTML file, printed; written as a country writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from finrec import schema, snapshots
from tests.browser.conftest import App, settle
from tests.browser.pictures import Goto, picture


@pytest.fixture
def small_app(
    start_app: Callable[..., App], home: Path, small_dataset: schema.Dataset
) -> Callable[..., App]:
    """The app with the small data set and no model."""
    snapshots.write(small_dataset, {"source": "tests", "files": []})
    return lambda **environment: start_app(home, **environment)


def test_page_is_saved_whole_and_without_a_script(
    small_app: Callable[..., App], goto: Goto, page: Page, chromium: Browser, screenshots: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    goto("data", on=small_app())
    page.get_by_role("button", name="Settings").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save page as HTML").click()
    assert saved.value.suggested_filename == "finrec-data.html"
    file = tmp_path / "kept.html"
    saved.value.save_as(file)
    text = file.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "default-src 'none'" in text
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 900, "height": 900}
    )
    kept = context.new_page()
    kept.goto(file.as_uri())
    expect(kept.get_by_role("heading", name="Data", exact=True)).to_be_visible()
    expect(kept.locator("table.kept").first).to_contain_text("Customers")
    expect(kept.locator("svg.main-svg").first).to_be_visible()
    expect(kept.get_by_role("button")).to_have_count(0)
    kept.screenshot(path=screenshots / "kept-page.png", full_page=True)
    context.close()


def test_only_a_page_that_is_complete_is_saved(
    small_app: Callable[..., App], goto: Goto, page: Page
) -> None:
    goto("data", on=small_app())
    page.get_by_role("button", name="Settings").click()
    settle(page)
    page.evaluate(
        """() => {
          const late = document.createElement("div");
          late.dataset.testid = "stSkeleton";
          late.textContent = "not drawn yet";
          document.querySelector("[data-testid=stMain]").append(late);
        }"""
    )
    saved: list[object] = []
    page.on("download", lambda file: saved.append(file))
    page.get_by_role("button", name="Save page as HTML").click()
    expect(page.get_by_role("button", name="Waiting for the page")).to_be_disabled()
    page.wait_for_timeout(1_000)
    assert saved == []
    with page.expect_download():
        page.evaluate("document.querySelector('[data-testid=stMain] > [data-testid]:last-child')"
                      ".remove()")  # fmt: skip
    expect(page.get_by_role("button", name="Save page as HTML")).to_be_enabled()


def test_printed_page_has_no_sidebar_and_nothing_to_press(
    small_app: Callable[..., App], goto: Goto, page: Page
) -> None:
    goto("data", on=small_app())
    page.emulate_media(media="print")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.get_by_role("button", name="Bring in")).to_be_hidden()
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()


def test_numbers_and_dates_follow_the_setting(
    small_app: Callable[..., App], goto: Goto, page: Page, screenshots: Path
) -> None:
    goto("data", on=small_app(FINREC_LOCALE="en-US"))
    page.get_by_role("button", name="Settings").click()
    box = page.get_by_role("combobox", name="Numbers and dates as in")
    expect(box).to_have_value("United States")
    picture(page, screenshots, "settings")
    sparsity = page.get_by_test_id("stMetricValue").first
    before = sparsity.inner_text()
    box.fill("Germany")
    page.keyboard.press("Enter")
    settle(page)
    expect(sparsity).to_have_text(before.replace(".", ",").replace("%", "\u00a0%"))
    page.get_by_role("link", name="Overview").first.click()
    settle(page)
    page.get_by_role("button", name="Settings").click()
    expect(box).to_have_value("Germany")
