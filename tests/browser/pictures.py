"""Pictures of whole pages, and what is looked for on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page

Goto = Callable[..., Page]
LONG = 120_000  # milliseconds that a training may keep us waiting


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
