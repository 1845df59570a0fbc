"""Many people browsing the app at once: one real browser tab, alone and among 24 other sessions.

Each session walks through the screens, pausing like a reader. The tab is Chromium's; the others
speak Streamlit's protocol without a browser (:mod:`tests.benchmarks.visitors`), because 25 browsers
would wait for their own turn on the app's cores. Sessions are loaded before anything is measured.
Needs Chromium and a folder with a trained model: FINREC_HOME. FINREC_BENCH_SESSIONS and
FINREC_BENCH_SECONDS set how many and how long (25 and 180).
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from finrec.bootstrap import find_chromium
from tests.benchmarks.visitors import Visitor, browse

SESSIONS = int(os.environ.get("FINREC_BENCH_SESSIONS", "25"))
SECONDS = float(os.environ.get("FINREC_BENCH_SECONDS", "180"))
SCREENS = ("Overview", "My book", "Customers", "Products", "Data", "Compare", "Records", "Help")
READING = (4.0, 10.0)  # seconds between two clicks
PORT = 8699
ROOT = Path(__file__).parents[2]


def run() -> dict[str, Any]:
    """Seconds from click to a complete screen, alone and together, and the errors seen."""
    app = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(PORT),
         "--server.headless", "true"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait()
        asyncio.run(_browse(1, 30.0))  # warms up
        alone = asyncio.run(_browse(1, SECONDS))
        together = asyncio.run(_browse(SESSIONS, SECONDS))
        status = Path(f"/proc/{app.pid}/status").read_text()
        rss = int(status.split("VmRSS:")[1].split()[0]) // 1024
    finally:
        app.terminate()
        app.wait()
    return {
        "alone": alone,
        f"{SESSIONS} sessions": together,
        "p95_ratio_tab": _ratio(together, alone, "tab"),
        "p95_ratio_visitor": _ratio(together, alone, "visitor"),
        "app_rss_mib": rss,
    }


def _ratio(together: dict[str, Any], alone: dict[str, Any], who: str) -> float:
    return float(round(together[who]["p95_s"] / alone[who]["p95_s"], 2))


def _wait() -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/_stcore/health", timeout=1)
            return
        except OSError:
            time.sleep(0.25)
    raise RuntimeError("the app did not start")


async def _browse(count: int, seconds: float) -> dict[str, Any]:
    """A tab and ``count - 1`` visitors at once; alone, first the tab and then one visitor."""
    from playwright.async_api import async_playwright

    errors: list[str] = []
    alone = count == 1
    visitors = [Visitor(PORT, number) for number in range(max(1, count - 1))]
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(find_chromium()))
        page = await _opened(browser)
        for visitor in visitors:
            await visitor.open()
        until = time.monotonic() + seconds
        tab = _tab(page, until, errors)
        others = [browse(v, until + alone * seconds, READING, SCREENS) for v in visitors]
        if alone:
            clicks, answers = await tab, [await others[0]]
        else:
            clicks, *answers = await asyncio.gather(tab, *others)
        await browser.close()
    for visitor in visitors:
        errors += visitor.faults
        await visitor.close()
    every = [seconds for one in answers for seconds in one]
    return {"tab": _told(clicks), "visitor": _told(every), "errors": errors[:5],
            "error_count": len(errors)}  # fmt: skip


def _told(took: list[float]) -> dict[str, float]:
    return {
        "steps": len(took),
        "median_s": round(float(np.median(took)), 3),
        "p95_s": round(float(np.quantile(took, 0.95)), 3),
    }


async def _opened(browser: Any) -> Any:
    page = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
    await page.goto(f"http://127.0.0.1:{PORT}", timeout=120_000)
    await page.get_by_role("heading", level=1).first.wait_for(timeout=120_000)
    return page


async def _tab(page: Any, until: float, errors: list[str]) -> list[float]:
    chance, took = random.Random(7), []
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(*READING))
        name = chance.choice(SCREENS)
        began = time.monotonic()
        await page.get_by_role("link", name=name, exact=True).first.click(timeout=60_000)
        await page.get_by_role("heading", level=1, name=name).first.wait_for(timeout=60_000)
        await page.wait_for_function(
            "document.querySelector('[data-testid=\"stApp\"]')"
            "?.getAttribute('data-test-script-state') !== 'running'", timeout=60_000,
        )  # fmt: skip
        took.append(time.monotonic() - began)
        if await page.get_by_test_id("stException").count():
            errors.append(f"{name}: {await page.get_by_test_id('stException').first.inner_text()}")
    return took
