"""Training from the page: watched, reloaded, cancelled, resumed, finished."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from finrec.training import jobs
from tests.browser.conftest import App, settle
from tests.browser.pictures import LONG, Goto, charts, picture


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
