"""What every test may use: kinds of tests, a home of its own, the real data, a small data set.

Set FINREC_REQUIRE=browser,realdata to turn a skipped test of those kinds into a failure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

# Two threads at most, one beside other workers; set before torch is imported, inherited by
# every program that a test starts.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

from finrec import schema  # noqa: E402  (after the thread limits)
from finrec.bootstrap import SetupError, find_chromium  # noqa: E402

KINDS = ("browser", "realdata")
HERE = Path(__file__).resolve().parent
REQUIRED = pytest.StashKey[set[str]]()  # read once: tests of this file change the environment


def required() -> set[str]:
    """Kinds of tests that must not be skipped, from FINREC_REQUIRE."""
    named = {part.strip() for part in os.environ.get("FINREC_REQUIRE", "").split(",")} - {""}
    if named - set(KINDS):
        raise pytest.UsageError(
            f"FINREC_REQUIRE names {', '.join(sorted(named - set(KINDS)))}; it knows "
            f"{' and '.join(KINDS)}."
        )
    return named


def data_folder() -> Path | None:
    """The folder that FINREC_REAL_DATA names, when it is one."""
    named = os.environ.get("FINREC_REAL_DATA")
    return Path(named).resolve() if named and Path(named).is_dir() else None


def _why_not(kind: str) -> str | None:
    if kind == "realdata":
        return None if data_folder() else "FINREC_REAL_DATA names no folder of real data"
    try:
        return None if find_chromium() else "no Chromium found (set FINREC_CHROMIUM)"
    except SetupError as error:
        return str(error)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a FINREC_REQUIRE that would silently require nothing."""
    config.stash[REQUIRED] = required()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by folder, and skip the kinds that this machine can't run."""
    for item in items:
        for kind in KINDS:
            if (HERE / kind) in item.path.parents:
                item.add_marker(kind)
    for kind in KINDS:
        of_kind = [item for item in items if item.get_closest_marker(kind)]
        why_not = _why_not(kind) if of_kind else None
        if why_not:
            for item in of_kind:
                item.add_marker(pytest.mark.skip(reason=why_not))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skip of a required kind, whatever its reason, into a failure."""
    report: Any = yield
    kinds = [k for k in sorted(item.config.stash[REQUIRED]) if item.get_closest_marker(k)]
    if kinds and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"FINREC_REQUIRE names {', '.join(kinds)}, so this test must run, but it was "
            f"skipped: {report.longrepr[-1]}"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """A whole file that skips itself can't say its kind: under FINREC_REQUIRE it fails."""
    report: Any = yield
    if collector.config.stash[REQUIRED] and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"FINREC_REQUIRE is set, but {collector.nodeid} skipped itself."
    return report


@pytest.fixture(scope="session", autouse=True)
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps session- and module-wide fixtures, too, out of the project's data/ and models/."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("session-home")
        patch.setenv("FINREC_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One FINREC_HOME for all tests of a module that ask for it, say to train once."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("shared-home")
        patch.setenv("FINREC_HOME", str(home))
        yield home


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    """FINREC_HOME of this test: an empty folder of its own, or the ``shared_home`` if it has one.

    Also holds torch to the thread limits, should something have raised them.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if "shared_home" in request.fixturenames:
        yield request.getfixturevalue("shared_home")
        return
    with pytest.MonkeyPatch.context() as patch:
        own = request.getfixturevalue("tmp_path_factory").mktemp("home")
        patch.setenv("FINREC_HOME", str(own))
        yield own


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; only for tests marked ``realdata``."""
    folder = data_folder()
    assert folder is not None, "a test that uses real_data must be marked realdata"
    return folder


PRODUCTS = (
    ("current account", "Everyday account with a debit card and no monthly fee.", "account", 0.0),
    ("savings account", "Instant-access savings with interest paid monthly.", "account", 1.5),
    ("fixed deposit", "One-year deposit with a guaranteed rate.", "account", 2.8),
    ("credit card", "Card with a revolving limit and 30 days to pay.", "card", 19.9),
    ("travel card", "Card without foreign fees and with travel insurance.", "card", 21.9),
    ("gold card", "Card with airport lounges and a high limit.", "card", 17.9),
    ("mortgage", "Home loan over up to 30 years.", "loan", 3.9),
    ("car loan", "Loan for a new or used car over 6 years.", "loan", 6.4),
    ("bridge loan", "Short loan between the sale and purchase of a home.", "loan", 7.2),
    ("index fund", "World shares at a low annual fee.", "investment", 6.0),
    ("bond fund", "Government bonds of medium duration.", "investment", 3.1),
    ("pension plan", "Retirement saving with tax relief.", "investment", 4.5),
)


@pytest.fixture(scope="session")
def small_dataset() -> schema.Dataset:
    """60 customers, 12 products, 400 purchases in 2023 and 2024; the same on every call.

    Customers with an odd number buy mostly products of odd number, so that there is something to
    learn. Customer 007 has no events, product P12 nobody has, and incomes are missing here and
    there. Nobody acquires a product twice. Under R2 validation starts 2024-07-01, test 2024-10-01.
    """
    random = np.random.default_rng(20240701)
    n = 60
    customers = pd.DataFrame(
        {
            schema.CUSTOMER: [f"{i:03d}" for i in range(1, n + 1)],
            "age": random.integers(18, 80, n),
            "income": np.where(random.random(n) < 0.1, np.nan, random.lognormal(10, 0.4, n)),
            "occupation": random.choice(["nurse", "clerk", "engineer", "retired"], n),
            "student": random.random(n) < 0.2,
        }
    )
    products = pd.DataFrame(PRODUCTS, columns=[schema.NAME, schema.DESCRIPTION, "type", "rate"])
    products.insert(0, schema.PRODUCT, [f"P{i:02d}" for i in range(1, len(PRODUCTS) + 1)])
    links = pd.DataFrame(
        {
            schema.SOURCE: customers[schema.CUSTOMER].iloc[1:21].to_numpy(),
            schema.TARGET: customers[schema.CUSTOMER].iloc[21:41].to_numpy(),
            schema.KIND: ["household", "referral"] * 10,
            schema.WEIGHT: np.ones(20, dtype=np.float32),
        }
    )
    info = schema.DatasetInfo(
        name="small",
        title="Small made-up bank",
        origin="made by the tests",
        generated=True,
        split=("2024-07-01", "2024-10-01"),
        ks=(3, 5),
    )
    return schema.validated(
        schema.Dataset(info, customers, products, _purchases(random, customers), links)
    )


def _purchases(random: np.random.Generator, customers: pd.DataFrame) -> pd.DataFrame:
    buyers = [i for i in range(len(customers)) if i != 6]
    counts = np.full(len(buyers), 400 // len(buyers))
    counts[: 400 - counts.sum()] += 1
    frames = []
    for i, count in zip(buyers, counts, strict=True):
        weight = np.where(np.arange(11) % 2 == i % 2, 8.0, 1.0)
        chosen = random.choice(11, size=count, replace=False, p=weight / weight.sum())
        days = np.sort(random.integers(0, 731, count))
        frames.append(
            pd.DataFrame(
                {
                    schema.CUSTOMER: customers[schema.CUSTOMER].iloc[i],
                    schema.PRODUCT: [f"P{p + 1:02d}" for p in chosen],
                    schema.TIME: pd.Timestamp("2023-01-01") + pd.to_timedelta(days, unit="D"),
                    schema.KIND: schema.ACQUIRED,
                    schema.AMOUNT: random.lognormal(6, 1, count).round(2),
                    schema.ORDER: np.arange(count, dtype=np.int64),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
