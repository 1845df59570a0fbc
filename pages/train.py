"""Train: choose, see how long it will take, start, watch, stop, go on.

A training runs in a process of its own; this page only reads what it writes to disk, so it shows
the same after a reload, in another browser, or after the app was restarted.
"""

from __future__ import annotations

import streamlit as st

from finrec import pipeline
from finrec.config import RunSettings
from finrec.figures import comparison, curves, formats, tables
from finrec.pipeline import Snapshot
from finrec.schema import CheckpointError, FinrecError
from pages import frame, keeping

PRESETS = {
    "quick": "to try things out",
    "standard": "to work with",
    "best": "when quality is worth the wait",
}
PARTS = {
    "+tl+gnn": "the full model",
    "+tl": "without the graph",
    "+gnn": "without the products' texts",
    "baseline": "without both",
}
STATES = {
    "queued": ("waiting to start", "gray"),
    "running": ("running", "blue"),
    "cancelled": ("cancelled", "orange"),
    "failed": ("failed", "red"),
    "stopped": ("interrupted", "orange"),
    "done": ("done", "green"),
}


def form(snapshot: Snapshot) -> RunSettings:
    """What is to be trained."""
    left, right = st.columns(2)
    with left:
        preset = st.radio(
            "Preset",
            list(PRESETS),
            index=1,
            format_func=str.capitalize,
            captions=list(PRESETS.values()),
            key="preset",
        )
    with right:
        parts = st.radio(
            "Parts of the model",
            list(PARTS),
            format_func=comparison.PART_WORDS.__getitem__,
            captions=list(PARTS.values()),
            key="parts",
        )
    first, second = st.columns(2)
    device = first.selectbox(
        "Device",
        ["auto", "cpu", "cuda"],
        format_func=lambda d: f"auto ({pipeline.device_name()})" if d == "auto" else d,
        help="auto takes a graphics card where there is one.",
        key="device",
    )
    seed = second.number_input(
        "Seed",
        min_value=0,
        max_value=2**31 - 1,
        value=0,
        help="Of weights, batches and dropout. The same seed gives the same model; several seeds "
        "tell how much of a difference is chance.",
        key="seed",
    )
    return pipeline.presets.settings(snapshot.info, snapshot.ref, preset, parts, int(seed), device)


def begin(snapshot: Snapshot) -> None:
    """The form, the estimate and the button."""
    with st.container(border=True):
        st.markdown(f"**A new model of {formats.markdown(tables.title(snapshot.info))}**")
        settings = form(snapshot)
        expected = pipeline.estimate(settings)
        st.markdown(
            f"This takes about **{formats.duration(expected.low)} to "
            f"{formats.duration(expected.high)}**. {formats.markdown(expected.basis)}"
        )
        busy = sum(job.state in frame.LIVE for job in pipeline.jobs.jobs())
        if busy:
            st.caption(
                f"{formats.counted(busy, 'training is', 'trainings are')} running already; side by "
                "side each takes longer."
            )
        if st.button("Start training", type="primary", icon=":material/play_arrow:"):
            st.session_state["started"] = pipeline.start(settings)
            st.rerun()


def buttons(job: pipeline.jobs.Job) -> None:
    """What can be done with a job in its state."""
    with st.container(horizontal=True):
        if job.state in frame.LIVE:
            stopping = pipeline.jobs.cancelled(job.run)
            if st.button(
                "Cancelling …" if stopping else "Cancel",
                key=f"stop {job.run}",
                disabled=stopping,
                icon=":material/stop:",
                help="Stops at the next step and keeps what was learned, so that it can go on.",
            ):
                pipeline.jobs.cancel(job.run)
                st.rerun()
            return
        if st.button("Resume", key=f"resume {job.run}", type="primary", icon=":material/resume:"):
            pipeline.jobs.resume(job.run)
            st.rerun()
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown("What was learned so far is lost.")
            if st.button("Delete this training", key=f"delete {job.run}"):
                pipeline.jobs.forget(job.run)
                st.rerun()


