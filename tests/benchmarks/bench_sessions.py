"""Many people browsing the app at once, in real browser tabs, beside one alone.

Each session walks through the screens by the sidebar, pausing like a reader. Needs Chromium and a
folder with a trained model: FINREC_HOME. FINREC_BENCH_SESSIONS and FINREC_BENCH_SECONDS set how
many and how long (25 and 180). Chromium runs on the same cores as the app, so waits are longer
than people at desks of their own would see.
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
        asyncio.run(_browse(1, 60.0))  # warms up
        alone = asyncio.run(_browse(1, 60.0))
        together = asyncio.run(_browse(SESSIONS, SECONDS))
        status = Path(f"/proc/{app.pid}/status").read_text()
        rss = int(status.split("VmRSS:")[1].split()[0]) // 1024
    finally:
        app.terminate()
        app.wait()
    ratio = together["p95_s"] / alone["p95_s"] if alone["p95_s"] else float("nan")
    return {"alone": alone, f"{SESSIONS} sessions": together, "p95_ratio": round(ratio, 2),
            "app_rss_mib": rss}  # fmt: skip


def _wait() -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/_stcore/health", timeout=1)
            return
        except OSError:
            time.sleep(0.25)
    raise RuntimeError("the app did not start")


async def _browse(count: int, seconds: float) -> dict[str, Any]:
    from playwright.async_api import async_playwright

    took: list[float] = []
    errors: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(find_chromium()))
        until = time.monotonic() + seconds
        await asyncio.gather(*(_person(browser, i, until, took, errors) for i in range(count)))
        await browser.close()
    return {
        "clicks": len(took),
        "median_s": round(float(np.median(took)), 3) if took else float("nan"),
        "p95_s": round(float(np.quantile(took, 0.95)), 3) if took else float("nan"),
        "errors": errors[:5],
        "error_count": len(errors),
    }


async def _person(
    browser: Any, number: int, until: float, took: list[float], errors: list[str]
) -> None:
    chance = random.Random(number)
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    try:
        await asyncio.sleep(chance.uniform(0, 5))
        await page.goto(f"http://127.0.0.1:{PORT}", timeout=120_000)
        await page.get_by_role("heading", level=1).first.wait_for(timeout=120_000)
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
            wrong = await page.get_by_test_id("stException").count()
            if wrong:
                errors.append(
                    f"{name}: {await page.get_by_test_id('stException').first.inner_text()}"
                )
    except Exception as error:  # one person's trouble is counted, the others go on
        errors.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    finally:
        await context.close()
