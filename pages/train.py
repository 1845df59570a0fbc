"""Train: choose, see how long it will take, start, watch, stop, go on.

A training runs in a process of its own; this page only reads what it writes to disk, so it shows
the same after a reload, in another browser, or after the app was restarted.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.config import RunSettings
from finrec.figures import comparison, curves, formats, tables
from finrec.pipeline import Snapshot, devices, forms
from finrec.pipeline import keeping as verbs
from pages import advanced, frame, keeping, working

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


def form(snapshot: Snapshot) -> RunSettings | None:
    """What is to be trained; None while something is wrong with it."""
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
    known = {d.name: d for d in devices.devices()}
    device = str(
        first.selectbox(
            "Device", list(known), format_func=lambda d: known[d].title, key="device",
            help="auto takes a graphics card where there is one.",
        )
    )  # fmt: skip
    free, total = known[device].free, known[device].total
    if free is not None and total is not None:
        first.caption(f"{formats.size(free)} of {formats.size(total)} of its memory is free.")
    seed = second.number_input(
        "Seed",
        min_value=0,
        max_value=2**31 - 1,
        value=0,
        help="Of weights, batches and dropout. The same seed gives the same model; several seeds "
        "tell how much of a difference is chance.",
        key="seed",
    )
    given: dict[str, Any] = {}
    places: dict[str, Any] = {}
    if st.toggle("Advanced: every setting by hand", key="by hand"):
        given, places = advanced.draw(preset)
    made, errors = forms.check(snapshot.info, snapshot.ref, preset, parts, int(seed), device, given)
    if errors:
        advanced.say(errors, places)
    return made


def begin(snapshot: Snapshot) -> None:
    """The form, the estimate and the button."""
    with st.container(border=True):
        st.markdown(f"**A new model of {formats.markdown(tables.title(snapshot.info))}**")
        settings = form(snapshot)
        if settings is not None:
            if without := forms.without_effect(settings):
                st.caption(f":material/info: {formats.markdown(without)}")
            expected = pipeline.estimate(settings)
            st.markdown(
                f"This takes about **{formats.duration(expected.low)} to "
                f"{formats.duration(expected.high)}**. {formats.markdown(expected.basis)}"
            )
        busy = sum(job.state in frame.LIVE for job in pipeline.jobs.jobs())
        if busy:
            st.caption(
                f"{formats.counted(busy, 'training is', 'trainings are')} under way or waiting; "
                "this one waits for its turn."
            )
        if st.button(
            "Start training", type="primary", icon=":material/play_arrow:",
            disabled=settings is None,
        ) and settings is not None:  # fmt: skip
            st.session_state["started"] = pipeline.start(settings)
            st.rerun()


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
        active = verbs.active(run.settings.snapshot)
        keeping.beside(run, active)
        with st.container(horizontal=True):
            if st.button("Use this model", type="primary", icon=":material/check:"):
                frame.open_next(run.settings.snapshot, run.id)
                del st.session_state["started"]
                frame.turn("customers")
            if active is not None and active != run.id and st.button(
                "Compare with the model in use", icon=":material/compare_arrows:"
            ):  # fmt: skip
                st.session_state["compare part"] = "Two models"
                st.session_state["versus one"] = active
                st.session_state["versus other"] = run.id
                frame.turn("compare")


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
        st.fragment(working.at_work, run_every=1.0 if alive else None)()
    trained()
    run = frame.run()
    if run is not None:
        keeping.in_use(run)
    keeping.exchange(run)


frame.screen("train", main)