def one(job: pipeline.jobs.Job) -> None:
    """A job with its progress and curves."""
    words, colour = STATES[job.state]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{comparison.PART_WORDS[job.settings.parts]} · {job.settings.preset} · "
                f"seed {job.settings.train.seed}**",
                width="content",
            )
            st.badge(words, color=colour)  # type: ignore[arg-type]
        st.caption(f"{formats.markdown(job.run)} · asked for {formats.moment(job.created)} UTC")
        log = pipeline.jobs.read_log(job.run)
        now = curves.progress(log)
        if job.state == "running":
            st.progress(now.share, text=now.doing)
            cells = st.container(horizontal=True)
            cells.metric("Loss", formats.number(now.loss, 3))
            cells.metric(
                f"Best validation {formats.measure(now.metric)}".strip(), formats.metric(now.best)
            )
            cells.metric("Events a second", formats.number(now.rate))
            cells.metric("Left in this stage, at most", formats.duration(now.eta))
        elif job.state == "failed":
            st.error(formats.markdown(job.message), icon=":material/error:")
        elif job.state != "queued":
            st.markdown(formats.markdown(job.message))
        if len(curves.curve(log)):
            frame.chart(
                curves.loss(log),
                curves.describe_loss(log),
                curves.curve_table(log),
                f"curve {job.run}",
            )
        buttons(job)


def at_work() -> None:
    """All jobs; redrawn every second while one is alive."""
    try:
        found = pipeline.jobs.jobs()
        alive = {j.run for j in found if j.state in frame.LIVE}
        before = st.session_state.get("alive", set())
        st.session_state["alive"] = alive
        if before - alive:  # one ended: its model is in the list now, or it can be resumed
            st.rerun()
        for job in found:
            one(job)
    except CheckpointError:
        return  # the job became a run between two looks at the disk; the next look shows it
    except FinrecError as error:
        st.error(formats.markdown(str(error)), icon=":material/error:")


def finished() -> None:
    """Say that the training that was started here is done."""
    started = st.session_state.get("started")
    run = next((r for r in pipeline.runs() if r.id == started), None)
    if run is None:
        return
    with st.container(border=True):
        st.success(f"The model {formats.markdown(run.id)} is trained and tested.")
        better, sentence = comparison.verdict(run)
        st.markdown(formats.markdown(sentence))
        if st.button("Use this model", type="primary", icon=":material/check:"):
            frame.open_next(run.settings.snapshot, run.id)
            del st.session_state["started"]
            st.switch_page("pages/customers.py")


def trained() -> None:
    """How the chosen model was trained."""
    run = frame.run()
    if run is None:
        return
    st.header("How the chosen model was trained", anchor=False)
    st.caption(f"{formats.markdown(run.id)}; choose another in the sidebar.")
    log = pipeline.jobs.read_log(run.id)
    frame.chart(
        curves.loss(log), curves.describe_loss(log), curves.curve_table(log), f"trained {run.id}"
    )
    with st.expander("All settings", icon=":material/tune:"):
        frame.show(tables.settings(run.settings), "settings", "Settings of the chosen model")


def main() -> None:
    """Draw the screen."""
    snapshot = frame.snapshot()
    frame.header(
        "Train",
        "A model learns from a snapshot, is chosen on validation and tested once.",
        snapshot.info if snapshot else None,
    )
    if snapshot is None:
        frame.empty("There are no data to learn from yet.", "pages/data.py", "Bring in data")
        return
    finished()
    begin(snapshot)
    jobs = pipeline.jobs.jobs()
    alive = {j.run for j in jobs if j.state in frame.LIVE}
    st.session_state["alive"] = alive
    if jobs:
        st.header("Under way", anchor=False)
        st.fragment(at_work, run_every=1.0 if alive else None)()
    trained()
    run = frame.run()
    if run is not None:
        keeping.in_use(run)
    keeping.exchange(run)


frame.screen("train", main)
