"""Where the network looks, over the customer's events: one by one, by product or by month."""

from __future__ import annotations

import streamlit as st

from finrec.figures import attention as maps
from finrec.figures import evidence
from finrec.pipeline import Explanation, Run, Snapshot, explaining
from pages import frame

WAYS = {"events": "Latest events", "product": "All, by product", "month": "All, by month"}


def draw(run: Run, snapshot: Snapshot, found: Explanation, k: int) -> None:
    """A map of attention, its sentence and the events that were read."""
    st.subheader("Where the network looks", anchor=False)
    if found.events.empty:
        st.markdown("There are no events to look at; only the profile was read.")
        return
    named = list(found.attention)
    default = next((i for i, m in enumerate(named) if m.endswith("mean of heads")), 0)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    chosen = str(
        row.selectbox(
            "Attention of",
            named,
            index=default,
            key="attention",
            width=320,
            help="Each layer has several heads that look at different things. Rolled out follows "
            "the attention through all layers.",
        )
    )
    way = "events"
    if maps.is_long(found.events):
        way = str(
            row.segmented_control(
                "Show", list(WAYS), default=maps.best_way(found.events),
                format_func=WAYS.__getitem__, key="attention by", required=True,
                help="A long history is summed: what each product or month gets in all.",
            )
        )  # fmt: skip
    values = found.attention[chosen]
    if way == "events":
        frame.chart(
            maps.figure(values, found.events), maps.describe(values, found.events, chosen),
            maps.table(values, found.events), "attention map",
        )  # fmt: skip
    else:
        shares, groups = explaining.condensed(values, found.events, way)
        last = explaining.condensed(maps.at_the_end(values), found.events, way)[0]
        frame.chart(
            maps.grouped(shares, groups), maps.describe_grouped(last, groups, chosen),
            maps.grouped_table(shares, groups), "attention map",
        )  # fmt: skip
    st.caption(
        "Attention shows where the network looks, not what decides. The effect of an event is "
        "measured: the model is asked again without it. Whether attention shows what decides here "
        "is tested under *What changes it*."
    )
    with st.expander("Events that were read, with their effect", icon=":material/list:"):
        frame.show(evidence.events_table(found.events), "events", "Events read, with effect")
