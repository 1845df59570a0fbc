"""Comparisons of many methods, a part of Compare: begun, watched, read.

A comparison runs in a process of its own; what is shown is read off the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.config import PARTS
from finrec.figures import formats, grid, scatter
from finrec.figures import reference as figures
from finrec.pipeline import Snapshot, compare, comparing, report
from finrec.pipeline import gains as verbs
from finrec.schema import FinrecError
from pages import frame, gains, versus

STATES = {
    "planned": ("not begun", "gray"),
    "waiting": ("waiting", "gray"),
    "running": ("running", "blue"),
    "cancelled": ("cancelled", "orange"),
    "interrupted": ("interrupted", "orange"),
    "failed": ("parts failed", "red"),
    "done": ("done", "green"),
}
GROUPS = {
    "ablation": "Our network and its parts",
    "baselines": "The other methods",
    "all": "All methods",
    "some": "Some",
}


@st.cache_data(max_entries=30, show_spinner="Testing the differences …")
def summary(name: str, mark: str, metric: str, part: str) -> Any:
    """One row a method; ``mark`` changes with every cell that is measured."""
    return comparing.summary(compare.find(name), metric, part)


def tidy(made: compare.Comparison) -> bytes:
    """One row a metric of every cell that is measured, as CSV; with intervals, which take time."""
    content: bytes = pipeline.export.to_bytes(compare.tidy(made), ".csv")
    return content


def form(snapshot: Snapshot) -> tuple[Any, ...]:
    """Cells of the comparison that the widgets describe; empty when no method is chosen."""
    titles = compare.titles()
    group = st.radio(
        "Methods", list(GROUPS), format_func=GROUPS.__getitem__, key="methods group",
        horizontal=True,
    )  # fmt: skip
    names = compare.chosen(str(group)) if group != "some" else []
    if group == "some":
        names = st.multiselect(
            "Which", compare.chosen("all"), key="methods chosen", placeholder="Choose methods",
            format_func=lambda m: figures.label(m, titles),
        )  # fmt: skip
    row = st.container(horizontal=True)
    protocols = row.multiselect(
        "Protocols", ["R1", "R2"], default=[snapshot.info.protocol], key="methods protocols",
        format_func=figures.PROTOCOL_WORDS.__getitem__,
        help="Pairs (P) are measured with either.",
    )  # fmt: skip
    seeds = row.number_input(
        "Seeds", 1, 50, 3, key="methods seeds",
        help="Of methods in which chance plays a part; the others are measured once.",
    )  # fmt: skip
    preset = row.selectbox(
        "Preset of our network", list(pipeline.presets.PRESETS), key="methods preset",
        format_func=str.capitalize, disabled=not any(n in PARTS for n in names),
    )  # fmt: skip
    if not names or not protocols:
        return ()
    return (snapshot.ref, names, protocols, int(seeds), str(preset))


def begin(snapshot: Snapshot) -> None:
    """The form, how long it takes, and the button."""
    wanted = form(snapshot)
    if not wanted:
        st.caption("Choose at least one method and one protocol.")
        return
    cells = compare.grid(*wanted)
    todo = [c for c in cells if not c.done]
    words = formats.counted(len(cells), "measurement")
    had = f", {formats.number(len(cells) - len(todo))} of them made already" * bool(
        len(cells) - len(todo)
    )
    st.markdown(
        f"{words}{had}; this takes about **{formats.duration(comparing.expected(cells))}**. "
        "Settings that `finrec tune` found are used, else each method's own."
    )
    if st.button("Start the comparison", type="primary", icon=":material/play_arrow:"):
        with frame.told():
            made = compare.plan(*wanted)
            comparing.start(made.name)
            st.session_state["comparison next"] = made.name
            st.rerun()


def buttons(found: comparing.Standing) -> None:
    """What can be done with a comparison in its state."""
    name = found.comparison.name
    with st.container(horizontal=True):
        if found.state in comparing.LIVE:
            stopping = comparing.cancel_asked(name)
            if st.button(
                "Cancelling …" if stopping else "Cancel", key=f"cancel {name}",
                disabled=stopping, icon=":material/stop:",
                help="Stops at once; what is measured stays, so that it can go on.",
            ):  # fmt: skip
                comparing.cancel(name)
                st.rerun()
            return
        if found.done < found.of and st.button(
            "Go on", key=f"go on {name}", type="primary", icon=":material/resume:"
        ):
            comparing.start(name)
            st.rerun()
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown("What was measured is lost, but for what other comparisons have, too.")
            if st.button("Delete this comparison", key=f"delete {name}"):
                comparing.delete(name)
                st.rerun()


def one(found: comparing.Standing) -> None:
    """A comparison that is not done: how far it is."""
    words, colour = STATES[found.state]
    made = found.comparison
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{formats.markdown(made.name)}**", width="content")
            st.badge(words, color=colour)  # type: ignore[arg-type]
        told = f"{formats.number(found.done)} of {formats.counted(found.of, 'measurement')} made"
        if found.doing is not None:
            method, seed = found.doing
            told += f"; now {figures.label(method, compare.titles())}, seed {seed}"
        if found.left is not None:
            told += f"; about {formats.duration(found.left)} left"
        st.progress(found.done / max(found.of, 1), text=formats.markdown(told))
        for sentence in found.failed:
            st.error(formats.markdown(sentence), icon=":material/error:")
        buttons(found)


def own(snapshot: Snapshot) -> list[comparing.Standing]:
    """Comparisons on this data, newest first."""
    every = comparing.standings()
    return [s for s in every if any(c.snapshot == snapshot.ref for c in s.comparison.cells)]


def at_work(snapshot: Snapshot) -> None:
    """Comparisons that are not done; drawn again every two seconds while one is alive."""
    try:
        found = own(snapshot)
        now = {s.comparison.name: s.done for s in found if s.state in comparing.LIVE}
        before = st.session_state.get("comparing", {})
        st.session_state["comparing"] = now
        if before and before != now:  # something was measured: the results have changed
            st.rerun()
        for standing in found:
            if standing.state != "done":
                one(standing)
    except FinrecError as error:
        st.error(formats.markdown(str(error)), icon=":material/error:")


def results(found: Sequence[comparing.Standing]) -> None:
    """A comparison's methods side by side."""
    st.header("Methods side by side", anchor=False)
    row = st.container(horizontal=True)
    names = {s.comparison.name: s for s in found}
    if st.session_state.get("comparison next") in names:  # begun here, and now there is something
        st.session_state["comparison"] = st.session_state.pop("comparison next")
    elif st.session_state.get("comparison") not in names:
        st.session_state.pop("comparison", None)
    name = row.selectbox("Comparison", list(names), key="comparison")
    made = names[str(name)].comparison
    metric = row.selectbox(
        "Metric", compare.metrics(made), format_func=formats.measure, key="method metric"
    )
    part = row.selectbox(
        "Customers", ["all", "warm"], key="method slice", format_func=figures.SLICES.__getitem__
    )
    mark = comparing.mark(made)
    table = summary(made.name, mark, str(metric), str(part))
    for protocol in dict.fromkeys(table["protocol"]):
        rows = grid.of_protocol(table, protocol)
        if table["protocol"].nunique() > 1:
            st.subheader(figures.PROTOCOL_WORDS[protocol], anchor=False)
        titles = compare.titles()
        bar = frame.chart(
            *grid.bars(rows, str(metric), titles),
            grid.shown(rows, titles),
            f"methods {protocol}",
            pick=True,
        )
        sides = verbs.of_comparison(made, protocol)
        gains.draw(
            made.cells[0].snapshot, protocol, sides, str(metric), str(part),
            f"{made.name} {protocol}", bar,
        )  # fmt: skip
        points = scatter.of_summary(rows, comparing.coverage(made, protocol), titles)
        versus.trade_off(points, str(metric), f"{made.name} {protocol}")
    st.caption(
        "p: paired permutation test over customers against the whole network, adjusted after Holm."
    )
    with st.container(horizontal=True):
        st.download_button(
            "Save all figures as CSV", partial(tidy, made), file_name=f"{made.name}.csv",
            mime="text/csv", key="save methods", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        st.download_button(
            "Save report", partial(report.to_bytes, made, ".html"), file_name=f"{made.name}.html",
            mime="text/html", key="save report", on_click="ignore", icon=":material/description:",
            help="One HTML file with charts, tables, protocols and provenance.",
        )  # fmt: skip
        if names[str(name)].state == "done":
            buttons(names[str(name)])


def draw(snapshot: Snapshot) -> None:
    """Results, what is under way, and a new one."""
    found = own(snapshot)
    measured = [s for s in found if s.done]
    alive = any(s.state in comparing.LIVE for s in found)
    if not found:
        st.markdown("No comparison of this data is made yet.")
    if measured:
        results(measured)
    if any(s.state != "done" for s in found):
        st.header("Not done yet", anchor=False)
        st.fragment(at_work, run_every=2.0 if alive else None)(snapshot)
    with st.expander(
        "A new comparison", icon=":material/add:", expanded=not found, key="new comparison"
    ):
        begin(snapshot)
