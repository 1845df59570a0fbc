"""Batch: offers for everybody, scored in the background or every night, as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import streamlit as st

from finrec import config
from finrec.figures import batches as figures
from finrec.figures import formats
from finrec.pipeline import Run
from finrec.pipeline import outreach as verbs
from finrec.schema import FinrecError
from pages import frame, kept

POLL_SECONDS = 2
MOST_BYTES = 200_000_000  # larger results are fetched from the folder
MIMES = {".parquet": "application/vnd.apache.parquet", ".csv": "text/csv"}
COLOURS = {"waiting": "gray", "running": "blue", "done": "green", "cancelled": "orange",
           "failed": "red", "stopped": "orange"}  # fmt: skip


def form(run: Run) -> None:
    """Start scoring everybody."""
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        k = row.number_input("Products for each customer", 1, 50, 5, key="batch k", width=230)
        suffix = row.selectbox(
            "File", list(figures.FILES), format_func=figures.FILES.__getitem__, key="batch file",
            width=330,
        )  # fmt: skip
        if row.button("Score everybody now", type="primary", key="start batch",
                      icon=":material/play_arrow:"):  # fmt: skip
            with frame.told():
                verbs.start_batch(run.id, int(k), str(suffix))
                st.rerun()
        st.caption(
            "It goes on when you leave the page or close the browser. Offers are those that the "
            "policy lets through; a customer with no good offer has a row that says why."
        )
    with st.expander("Every night", icon=":material/schedule:"):
        st.markdown(
            "A line for the server's crontab (`crontab -e`); every night at two o'clock it scores "
            "everybody with this model and keeps the result beside the others."
        )
        st.code(nightly(run, int(k), str(suffix)), language=None, wrap_lines=True)
        st.caption(
            "With `latest` in place of the model's name it takes the newest model; sign a model "
            "off first (Records) if your rules ask for it."
        )


def nightly(run: Run, k: int, suffix: str) -> str:
    """The line for cron."""
    root = Path(__file__).resolve().parent.parent
    return (
        f"0 2 * * * cd {root} && FINREC_HOME={config.home().resolve()} "
        f".venv/bin/python -m finrec batch {run.id} -k {k} --suffix {suffix}"
    )


@st.fragment(run_every=POLL_SECONDS)
def live() -> None:
    """Batches that are under way; the page is drawn again when one of them ends."""
    found = [b for b in verbs.batches() if b.state in ("waiting", "running")]
    names = [b.name for b in found]
    if set(st.session_state.get("live batches", [])) - set(names):
        st.session_state["live batches"] = names
        st.rerun(scope="app")
    st.session_state["live batches"] = names
    for batch in found:
        with st.container(border=True):
            head(batch)
            left = figures.left(batch.done, batch.customers, seen(batch))
            st.progress(
                batch.done / max(batch.customers, 1),
                figures.progress(batch.done, batch.customers, left),
            )
            if st.button("Cancel", key=f"cancel {batch.name}", icon=":material/stop:"):
                with frame.told():
                    verbs.cancel_batch(batch.name)
                st.toast("It stops after the customers it is busy with; what is done stays.")


def seen(batch: verbs.Batch) -> tuple[int, float]:
    """Customers done when this session first saw the batch, and the seconds since."""
    now = datetime.now(UTC).timestamp()
    first = st.session_state.setdefault(f"seen {batch.name}", (batch.done, now))
    return int(first[0]), now - float(first[1])


def head(batch: verbs.Batch) -> None:
    """A batch's name and state."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{formats.markdown(batch.name)}**", width="content")
        st.badge(figures.STATES[batch.state], color=COLOURS[batch.state])  # type: ignore[arg-type]


def ended(batch: verbs.Batch) -> None:
    """A batch that is done or stopped: its file, and what can be done with it."""
    with st.container(border=True):
        head(batch)
        st.caption(
            f"{figures.progress(batch.done, batch.customers, None)} · "
            f"{formats.counted(batch.k, 'product')} each · {formats.moment(batch.created)} UTC · "
            f"{formats.markdown(batch.run)}"
        )
        if batch.message:
            st.warning(formats.markdown(batch.message), icon=":material/error:")
        with st.container(horizontal=True, vertical_alignment="center"):
            if batch.file:
                save(batch)
            else:
                resume(batch)
            with st.popover("Delete …", icon=":material/delete:"):
                st.markdown("The result file is deleted for good.")
                if st.button("Delete for good", type="primary", key=f"delete {batch.name}"):
                    with frame.told():
                        verbs.delete_batch(batch.name)
                        st.rerun()


def resume(batch: verbs.Batch) -> None:
    """Go on where a batch stopped."""
    if st.button("Resume", key=f"resume {batch.name}", icon=":material/play_arrow:"):
        with frame.told():
            verbs.resume_batch(batch.name)
            st.rerun()


def save(batch: verbs.Batch) -> None:
    """The result file: to save, or where it lies when it is large."""
    file = Path(batch.file)
    size = file.stat().st_size
    if size <= MOST_BYTES:
        st.download_button(
            f"Save {file.suffix.lstrip('.').upper()} ({formats.size(size)})",
            kept.recorded(file.read_bytes, partial(handed, batch)),
            file_name=f"{batch.name}{file.suffix}", mime=MIMES[file.suffix],
            key=f"save {batch.name}", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
    else:
        st.markdown(f"{formats.size(size)}; too large for the browser.", width="content")
    st.markdown(f"On the server: `{file.relative_to(config.home())}`")


def handed(batch: verbs.Batch, who: str) -> None:
    """Record that a result left the server."""
    verbs.record("exported", run=batch.run, who=who, detail={"batch": batch.name})


def main() -> None:
    """Draw the screen."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header(
        "Batch", "Offers for every customer, behind the policy, in one file.",
        snapshot.info if snapshot else None,
    )  # fmt: skip
    if snapshot is None:
        frame.empty("No data are loaded yet.", "pages/overview.py", "Start on the Overview")
    elif run is None:
        frame.empty("No model is trained on this data yet.", "pages/train.py", "Train a model")
    else:
        form(run)
    try:
        every = verbs.batches()
    except FinrecError as error:
        st.error(formats.markdown(str(error)), icon=":material/error:")
        return
    if not every:
        st.markdown("No batch was scored yet.")
        return
    st.header("Batches", anchor=False)
    live()
    for batch in every:
        if batch.state not in ("waiting", "running"):
            ended(batch)


frame.screen("batch", main)
