"""Trainings under way, a part of Train: watched, paused, cancelled, gone on with, deleted."""

from __future__ import annotations

import streamlit as st

from finrec import pipeline
from finrec.figures import comparison, curves, formats
from finrec.schema import CheckpointError, FinrecError
from pages import frame

STATES = {
    "queued": ("waiting to start", "gray"),
    "running": ("running", "blue"),
    "paused": ("paused", "orange"),
    "cancelled": ("cancelled", "orange"),
    "failed": ("failed", "red"),
    "stopped": ("interrupted", "orange"),
    "done": ("done", "green"),
}


def buttons(job: pipeline.jobs.Job) -> None:
    """What can be done with a job in its state."""
    with st.container(horizontal=True):
        if job.state in frame.LIVE:
            stopping = pipeline.jobs.cancelled(job.run)
            if job.state == "running" and st.button(
                "Stopping …" if stopping else "Pause",
                key=f"pause {job.run}",
                disabled=stopping,
                icon=":material/pause:",
                help="Stops at the next step, keeps what was learned, and lets the next one work.",
            ):
                pipeline.jobs.pause(job.run)
                st.rerun()
            if st.button(
                "Cancel" if job.state == "running" else "Take out of the line",
                key=f"stop {job.run}",
                disabled=stopping,
                icon=":material/stop:",
                help="Stops at the next step. Until it is deleted, it can still go on.",
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


def place(job: pipeline.jobs.Job, line: list[str]) -> str:
    """When a job that waits will begin."""
    if job.run not in line:
        return "It is being started."
    before = line.index(job.run)
    if not before:
        return "It is next: it begins when what works now has ended or is paused."
    return f"It waits, with {formats.counted(before, 'training')} before it in the line."


def order(job: pipeline.jobs.Job, line: list[str]) -> tuple[int, int]:
    """What works comes first, then the line as it stands, then the rest, newest first."""
    if job.state == "running":
        return 0, 0
    return (1, line.index(job.run)) if job.run in line else (2, 0)


def one(job: pipeline.jobs.Job, line: list[str]) -> None:
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
        elif job.state == "queued":
            st.markdown(place(job, line))
        else:
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
        line = pipeline.jobs.line()
        for job in sorted(found, key=lambda j: order(j, line)):
            one(job, line)
    except CheckpointError:
        return  # the job became a run between two looks at the disk; the next look shows it
    except FinrecError as error:
        st.error(formats.markdown(str(error)), icon=":material/error:")
