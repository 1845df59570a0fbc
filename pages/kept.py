"""Answers about offers, kept until the records or the policy change; files to save."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import streamlit as st

from finrec import config, pipeline
from finrec.figures import outreach as figures
from finrec.pipeline import outreach
from finrec.schema import DataError
from pages import memory
from pages.signing import who as who

logger = logging.getLogger(__name__)
# One at a time, in order; what is waiting is written before the server ends.
_writer = ThreadPoolExecutor(1, thread_name_prefix="records")

KINDS_OF_FILE = {
    ".xlsx": ("Excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ".csv": ("CSV", "text/csv"),
    ".parquet": ("Parquet", "application/vnd.apache.parquet"),
}


def mark() -> str:
    """Changes whenever a record or the policy changes what may be offered; part of caches' keys."""
    file = config.data_dir() / "policy.toml"
    policy = str(file.stat().st_mtime_ns) if file.exists() else "none"
    return f"{outreach.records_decided()}-{policy}"


def shown(key: tuple[str, ...], record: Callable[[], int]) -> None:
    """Have what is on the screen recorded, once a session and day; nobody waits for the disk.

    Args:
        key: what is shown to whom.
        record: writes it down, without asking the session.
    """
    told = st.session_state.setdefault("told shown", set())
    today = (datetime.now(UTC).date().isoformat(), *key)
    if today not in told:
        told.add(today)
        _writer.submit(_write, record, told, today)


def _write(record: Callable[[], int], told: set[tuple[str, ...]], what: tuple[str, ...]) -> None:
    try:
        record()
    except DataError as error:
        logger.warning("What was shown could not be recorded: %s", error)
        told.discard(what)  # tried again when it is shown again


def settle() -> None:
    """Wait until everything that was shown is written down."""
    _writer.submit(bool).result()


@st.cache_data(max_entries=30, show_spinner="Looking for calls that are worth making …")
def book(
    run: str, manager: str | None, most: int, before: str | None, mark: str, today: str
) -> outreach.Book:
    """The calls worth making today; what changed since an earlier snapshot is a life event."""
    held = memory.loaded(run)
    with held.lock:
        return outreach.book(held.recommender, manager=manager, limit=most, before=before)


@st.cache_data(max_entries=10, show_spinner=False)
def managers(run: str, mark: str) -> tuple[str, ...]:
    """Relationship managers that the data name."""
    return outreach.managers(memory.loaded(run).recommender)


@st.cache_data(max_entries=10, show_spinner=False)
def segments(run: str) -> dict[str, tuple[str, ...]]:
    """Attributes in words, each with its values."""
    return outreach.segments(memory.loaded(run).recommender)


@st.cache_data(max_entries=10, show_spinner=False)
def ranges(run: str) -> dict[str, tuple[float, float]]:
    """Attributes in numbers, each with its bounds."""
    return figures.ranges(memory.loaded(run).recommender.dataset.customers)


@st.cache_data(max_entries=10, show_spinner="Applying the policy …")
def gate(run: str, mark: str, most: int = 2000) -> Any:
    """The policy in force applied to customers spread evenly over all."""
    held = memory.loaded(run)
    everybody = sorted(held.recommender.known)
    with held.lock:
        return outreach.gate(held.recommender, everybody[:: max(1, len(everybody) // most)][:most])


def last_day(run: str) -> Any:
    """The last day that a model's data know of."""
    return memory.loaded(run).recommender.last


def names(run: str) -> dict[str, str]:
    """Name of each product by its id, in the catalogue's order."""
    table = memory.loaded(run).recommender.catalogue.table
    return dict(zip(table["product_id"].map(str), table["name"].map(str), strict=True))


def recorded(make: Callable[[], bytes], record: Callable[[str], None]) -> Callable[[], bytes]:
    """The maker of a file that is recorded as it leaves; for a button that runs no script.

    A script that runs while a file is made would take the button away from under it.

    Args:
        make: the file's content.
        record: told who saves it; when it fails, nothing leaves.
    """
    saver = who()  # the maker runs outside of any session

    def leaves() -> bytes:
        content = make()
        record(saver)
        return content

    return leaves


def files(table: Any, name: str, key: str, label: str, saved: Callable[[str, str], None]) -> None:
    """A choice of formats to save a table in; made when asked for.

    Args:
        table: to save.
        name: of the file, without its ending.
        key: of the widgets.
        label: of the button.
        saved: told the file's name and who saves it, to record it.
    """
    with st.popover(label, icon=":material/download:"):
        for suffix, (title, mime) in KINDS_OF_FILE.items():
            file = f"{name}{suffix}"
            st.download_button(
                title,
                recorded(partial(pipeline.export.to_bytes, table, suffix), partial(saved, file)),
                file_name=file,
                mime=mime,
                key=f"{key} {suffix}",
                on_click="ignore",
                width="stretch",
            )
        st.caption("Text that a spreadsheet would run as a formula is made harmless.")
