"""Comparisons of many methods, a part of Compare."""

from __future__ import annotations

import streamlit as st

from finrec.figures import formats, grid
from finrec.pipeline import Snapshot, compare
from pages import frame


def draw(snapshot: Snapshot) -> None:
    """Comparisons of many methods on this data, as ``finrec compare`` made them."""
    st.header("Methods side by side", anchor=False)
    made = [c for c in compare.comparisons() if c.cells and c.cells[0].snapshot == snapshot.ref]
    made = [c for c in made if c.done]
    if not made:
        name = snapshot.ref.partition("@")[0]
        st.markdown("No comparison is made yet. It takes a while, so it is started from a shell:")
        st.code(f"python -m finrec compare {name} --methods all --seeds 3", language="sh")
        return
    row = st.container(horizontal=True)
    names = {c.name: c for c in made}
    name = row.selectbox("Comparison", list(names), key="comparison")
    chosen = names[str(name)]
    metric = row.selectbox(
        "Metric", compare.metrics(chosen), format_func=formats.measure, key="method metric"
    )
    part = row.selectbox(
        "Customers", ["all", "warm"], key="method slice",
        format_func={"all": "All", "warm": "With a past"}.__getitem__,
    )  # fmt: skip
    left = len(chosen.cells) - len(chosen.done)
    if left:
        st.info(f"{formats.counted(left, 'cell')} not measured yet: `finrec compare {name}`.")
    table = compare.summary(chosen, str(metric), str(part))
    for protocol in dict.fromkeys(table["protocol"]):
        rows = table[table["protocol"] == protocol]
        frame.chart(*grid.bars(rows, str(metric)), grid.shown(rows), f"methods {protocol}")
    st.caption(
        "p: paired permutation test over customers against the whole network, adjusted after Holm."
    )


def paper() -> None:
    """The paper's four tables, cell by cell, and why they can't be compared with ours."""
    st.header("The paper's tables", anchor=False)
