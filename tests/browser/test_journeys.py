"""What people come for, in a real browser; each journey leaves pictures of its screens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import App, settle
from tests.browser.pictures import LONG, Goto, charts, picture


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a select box with the keyboard alone."""
    box = page.get_by_role("combobox", name=re.compile(label))
    box.focus()
    box.fill(option)
    page.get_by_role("option", name=re.compile(re.escape(option))).first.wait_for()
    page.keyboard.press("Enter")
    settle(page)


def test_from_the_demo_to_a_recommendation_and_its_reasons(
    app: App, goto: Goto, page: Page, screenshots: Path
) -> None:
    goto()
    expect(page.get_by_text("generated data").first).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("link", name="Customers").click()
    settle(page)
    page.get_by_label("Customer id begins with").fill("C0004")
    page.keyboard.press("Enter")
    settle(page)
    choose(page, "Customer$", "C00047")
    heading = page.get_by_role("heading", name="What fits customer C00047")
    expect(heading).to_be_visible()
    why = page.get_by_role("button", name=re.compile("Why|Shown"))
    expect(why).to_have_count(5)
    chances = page.get_by_text(re.compile(r"^\d+\.\d%$")).all_inner_texts()
    values = [float(text[:-1]) for text in chances]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)
    second = page.get_by_text(re.compile(r"^2\. ")).inner_text().removeprefix("2. ")
    why.nth(1).click()
    settle(page)
    asked = page.get_by_role("heading", name=f"Why {second} for customer C00047")
    expect(asked).to_be_visible()
    expect(page.get_by_role("heading", name="What adds to the score")).to_be_visible()
    expect(charts(page).first).to_be_visible()
    expect(page.locator(".waterfalllayer .trace")).not_to_have_count(0)
    named = page.get_by_role("figure", name=re.compile("Against the average product"))
    expect(named).to_be_visible()  # the chart has a text alternative
    assert "C00047" not in page.url, "an address never names a customer"
    assert re.search(r"\?data=demo%40\w+&model=demo-", page.url)
    for tab, said in (("Attention", "looks most at"), ("Neighbours", "linked to the offer")):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("figure", name=re.compile(said))).to_be_visible()
        settle(page)
    expect(asked).to_be_visible()  # another part is open, of the same product
    picture(page, screenshots, "journey-reasons")


def test_own_file_is_uploaded_mapped_and_brought_in(
    start_app: Callable[..., App], tmp_path: Path, goto: Goto, screenshots: Path
) -> None:
    rows = [f"K{i % 40:02d};P{(7 * i + i // 40) % 12:02d};{1 + i % 28:02d}.{1 + i // 28:02d}.2023"
            for i in range(300)]  # fmt: skip
    file = tmp_path / "sales.csv"
    file.write_text("\n".join(["client;product_code;bought", *rows, "K01;P02;never"]) + "\n")
    page = goto("upload", on=start_app(tmp_path / "home"))
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.get_by_role("heading", name="3. What it gives")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("took the product in product_code")).to_be_visible(timeout=LONG)
    settle(page)
    picture(page, screenshots, "upload-mapping")
    page.get_by_role("button", name="Bring in").click()
    expect(page.get_by_text("Your data are in.")).to_be_visible(timeout=LONG)
    settle(page)
    picture(page, screenshots, "upload-receipt")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save rejected rows").click()
    assert "never" in saved.value.path().read_text(encoding="utf-8-sig")
    page.get_by_role("link", name="Train a model").click()
    settle(page)
    expect(page.get_by_text("A new model of sales")).to_be_visible()
