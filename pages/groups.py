"""Groups: how well each group of customers is served, what it is shown, what levelling costs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import formats, outreach
from finrec.figures import groups as figures
from finrec.pipeline import Run, groups
from pages import frame, memory


@st.cache_data(max_entries=4, show_spinner="Reading the test cases …")
def _tested(run: str, snapshot: str, least: int) -> groups.Tested | None:
    return groups.tested(run, least)


@st.cache_data(max_entries=60, show_spinner="Measuring each group …")
def _served(run: str, column: str, metric: str, least: int, _cases: Any) -> groups.Served:
    return groups.served(_cases, column, metric, least)


@st.cache_data(max_entries=30, show_spinner="Listing what each group would be shown …")
def _exposed(run: str, snapshot: str, column: str, k: int, least: int) -> groups.Exposure:
    held = memory.loaded(run)
    with held.lock:
        return groups.exposed(held.recommender, column, k, least)


def hidden(count: int, least: int, of: str) -> None:
    """Say how many groups are not shown."""
    if count:
        st.caption(
            f"{formats.counted(count, 'group')} with fewer than {least} {of} not shown: figures "
            "of so few would be chance, and would say something about single people."
        )


def quality(run: Run, cases: groups.Tested, column: str, least: int) -> None:
    """How well each group is served."""
    st.header("How well each group is served", anchor=False)
    metric = st.selectbox(
        "Metric", cases.metrics, format_func=formats.measure, key="group metric", width=240
    )
    found = _served(run.id, column, metric, least, cases)
    st.caption(formats.markdown(outreach.told(cases.description)))
    frame.chart(
        figures.served_bars(found.frame, metric, found.mean),
        figures.describe_served(found.gap, metric),
        figures.served_table(found.frame, metric),
        "served groups",
    )
    hidden(found.hidden, least, "test cases")
    frame.download(found.frame, f"groups-{column}", "save groups")


def shown(run: Run, column: str, least: int) -> None:
    """What each group would be offered today."""
    st.header("What each group is shown", anchor=False)
    k = st.select_slider("List length", (1, 3, 5, 10), value=5, key="group list", width=240)
    found = _exposed(run.id, run.settings.snapshot, column, k, least)
    st.caption(
        f"Lists of {found.k} for {formats.counted(found.customers, 'customer')} as known now, "
        "drawn at random, before any policy. A cell is the share of the group's list places."
    )
    frame.chart(
        figures.exposure_map(found.frame),
        figures.describe_exposure(found.frame, found.gap, found.chance),
        figures.exposure_table(found.frame),
        "group exposure",
    )
    frame.show(
        figures.coverage_table(found.coverage), "group coverage", "Products shown to each group"
    )
    hidden(found.hidden, least, "customers")


def level(run: Run, column: str) -> None:
    """What showing groups more alike would cost."""
    st.header("Showing groups more alike, and its cost", anchor=False)
    st.markdown(
        "Levelling takes from each score what the customer's whole group scores above or below "
        "the average group for that product. What sets the customer apart within the group still "
        "counts. The cost was measured on validation cases, when the model was made."
    )
    found = groups.levelling(run.id, column)
    if found is None:
        st.info(
            "The cost was not measured for this model and attribute. Train the model again, or "
            f"choose an attribute that gives groups of at least {groups.LEAST} validation cases.",
            icon=":material/info:",
        )
        return
    steps = [row["strength"] for row in found["strengths"]]
    strength = st.select_slider(
        "Strength",
        steps,
        value=steps[0],
        format_func=lambda v: formats.share(v, 0),
        key="levelling strength",
        width=360,
        help="0 %: as the model ranks. 100 %: all groups have the same mean score of a product.",
    )
    frame.chart(
        figures.cost_curve(found, strength),
        figures.describe_cost(found, strength),
        figures.cost_table(found),
        "levelling cost",
    )
    st.caption(
        "This page measures and changes no list. Not every difference is unfair: pensions are "
        "rightly shown to other ages than student accounts. Whether a gap must be closed is a "
        "decision of the bank's."
    )


def main() -> None:
    """Draw the screen."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header(
        "Groups",
        "Whether the model serves every group of customers, and what each is shown.",
        snapshot.info if snapshot else None,
    )
    if snapshot is None:
        frame.empty("No data are loaded yet.", "pages/overview.py", "Start on the Overview")
        return
    if run is None:
        frame.empty("No model is trained on this data yet.", "pages/train.py", "Train a model")
        return
    row = st.container(horizontal=True, vertical_alignment="bottom")
    least = row.number_input(
        "Hide groups smaller than", 5, 10_000, groups.LEAST, key="least", width=200
    )
    cases = _tested(run.id, run.settings.snapshot, int(least))
    if cases is None:
        frame.empty(
            "This model was made before metrics of each test case were kept. Train it again to "
            "see its groups.",
            "pages/train.py",
            "Train again",
        )
        return
    if not cases.columns:
        frame.empty(
            f"No attribute of these customers gives two groups of at least {least} test cases. "
            "Choose a smaller number, or load data with attributes such as age or segment.",
            "pages/data.py",
            "Look at the data",
        )
        return
    column = row.selectbox(
        "Group customers by",
        cases.columns,
        format_func=formats.words,
        key="group column",
        width=280,
    )
    quality(run, cases, column, int(least))
    shown(run, column, int(least))
    level(run, column)


frame.screen("groups", main)
