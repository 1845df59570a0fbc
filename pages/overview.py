"""Overview: what is loaded, what is trained, how good it is, and what to do next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import comparison, formats, outreach, tables
from finrec.figures import health as words
from finrec.pipeline import Run, Snapshot, health
from pages import frame

Step = tuple[str, str, str, str]  # title, sentence, page, label of the link

HELP: Step = (
    "Know what the numbers say",
    "What each figure means, how it was measured, and what finrec is not for.",
    "pages/help.py",
    "Help",
)


def set_up_demo() -> None:
    """Make the demo bank and start training its first model, unless that is under way."""
    made = pipeline.ingest("demo")
    busy = [j for j in pipeline.jobs.jobs() if j.settings.snapshot == made.ref]
    if not any(j.state in frame.LIVE for j in busy):
        pipeline.start(pipeline.presets.settings(made.info, made.ref, "standard"))
    frame.open_next(made.ref)


def next_steps(snapshot: Snapshot, run: Run | None, newer: bool, busy: bool) -> list[Step]:
    """Three steps that fit the state, the most useful first."""
    look: Step = (
        "Look at the data",
        "What was loaded, from which files, and what to keep in mind about it.",
        "pages/data.py",
        "Data",
    )
    if run is None and busy:
        watch = (
            "Watch the training",
            "A model is being trained. It goes on when you leave the page or close the browser.",
            "pages/train.py",
            "Train",
        )
        return [watch, look, HELP]
    if run is None:
        train = (
            "Train a model",
            "It takes minutes, with a preset, and is tested once on what was held out.",
            "pages/train.py",
            "Train",
        )
        return [train, look, HELP]
    find = (
        "Find a customer",
        "Which products fit, how likely each is, and why.",
        "pages/customers.py",
        "Customers",
    )
    again = (
        "Train again" if newer else "Train a variant",
        "Newer data are here than this model has seen."
        if newer
        else "Leave parts out, or take more time, and see what changes.",
        "pages/train.py",
        "Train",
    )
    compare = (
        "Compare models",
        "Beside each other and beside simple methods, by protocol.",
        "pages/compare.py",
        "Compare",
    )
    return [again, find, compare] if newer else [find, compare, again]


def cards(steps: list[Step]) -> None:
    """The steps side by side."""
    row = st.container(horizontal=True)
    for title, sentence, page, label in steps:
        with row.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.markdown(sentence)
            st.page_link(page, label=label, icon=":material/arrow_forward:")


def welcome() -> None:
    """The very first screen: nothing is loaded."""
    st.header("Nothing is loaded yet", anchor=False)
    row = st.container(horizontal=True)
    with row.container(border=True, height="stretch"):
        st.markdown("**Try the demo bank**")
        st.markdown(
            "10,000 generated customers, 100 products, two years of purchases, and a first model "
            "in about two minutes."
        )
        if st.button("Set up the demo bank", type="primary", icon=":material/play_arrow:"):
            with st.spinner("Making the demo bank …"):
                set_up_demo()
            frame.turn("train")
    with row.container(border=True, height="stretch"):
        st.markdown("**Bring your own data**")
        st.markdown("Customers, products and who took what, from files on this machine.")
        st.page_link("pages/upload.py", label="Upload", icon=":material/arrow_forward:")
    with row.container(border=True, height="stretch"):
        st.markdown(f"**{HELP[0]}**")
        st.markdown(HELP[1])
        st.page_link(HELP[2], label=HELP[3], icon=":material/arrow_forward:")


def state(snapshot: Snapshot, run: Run | None) -> None:
    """What is loaded and how good the chosen model is."""
    rows = snapshot.rows
    word = snapshot.info.product_word
    tiles = st.container(horizontal=True)
    for label, table in (
        ("Customers", "customers"),
        (formats.words(f"{word}s"), "products"),
        ("Events", "events"),
    ):
        tiles.metric(formats.markdown(label), formats.number(rows[table]), border=True)
    name, ours, _ = comparison.headline(run) if run else ("", None, None)
    tiles.metric(
        f"{formats.measure(name)}, test" if run else "Model",
        formats.metric(ours) if run else "none yet",
        border=True,
    )
    if run is None:
        return
    better, sentence = comparison.verdict(run)
    if better:
        st.success(formats.markdown(sentence), icon=":material/check_circle:")
    else:
        st.warning(formats.markdown(sentence), icon=":material/warning:")
    st.caption(formats.markdown(outreach.told(run.metrics[run.settings.protocol]["description"])))


@st.cache_data(max_entries=50, show_spinner=False)
def of_data(ref: str) -> Any:
    """Facts of a snapshot, which never change."""
    return health.of_data(next(s for s in pipeline.snapshots() if s.ref == ref))


def well(snapshot: Snapshot, run: Run | None) -> None:
    """How data, model and work stand, what wants doing first."""
    st.header("How things stand", anchor=False)
    found = health.health(of_data(snapshot.ref), run)
    today = datetime.now(UTC).date()
    with st.container(border=True, gap="small"):
        for place, one in enumerate(words.findings(found, run is not None, today)):
            row = st.container(horizontal=True, vertical_alignment="center", gap="small",
                               key=f"standing {place}")  # fmt: skip
            row.markdown(
                f"{words.ICONS[one.level]} {formats.markdown(one.sentence)}", width="content"
            )
            if one.page:
                row.page_link(one.page, label=one.label, icon=":material/arrow_forward:")


def main() -> None:
    """Draw the screen."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header(
        "Overview",
        "Which product fits which customer, and why.",
        snapshot.info if snapshot else None,
    )
    if snapshot is None:
        welcome()
        return
    every, runs, jobs = pipeline.snapshots(), pipeline.runs(), pipeline.jobs.jobs()
    st.header(formats.markdown(tables.title(snapshot.info)), anchor=False)
    state(snapshot, run)
    well(snapshot, run)
    st.header("Next", anchor=False)
    named = [s for s in every if s.info.name == snapshot.info.name]
    newer = run is not None and named[0].ref != run.settings.snapshot
    busy = any(j.state in frame.LIVE and j.settings.snapshot == snapshot.ref for j in jobs)
    cards(next_steps(snapshot, run, newer, busy))
    st.header("Data", anchor=False)
    frame.show(tables.snapshots(every), "overview-data", "Snapshots of data")
    st.header("Models", anchor=False)
    if runs:
        frame.show(tables.runs(runs), "overview-models", "Trained models")
    else:
        frame.empty("No model is trained yet.", "pages/train.py", "Train one")


frame.screen("overview", main)
