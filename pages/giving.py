"""Files given to the upload screen, from this computer or the inbox; they outlive other screens."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from finrec import config
from finrec.figures import formats
from finrec.pipeline import intake

TYPES = ["csv", "tsv", "txt", "xlsx", "parquet", "gz", "zip"]


@dataclass(frozen=True)
class Given:
    """Files that were given, where they lie, and what they seem to mean.

    Args:
        mark: of this set of files; in the keys of widgets, so that others start afresh.
        paths: one a file.
        proposal: what they seem to mean.
        folder: temporary; removed with the session.
    """

    mark: str
    paths: tuple[Path, ...]
    proposal: intake.Mapping
    folder: tempfile.TemporaryDirectory[str]


def give() -> Given | None:
    """The first step: files from this computer or from the inbox."""
    st.header("1. Your files", anchor=False)
    key = f"files {st.session_state.get('uploads', 0)}"  # after an intake a new, empty one
    came_back = key not in st.session_state  # Streamlit forgets files when a screen is left
    uploaded = st.file_uploader(
        "Customers, products, and who took what",
        type=TYPES,
        accept_multiple_files=True,
        key=key,
        help="One wide file is enough. They stay on this server.",
    )
    inbox = config.data_dir() / "inbox"
    waiting = sorted(p.name for p in inbox.iterdir() if p.is_file()) if inbox.is_dir() else []
    taken = st.multiselect("Or large files from the inbox", waiting) if waiting else []
    held: Given | None = st.session_state.get("given")
    if not uploaded and not taken:
        if held is not None and (came_back or st.session_state.get("files kept")):
            return still_here(held)
        st.session_state.pop("given", None)
        return None
    st.session_state.pop("files kept", None)
    mark = "|".join([*(f.file_id for f in uploaded), *taken])
    if held is not None and held.mark == mark:
        return held
    folder = tempfile.TemporaryDirectory(prefix="finrec-upload-", ignore_cleanup_errors=True)
    paths = []
    for file in uploaded:
        path = Path(folder.name) / Path(file.name).name
        path.write_bytes(file.getbuffer())
        paths.append(path)
    paths += [inbox / name for name in taken]
    with st.spinner("Looking at the files …"):
        proposal = intake.propose(paths)
    held = Given(mark, tuple(paths), proposal, folder)
    st.session_state["given"] = held
    return held


def still_here(held: Given) -> Given | None:
    """The files given before another screen was opened, with what was corrected."""
    st.session_state["files kept"] = True
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(formats.markdown(path.name) for path in held.paths)
        st.markdown(f":material/attach_file: Still here from before: {names}")
        if st.button("Put them away", icon=":material/close:"):
            put_away()
            st.rerun()
    return held


def put_away() -> None:
    """Forget the files given."""
    for name in ("given", "files kept"):
        st.session_state.pop(name, None)
