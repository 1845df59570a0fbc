"""Products in a real browser: one that exists, and one that does not exist yet."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import App, settle
from tests.browser.pictures import LONG, Goto, charts, picture
from tests.browser.test_journeys import choose


def test_product_is_looked_at_and_its_best_customer_opened(
    app: App, goto: Goto, page: Page, screenshots: Path
) -> None:
    goto("products")
    choose(page, "Product$", "Traveller Card")
    expect(page.get_by_role("heading", name="Traveller Card")).to_be_visible()
    expect(page.get_by_text("Customers with it")).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("By age: most often"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("Most linked to"))).to_be_visible()
    page.get_by_text("Ask the model about the customers").click()
    expect(page.get_by_text("Customer to look at")).to_be_visible(timeout=LONG)
    settle(page)
    expect(charts(page)).to_have_count(3)
    picture(page, screenshots, "product")
    best = page.get_by_role("combobox", name=re.compile("Customer to look at")).input_value()
    page.get_by_role("button", name="Open customer").click()
    heading = page.get_by_role("heading", name=f"What fits customer {best}")
    expect(heading).to_be_visible(timeout=LONG)
    assert best not in page.url, "an address never names a customer"


def test_cold_product_is_described_and_its_customers_are_found(
    app: App, goto: Goto, page: Page, screenshots: Path
) -> None:
    goto("products")
    page.get_by_text("A new product", exact=True).click()
    settle(page)
    page.get_by_label("Name").fill("Retirement annuity")
    page.get_by_label("Description").fill(
        "A guaranteed lifelong pension for those about to retire, paid every month."
    )
    choose(page, "^Type", "pension")
    page.get_by_role("button", name="Who would want it?").click()
    expect(page.get_by_role("heading", name="Who would want Retirement annuity")).to_be_visible(
        timeout=LONG
    )
    settle(page)
    expect(page.get_by_text("The model read: name and description, Type.")).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("By age: it fits"))).to_be_visible()
    expect(page.get_by_role("heading", name="Products it resembles")).to_be_visible()
    expect(page.get_by_text("who before whom, not how many")).to_be_visible()
    picture(page, screenshots, "cold-product")
