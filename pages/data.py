"""Data: the snapshots with where they came from, and how to bring in more."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from finrec import config, pipeline
from finrec.figures import formats, tables
from finrec.pipeline import Snapshot
from finrec.schema import DataError
from pages import custody, frame

WITHOUT_FILES = ("demo",)
INBOX, FOLDER = "In the inbox", "Elsewhere on this machine"


def details(snapshot: Snapshot) -> None:
    """What is in the chosen snapshot and where it came from."""
    info = snapshot.info
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(formats.markdown(tables.title(info)), anchor=False, width="content")
        frame.generated(info)
    st.markdown(
        f"Snapshot `{snapshot.ref}`, made {formats.moment(snapshot.created)} UTC. "
        "It never changes; the same files brought in again give the same snapshot."
    )
    left, right = st.columns(2)
    with left:
        frame.show(tables.contents(snapshot), "contents", "Tables of this snapshot")
    with right:
        for label, text in (
            ("Origin", info.origin),
            ("Licence", info.licence),
            ("Held out by", "time (R2)" if info.protocol == "R2" else "leaving one out (R1)"),
        ):
            if text:
                st.markdown(f"**{label}:** {formats.markdown(text)}")
    if info.notes:
        with st.expander("Keep in mind", icon=":material/info:", expanded=True):
            st.markdown("\n".join(f"- {formats.markdown(note)}" for note in info.notes))
    files = tables.files(snapshot)
    if len(files):
        with st.expander("Source files", icon=":material/description:"):
            frame.show(files, "files", "Source files with size and SHA-256")


def path_of(source: str) -> Path | None:
    """Where the source's files are, as chosen; None for a source that needs none."""
    if source in WITHOUT_FILES:
        return None
    inbox = config.data_dir() / "inbox"
    waiting = sorted(p.name for p in inbox.iterdir()) if inbox.is_dir() else []
    where = st.radio("Where are its files?", [INBOX, FOLDER], horizontal=True, key="where")
    if where == FOLDER:
        typed = st.text_input(
            "Folder or file", placeholder="The full path, as the server sees it", key="path"
        )
        return Path(typed.strip()).expanduser() if typed.strip() else None
    if not waiting:
        st.info(
            "The inbox is empty. Copy a file or folder into `data/inbox/`, then open this page "
            "again.",
            icon=":material/inbox:",
        )
        return None
    return inbox / str(st.selectbox("File or folder in the inbox", waiting, key="waiting"))


def bring_in() -> None:
    """Choose a source and its files, and read them."""
    sources = pipeline.datasets.sources()
    st.header("Bring in data", anchor=False)
    st.page_link("pages/upload.py", label="Upload your own files", icon=":material/upload_file:")
    st.markdown("Or a data set that finrec knows:")
    with st.container(border=True):
        source = st.selectbox(
            "Kind of data",
            list(sources),
            index=list(sources).index("demo"),
            format_func=lambda name: f"{name}: {sources[name]}",
            key="kind",
        )
        path = path_of(source)
        ready = source in WITHOUT_FILES or path is not None
        if st.button(
            "Bring in", type="primary", disabled=not ready, icon=":material/input:", key="bring in"
        ):
            with st.spinner("Reading, checking and keeping the data …"):
                try:
                    made = pipeline.ingest(source, path)
                except DataError as error:
                    st.error(formats.markdown(str(error)), icon=":material/error:")
                    return
            frame.open_next(made.ref)
            st.session_state["brought in"] = made.ref
            st.rerun()


def main() -> None:
    """Draw the screen."""
    frame.header("Data", "What models learn from: immutable copies of what was brought in.")
    made = st.session_state.pop("brought in", None)
    snapshot = frame.snapshot()
    if made and snapshot:
        st.success(
            f"Brought in {formats.markdown(tables.title(snapshot.info))}: "
            f"{formats.counted(snapshot.rows['customers'], 'customer')}, "
            f"{formats.counted(snapshot.rows['products'], 'product')}, "
            f"{formats.counted(snapshot.rows['events'], 'event')}. Next: train a model.",
            icon=":material/check_circle:",
        )
        st.page_link("pages/train.py", label="Open Train", icon=":material/arrow_forward:")
    if snapshot is None:
        st.info("No data are loaded yet. Begin with the demo bank below, or bring in your own.")
    else:
        frame.show(tables.snapshots(pipeline.snapshots()), "snapshots", "Snapshots of data")
        details(snapshot)
        health, change, remove = st.tabs(
            ["Quality", "Compare", "Delete and erase"], key="data part", on_change="rerun"
        )
        if health.open:
            with health:
                custody.health(snapshot)
        elif change.open:
            with change:
                custody.comparison(snapshot)
        elif remove.open:
            with remove:
                custody.removal(snapshot)
    bring_in()


frame.screen("data", main)
