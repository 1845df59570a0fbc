"""The chosen model: put into use with a note, saved as a file; a model brought in from a file."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import comparison, formats
from finrec.pipeline import Run, keeping
from finrec.schema import FinrecError
from pages import frame, kept


def beside(run: Run, active: str | None) -> None:
    """The chosen model's headline beside that of the model in use."""
    name, ours, popular = comparison.headline(run)
    tiles = st.container(horizontal=True)
    label = formats.measure(name)
    tiles.metric(f"This model, {label}", formats.metric(ours), border=True)
    current = next((r for r in pipeline.runs() if r.id == active), None)
    if current is not None and current.id != run.id:
        same = (
            current.settings.snapshot == run.settings.snapshot
            and current.settings.protocol == run.settings.protocol
        )
        _, theirs, _ = comparison.headline(current)
        change = None if ours is None or theirs is None or not same else ours - theirs
        tiles.metric(
            f"In use, {label}", formats.metric(theirs), border=True,
            delta=None if change is None else f"{formats.signed(change, 4)} by changing",
            help=None if same else "Measured on other data or another protocol: not comparable.",
        )  # fmt: skip
    tiles.metric(f"Most popular, {label}", formats.metric(popular), border=True)


def put_into_use(run: Run, note: str) -> None:
    """Promote, and say so at the next drawing."""
    with frame.told():
        keeping.promote(run.id, note, kept.who())
        st.session_state["promoted"] = run.id


def in_use(run: Run) -> None:
    """Whether the chosen model is in use, and putting it into use."""
    st.header("Put into use", anchor=False)
    active = keeping.active(run.settings.snapshot)
    if active == run.id:
        entry = keeping.activated(run.settings.snapshot)
        if st.session_state.pop("promoted", None) == run.id:
            st.success("This model is in use now; the note is in the records.")
        st.markdown(
            f":material/verified: This model is in use since {formats.moment(entry.get('time'))} "
            f"UTC. {formats.markdown(str(entry.get('note', '')))}"
        )
        return
    st.markdown(
        "The model in use is chosen first for everybody who opens the app. "
        + (f"Now it is {formats.markdown(active)}." if active else "None was put into use yet.")
    )
    beside(run, active)
    better, sentence = comparison.verdict(run)
    if not better:
        st.warning(formats.markdown(sentence), icon=":material/warning:")
    note = st.text_area(
        "Note of the sign-off", key=f"note {run.id}", max_chars=1000, height=80,
        placeholder="Why this model may be used: what was checked, by whom, with what result.",
    )  # fmt: skip
    st.button("Put into use", icon=":material/verified:", key="put into use",
              on_click=put_into_use, args=(run, note))  # fmt: skip


@st.cache_data(max_entries=2, show_spinner="Packing the model …")
def packed(run: str) -> bytes:
    """A run as a file."""
    return keeping.pack(run)


def exchange(run: Run | None) -> None:
    """A model saved as a file, and one brought in from a file."""
    with st.expander("Models as files", icon=":material/folder_zip:"):
        if run is not None and st.toggle("Prepare the chosen model as a file", key="pack"):
            st.download_button("Save model", packed(run.id), file_name=f"{run.id}.zip",
                               mime="application/zip", icon=":material/download:",
                               on_click="ignore")  # fmt: skip
        file: Any = st.file_uploader(
            "Bring in a model", type="zip", key=f"model file {st.session_state.get('brought', 0)}",
            help="A ZIP file saved here or on another finrec. It is checked before it is used; "
            "nothing in it is executed. A model's folder can also be copied into models/.",
        )  # fmt: skip
        if file is None:
            return
        try:
            made = keeping.bring_in(file.getvalue(), file.name)
        except FinrecError as error:
            st.error(formats.markdown(str(error)), icon=":material/error:")
            return
        here = any(s.ref == made.settings.snapshot for s in pipeline.snapshots())
        st.success(f"The model {formats.markdown(made.id)} is here.")
        if here:
            st.session_state["brought"] = st.session_state.get("brought", 0) + 1
            frame.open_next(made.settings.snapshot, made.id)
            st.rerun()
        else:
            st.warning(
                f"It learned from {formats.markdown(made.settings.snapshot)}, which is not here; "
                "ingest the same data to use it.",
                icon=":material/link_off:",
            )
