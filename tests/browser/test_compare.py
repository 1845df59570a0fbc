"""From a comparison begun on the page to a customer who gains by it, in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from finrec.pipeline import compare
from tests.browser.conftest import App, settle
from tests.browser.pictures import LONG, Goto, charts, picture


@pytest.fixture
def own_home(demo_home: Path, tmp_path: Path) -> Path:
    """A copy of the demo bank, where comparisons are in nobody's way."""
    home = tmp_path / "home"
    shutil.copytree(demo_home, home)
    return home


def pick(page: Page, label: str, *options: str) -> None:
    """Pick just these; the Enter key would take all that contain what is typed."""
    for option in options:
        box = page.get_by_role("combobox", name=re.compile(label))
        box.focus()
        box.fill(option)
        page.get_by_role("option", name=option, exact=True).click()
        settle(page)
    page.keyboard.press("Escape")


@pytest.mark.slow
def test_ablation_is_compared_clicked_through_and_a_customer_opens(
    start_app: Callable[..., App], own_home: Path, goto: Goto, page: Page, screenshots: Path
) -> None:
    goto("compare", on=start_app(own_home))
    page.get_by_role("tab", name="Comparisons").click()
    expect(page.get_by_text("No comparison of this data is made yet.")).to_be_visible()
    settle(page)
    page.get_by_text("Some", exact=True).click()
    settle(page)
    pick(page, "^Which", "Events", "Popularity", "Markov chain")
    page.get_by_role("spinbutton", name="Seeds").fill("1")
    page.keyboard.press("Tab")
    settle(page)
    expect(page.get_by_text(re.compile("^3 measurements; this takes about"))).to_be_visible()
    picture(page, screenshots, "comparison-form")
    page.get_by_role("button", name="Start the comparison").click()
    expect(page.get_by_text(re.compile(r"\d of 3 measurements made"))).to_be_visible(timeout=LONG)
    expect(page.get_by_text("running", exact=True)).to_be_visible(timeout=LONG)
    picture(page, screenshots, "comparison-running")
    bars = charts(page).first.locator(".bars .point path")
    expect(bars).to_have_count(3, timeout=LONG)
    expect(page.get_by_text("Not done yet")).to_have_count(0, timeout=LONG)
    settle(page)
    assert page.get_by_role("tab", name="Comparisons").get_attribute("aria-selected") == "true"

    expect(bars).to_have_count(3)
    bars.last.scroll_into_view_if_needed()
    box = bars.last.bounding_box()  # plotly takes clicks on a layer above its bars
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    settle(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINREC_HOME", str(own_home))
        (made,) = compare.comparisons()
        weakest = compare.summary(made, compare.headline(made))["method"].iloc[-1]
        title = {**compare.titles(), "baseline": "Events"}[weakest]
    after = page.get_by_role("combobox", name="To", exact=True)
    expect(after).to_have_value(title)
    expect(page.get_by_text(re.compile(r"[\d,]+ customers gain, [\d,]+ lose"))).to_be_visible()
    picture(page, screenshots, "comparison-gains")
    chosen = page.get_by_role("combobox", name="Customer to look at").input_value()
    customer = re.findall(r"C\d+", chosen)[0]
    page.get_by_role("button", name="Open customer").click()
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name=f"Customer {customer}").first).to_be_visible()
    assert customer not in page.url
    picture(page, screenshots, "comparison-customer")
