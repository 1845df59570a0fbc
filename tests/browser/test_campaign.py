"""From a plan to a list that leaves the house, and what came of it; the morning's calls."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from playwright.sync_api import Page, TimeoutError, expect

from finrec import records
from tests.browser.conftest import App, settle
from tests.browser.pictures import LONG, Goto, charts, picture


@pytest.fixture(scope="module")
def own_home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo bank: what is recorded here is in nobody's way."""
    home = tmp_path_factory.mktemp("campaign") / "home"
    shutil.copytree(demo_home, home)
    return home


@pytest.fixture(scope="module")
def own_app(start_app: Callable[..., App], own_home: Path) -> App:
    return start_app(own_home)


@pytest.fixture(autouse=True)
def records_of_the_app(own_home: Path) -> Iterator[None]:
    """The test reads what the app recorded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINREC_HOME", str(own_home))
        yield


def add(page: Page, label: str, *options: str) -> None:
    """Pick from a multiselect with the keyboard alone."""
    for option in options:
        box = page.get_by_role("combobox", name=re.compile(label))
        wanted = page.get_by_role("option", name=option, exact=True)
        for patience in (2_000, 5_000, 20_000):  # a box that is just opening loses what is typed
            box.focus()
            box.fill(option)
            try:
                wanted.wait_for(timeout=patience)
                break
            except TimeoutError:
                box.fill("")
        expect(wanted).to_be_visible()
        page.keyboard.press("Enter")
        settle(page)
    page.keyboard.press("Escape")


def test_campaign_is_planned_exported_and_compared_with_what_came_of_it(
    own_app: App, goto: Goto, page: Page, screenshots: Path
) -> None:
    goto(on=own_app)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Campaign").click()
    settle(page)
    expect(page.get_by_role("button", name="Plan the campaign")).to_be_disabled()
    picture(page, screenshots, "campaign-empty")
    add(page, "^Products", "Tax-Relief Pension", "World Index Fund", "Gold Charge Card")
    page.get_by_text("Which customers: everybody, or some").click()
    settle(page)
    add(page, "Education", "bachelor", "master")
    page.get_by_text("Which customers: everybody, or some").click()
    page.get_by_role("spinbutton", name="Offers of each product, at most").fill("40")
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_role("button", name="Plan the campaign").click()
    expect(page.get_by_role("heading", name="The list")).to_be_visible()
    settle(page)
    expect(page.get_by_text("Within these limits nothing better exists.")).to_be_visible()
    expect(charts(page).first.locator(".bars path")).not_to_have_count(0)
    page.get_by_role("button", name="Find the main reason of each").click()
    asking = page.get_by_role("progressbar")  # one explanation after the other: it takes its time
    expect(asking).to_be_visible()
    expect(page.get_by_role("button", name="Find the main reason of each")).to_have_count(
        0, timeout=LONG
    )
    settle(page)
    picture(page, screenshots, "campaign-planned")
    assert "C0" not in page.url, "an address never names a customer"

    files = {}
    for title in ("Excel", "CSV", "Parquet"):
        page.get_by_role("button", name="Save the list").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name=title, exact=True).click()
        files[title] = saved.value.path()
        page.keyboard.press("Escape")
        settle(page)
    sheet = list(openpyxl.load_workbook(io.BytesIO(files["Excel"].read_bytes())).active.values)
    csv = pd.read_csv(files["CSV"], encoding="utf-8-sig")
    parquet = pd.read_parquet(files["Parquet"])
    assert len(sheet) - 1 == len(csv) == len(parquet) > 0
    assert csv["Product"].value_counts().max() <= 40
    assert not csv["Customer"].duplicated().any(), "one offer a customer"
    assert (csv["Main reason"].str.len() > 10).all()
    assert list(sheet[0]) == list(csv.columns)
    exports = records.find(kinds=("exported",))
    assert len(exports) == 3

    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_role("button", name="Save this campaign").click()
    expect(page.get_by_text(f"Saved with {len(csv)} offers.")).to_be_visible()
    first = csv.iloc[0]
    row = {"kind": "accepted", "customer_id": first["Customer"], "campaign": "Spring",
           "product_id": first["Product id"]}  # fmt: skip
    records.append(pd.DataFrame([row]))
    page.get_by_role("tab", name="Saved campaigns").click()
    settle(page)
    page.reload()
    settle(page)
    page.get_by_role("tab", name="Saved campaigns").click()
    expect(
        page.get_by_text(re.compile(rf"1 of {len(csv)} offers were taken up")).first
    ).to_be_visible()
    settle(page)
    picture(page, screenshots, "campaign-outcome")


def test_morning_of_a_relationship_manager(
    own_app: App, goto: Goto, page: Page, screenshots: Path
) -> None:
    goto("book", on=own_app)
    expect(page.get_by_text(re.compile(r"^1\. Customer "))).to_be_visible()
    settle(page)
    first = page.get_by_text(re.compile(r"^1\. Customer ")).inner_text()
    customer = re.findall(r"C\d+", first)[0]
    page.get_by_role("button", name=re.compile("^Snooze")).first.click()
    page.get_by_role("button", name="In a week", exact=True).click()
    expect(page.get_by_text(f"Customer {customer} is snoozed until")).to_be_visible()
    settle(page)
    expect(page.get_by_text(re.compile(r"^1\. Customer "))).not_to_contain_text(customer)
    page.get_by_role("button", name="Undo").click()
    settle(page)
    expect(page.get_by_text(re.compile(r"^1\. Customer "))).to_contain_text(customer)
    settle(page)
    page.locator("button", has_text="Open").first.click()
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name=f"Customer {customer}").first).to_be_visible()
    assert customer not in page.url
    goto("book", on=own_app)
    expect(page.get_by_text(re.compile(r"^1\. Customer "))).to_contain_text(customer)
    settle(page)
    page.get_by_role("button", name=re.compile("^Done")).first.click()
    page.get_by_text("Accepted", exact=True).first.click()
    settle(page)
    picture(page, screenshots, "book-done")
    page.get_by_role("button", name="Record", exact=True).first.click()
    expect(page.get_by_text(f"The call to customer {customer} is done.")).to_be_visible()
    settle(page)
    page.emulate_media(media="print")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.get_by_role("button", name="Undo")).to_be_hidden()
    expect(page.get_by_role("button", name="Print this page")).to_be_hidden()
    page.screenshot(path=screenshots / "book-printed.png", full_page=True)
    page.emulate_media(media="screen")
    goto("records", on=own_app)
    expect(page.get_by_role("heading", name="Records")).to_be_visible()
    picture(page, screenshots, "records")
    found = records.find(customer=customer)
    assert found["kind"].tolist()[:2] == ["done", "accepted"]
    assert customer not in page.url
