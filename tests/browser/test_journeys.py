"""What people come for, in a real browser; each journey leaves pictures of its screens."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from finrec.training import jobs
from tests.browser.conftest import App, settle

Goto = Callable[..., Page]
PAGES = ("", "customers", "data", "upload", "train", "compare", "help")
# Streamlit's own sidebar puts the groups of pages between a list and its items.
NOT_OURS = ("list", "listitem")
LONG = 120_000


def picture(page: Page, folder: Path, name: str) -> Path:
    """The whole page, however long, as a file."""
    size = page.viewport_size or {"width": 1280, "height": 900}
    height = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(900, min(height + 20, 4500))})
    page.wait_for_timeout(700)  # charts take the new width
    file = folder / f"{name}.png"
    page.screenshot(path=file)
    page.set_viewport_size(size)
    return file


def charts(page: Page) -> Locator:
    return page.locator("[data-testid=stPlotlyChart]")


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a select box with the keyboard alone."""
    box = page.get_by_role("combobox", name=re.compile(label))
    box.focus()
    box.fill(option)
    page.get_by_role("option", name=re.compile(re.escape(option))).first.wait_for()
    page.keyboard.press("Enter")
    settle(page)


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
        assert page.get_by_role("heading", level=1).inner_text() == (name or "overview").title()
        expect(page.locator("[data-testid=stException]")).to_have_count(0)
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{name} is wider than {width} px"
        picture(page, screenshots, f"{name or 'overview'}-{width}-{scheme}")
        if width == 1280:
            assert barriers(page) == [], name


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
    expect(page.get_by_role("figure", name=re.compile("looks most at"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("linked to the offer"))).to_be_visible()
    picture(page, screenshots, "journey-reasons")


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


@pytest.fixture
def training_home(demo_home: Path, tmp_path: Path) -> Iterator[Path]:
    """The demo bank without any model; trainings left over are ended."""
    home = tmp_path / "home"
    shutil.copytree(demo_home / "data", home / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINREC_HOME", str(home))
        yield home
        for job in jobs.jobs():
            jobs.kill(job.run)


def start(page: Page, preset: str, parts: str) -> None:
    page.get_by_text(preset, exact=True).click()
    settle(page)
    page.get_by_text(parts, exact=True).click()
    settle(page)
    page.get_by_role("button", name="Start training").click()


@pytest.mark.slow
def test_train_watch_reload_stop_and_go_on(
    start_app: Callable[..., App], training_home: Path, goto: Goto, screenshots: Path
) -> None:
    first = start_app(training_home)
    page = goto("train", on=first)
    expect(page.get_by_text(re.compile("This takes about"))).to_be_visible()
    start(page, "Best", "Events")
    expect(page.get_by_text("running", exact=True)).to_be_visible(timeout=LONG)
    progress = page.get_by_text(re.compile(r"Learning, pass \d+ of 20"))
    expect(progress).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile(r"In \d+ pass"))).to_be_visible(timeout=LONG)
    expect(charts(page).locator(".main-svg").first).to_be_visible()
    picture(page, screenshots, "training")

    page.reload()  # the session is gone, the training is not
    expect(progress).to_be_visible(timeout=LONG)
    again = start_app(training_home)  # as after a restart of the app
    page = goto("train", on=again)
    expect(progress).to_be_visible(timeout=LONG)

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled", exact=True)).to_be_visible(timeout=LONG)
    (job,) = jobs.jobs()
    assert job.state == "cancelled"
    passes = len(jobs.read_log(job.run).query("event == 'epoch'"))
    picture(page, screenshots, "stopped")

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("running", exact=True)).to_be_visible(timeout=LONG)
    expect(progress).to_be_visible(timeout=LONG)
    log = jobs.read_log(job.run)
    assert "resumed" in set(log["event"])
    assert log.query("event == 'resumed'")["epoch"].iloc[0] == passes
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled", exact=True)).to_be_visible(timeout=LONG)


@pytest.mark.slow
def test_train_to_the_end_and_use_the_model(
    start_app: Callable[..., App], training_home: Path, goto: Goto, screenshots: Path
) -> None:
    page = goto("train", on=start_app(training_home))
    start(page, "Quick", "Events")
    use = page.get_by_role("button", name="Use this model")
    expect(use).to_be_visible(timeout=2 * LONG)
    settle(page)
    picture(page, screenshots, "trained")
    use.click()
    settle(page)
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()
    expect(page.get_by_text(re.compile(r"^1\. "))).to_be_visible()
    assert jobs.jobs() == []


def test_demo_is_set_up_from_nothing(
    start_app: Callable[..., App], tmp_path: Path, goto: Goto, screenshots: Path
) -> None:
    page = goto(on=start_app(tmp_path))
    picture(page, screenshots, "nothing-yet")
    page.get_by_role("button", name="Set up the demo bank").click()
    expect(page.get_by_role("heading", name="Train", level=1)).to_be_visible(timeout=LONG)
    stop = page.get_by_role("button", name="Cancel")
    expect(stop).to_be_visible(timeout=LONG)
    stop.click()
    expect(page.get_by_text("cancelled", exact=True)).to_be_visible(timeout=LONG)


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
