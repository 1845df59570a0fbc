"""Who gains and who loses between two models or methods, a part of Compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from finrec.figures import formats
from finrec.figures import gains as figures
from finrec.pipeline import gains as verbs
from pages import frame


@st.cache_data(max_entries=30, show_spinner="Looking for who gains and who loses …")
def moved(
    snapshot: str, protocol: str, before: verbs.Side, after: verbs.Side, metric: str, part: str
) -> verbs.Moved:
    """The customers of the test cases, before and after."""
    return verbs.moved(snapshot, protocol, before, after, metric, part)


def look(customer: str) -> None:
    """Choose a customer for the Customers page; kept in the session, never in the address."""
    st.session_state["search"] = st.session_state["customer"] = customer
    st.session_state["opened from compare"] = True


def picked(bar: str | None, key: str, sides: Sequence[verbs.Side]) -> None:
    """A bar that was just clicked becomes the one that takes the other's place."""
    if bar == st.session_state.get(f"{key} bar"):
        return
    st.session_state[f"{key} bar"] = bar
    keys = [s.key for s in sides]
    if bar in keys:
        old = st.session_state.get(f"{key} after")
        if old in keys and old != bar:
            st.session_state[f"{key} before"] = old
        st.session_state[f"{key} after"] = bar


def draw(
    snapshot: str, protocol: str, sides: Sequence[verbs.Side], metric: str, part: str,
    key: str, bar: str | None = None,
) -> None:  # fmt: skip
    """Two to set against each other, how many gain or lose, who does most, and a way to them.

    Args:
        snapshot: ref.
        protocol: R1 or R2.
        sides: to choose from.
        metric: that is compared.
        part: ``all`` or ``warm``.
        key: of the widgets.
        bar: key of the side whose bar is clicked.
    """
    st.subheader("Who gains and who loses", anchor=False)
    if len(sides) < 2:
        st.markdown("This needs two models or methods that were measured case by case.")
        return
    known: dict[str, Any] = {s.key: s for s in sides}
    for end in ("before", "after"):  # a choice that is gone would be an error
        if st.session_state.get(f"{key} {end}") not in known:
            st.session_state.pop(f"{key} {end}", None)
    picked(bar, key, sides)
    row = st.container(horizontal=True)
    before = row.selectbox(
        "From", list(known), index=len(known) - 1, key=f"{key} before",
        format_func=lambda k: known[k].title,
    )  # fmt: skip
    after = row.selectbox(
        "To", list(known), index=0, key=f"{key} after", format_func=lambda k: known[k].title,
        help="A click on a bar above chooses it here.",
    )  # fmt: skip
    if before == after:
        st.info("Choose two different ones, here or with a click on a bar.")
        return
    found = moved(snapshot, protocol, known[before], known[after], metric, part)
    old, new = formats.markdown(known[before].title), formats.markdown(known[after].title)
    st.markdown(
        f"From {old} to {new}, {formats.measure(metric)} changes by "
        f"**{formats.signed(found.change, 4)}** on average."
    )
    frame.chart(*figures.spread(found, metric), f"{key} spread")
    table = figures.most(found, metric)
    if not len(table):
        return
    frame.show(table, f"{key} most", "Customers who gain most, then those who lose most")
    names = figures.labels(table)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Customer to look at", list(names), format_func=names.__getitem__,
            key=f"{key} customer", width=280,
        )  # fmt: skip
        st.button("Open customer", key=f"{key} open", icon=":material/person_search:",
                  on_click=look, args=(chosen,))  # fmt: skip
