"""The real app in a real browser: a server a session, a page a test, pictures of failures.

Use ``app`` (with the demo bank and its trained model) or ``empty_app`` (with nothing), and
``goto(path)``, which returns the page when the app has finished drawing it.
FINREC_SCREENSHOTS names the folder for pictures. FINREC_TEST_HOME names a folder with data/ and
models/ to use in place of building the demo bank, which takes minutes.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from finrec.bootstrap import find_chromium

ROOT = Path(__file__).resolve().parent.parent.parent
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 90
DEMO_SECONDS = 900
DRAWN_MS = 60_000
expect.set_options(timeout=30_000)  # charts come late on a busy machine
FAILED = pytest.StashKey[bool]()
# The script has run to its end, and nothing on the page is left over from the run before.
DRAWN = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.dataset.testScriptState === 'notRunning'
    && app.dataset.testConnectionState === 'CONNECTED'
    && !document.querySelector('[data-testid="stStatusWidget"]')
    && !document.querySelector('[data-stale="true"]');
}"""


@dataclass(frozen=True)
class App:
    """A running app.

    Args:
        url: its address, without a slash at the end.
        home: its FINREC_HOME.
        log: what it prints.
    """

    url: str
    home: Path
    log: Path


def settle(page: Page) -> None:
    """Wait until the app has finished running its script and has drawn everything."""
    page.wait_for_function(DRAWN, timeout=DRAWN_MS)
    page.wait_for_timeout(150)  # a click's rerun begins a moment after it
    page.wait_for_function(DRAWN, timeout=DRAWN_MS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"The app did not start:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="session")
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., App]]:
    """Starts the app: ``start_app(home, script="app.py", **environment)``; ends all at the end."""
    running = []

    def start(home: Path, script: str | Path = "app.py", **environment: str) -> App:
        log = tmp_path_factory.mktemp("app") / "app.log"
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        options = ["--server.headless", "true", "--server.address", "127.0.0.1"]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", str(script), *options,
                 "--server.port", str(port)],
                cwd=ROOT,
                env={**os.environ, "FINREC_HOME": str(home), **environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        running.append(process)
        _wait_until_healthy(url, process, log)
        return App(url, home, log)

    try:
        yield start
    finally:
        for process in running:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with everything that it started; politely first."""
    for how, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, how)
            process.wait(seconds)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A FINREC_HOME with the demo bank and its first trained model, built once for all workers."""
    base = tmp_path_factory.getbasetemp()
    home = (base if worker_id == "master" else base.parent) / "demo-home"
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = home / "ready"
        if not ready.exists():
            ready_made = os.environ.get("FINREC_TEST_HOME")
            if ready_made:
                shutil.copytree(ready_made, home)
            else:
                _build_demo(home)
            ready.touch()
    return home


def _build_demo(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)  # what a failed build left
    home.mkdir()
    built = subprocess.run(
        [sys.executable, "-m", "finrec", "demo"],
        cwd=ROOT,
        env={**os.environ, "FINREC_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
    )
    assert built.returncode == 0, built.stderr[-4000:]


@pytest.fixture(scope="session")
def app(start_app: Callable[..., App], demo_home: Path) -> App:
    """The app with the demo bank."""
    return start_app(demo_home)


@pytest.fixture(scope="session")
def empty_app(start_app: Callable[..., App], tmp_path_factory: pytest.TempPathFactory) -> App:
    """The app as on its very first start, with nothing ingested and nothing trained."""
    return start_app(tmp_path_factory.mktemp("empty-home"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium; a module's own, because Playwright keeps an event loop while it is open."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=SWITCHES, headless=True
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for pictures: FINREC_SCREENSHOTS, else a temporary one."""
    named = os.environ.get("FINREC_SCREENSHOTS")
    folder = Path(named).resolve() if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember a failure, so that the page's fixture can take a picture of it."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture
def page(chromium: Browser, screenshots: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page of 1280 by 900; fails the test when anything outside this machine is asked for.

    A picture of a failed test's page lies in ``screenshots`` under the test's name.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    outside: list[str] = []

    def only_here(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", "localhost"):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route(re.compile("^(https?|wss?):"), only_here)
    opened = context.new_page()
    yield opened
    if request.node.stash.get(FAILED, False):
        name = re.sub(r"[^\w.-]+", "-", request.node.name)
        picture = screenshots / f"{name}.png"
        opened.screenshot(path=picture, full_page=True)
        print(f"picture of the page: {picture}")
    context.close()
    assert outside == [], "the app must not fetch anything from the network"


@pytest.fixture
def goto(page: Page, request: pytest.FixtureRequest) -> Callable[..., Page]:
    """``goto("customers")`` opens that page of ``app`` (or of ``on=``), to be seen when drawn."""

    def go(path: str = "", on: App | None = None) -> Page:
        target = on or request.getfixturevalue("app")
        page.goto(f"{target.url}/{path.lstrip('/')}")
        settle(page)
        return page

    return go
