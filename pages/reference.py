"""Reference results, a part of Compare: the figures that are committed with the code."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import comparison, formats, scatter
from finrec.figures import reference as figures
from finrec.pipeline import compare, origins
from finrec.pipeline import published as verbs
from pages import frame, versus


@st.cache_resource(max_entries=2, show_spinner="Reading the reference results …")
def rows(digest: str) -> Any:
    """The figures, read once for each state of the file."""
    return verbs.reference()


def draw() -> None:
    """Methods by data set, protocol and metric; the ablation."""
    st.header("Reference results", anchor=False)
    digest = verbs.digest()
    found = rows(digest) if digest else None
    if found is None or found.empty:
        with st.container(border=True):
            st.markdown(
                "No reference results are here: data/results/reference.csv is missing or empty. "
                "This writes a comparison's figures into it:"
            )
            st.code(
                "python -m finrec compare demo --methods all --seeds 3 "
                "--reference data/results/reference.csv",
                language="sh",
            )
        return
    st.markdown(
        "Measured when this version was made, on the data that are named, not on yours. Every "
        "row of the table can be measured again with its command."
    )
    row = st.container(horizontal=True)
    dataset = row.selectbox(
        "Data set", figures.datasets(found), key="reference data", format_func=formats.words
    )
    own = figures.narrowed(found, dataset=dataset)
    protocol = row.selectbox(
        "Protocol",
        figures.choices(own, "protocol", ("R2", "R1", "P")),
        format_func=lambda p: figures.PROTOCOL_WORDS.get(p, p),
        key="reference protocol",
    )
    own = figures.narrowed(own, protocol=protocol)
    splits = figures.choices(own, "split")
    if len(splits) > 1:
        held_out = row.selectbox(
            "Held out", splits, key="reference split",
            format_func=lambda p: figures.PROTOCOL_WORDS.get(p, p),
        )  # fmt: skip
        own = figures.narrowed(own, split=held_out)
    if protocol in figures.RANKING:
        words = figures.views(own)
        masked = row.selectbox(
            "Ranked", list(words), key="reference view", format_func=words.__getitem__
        )
        own = figures.narrowed(own, masked=masked)
    kinds = figures.DRAWN if protocol == "P" else figures.SLICES
    which = row.selectbox(
        "Beside what was taken" if protocol == "P" else "Cases",
        figures.choices(own, "slice", tuple(kinds)),
        format_func=lambda s: kinds.get(s, formats.words(s)),
        key="reference drawn" if protocol == "P" else "reference slice",
    )
    own = figures.narrowed(own, slice=which)
    metric = row.selectbox(
        "Metric", figures.metrics(own), format_func=formats.measure, key="reference metric"
    )
    table = figures.summary(own, str(metric))
    titles = compare.titles()
    twin = figures.measurements(own, str(metric), titles)
    frame.chart(*figures.bars(table, str(metric), titles), twin, "reference bars")
    for note in (figures.nothing_left_out(found, str(dataset), protocol), figures.as_now(own)):
        if note:
            st.caption(note)
    versus.trade_off(scatter.of_rows(own, str(metric), titles), str(metric), "reference")
    frame.download(twin, f"reference-{dataset}-{protocol}", "save reference")
    with st.expander("Where the methods are from", icon=":material/menu_book:"):
        sources = origins.table(table["method"].tolist())
        frame.show(sources, "reference sources", "Where the methods are from")
        if note := figures.as_popularity(table):
            st.caption(note)
    if dataset == "demo":
        st.caption("The demo bank is generated: its figures say nothing about real demand.")
    variants = figures.ablation(found, str(dataset))
    if len(variants) > 1:
        st.subheader("What each part adds", anchor=False)
        frame.chart(
            comparison.ablation_bars(variants),
            comparison.describe_ablation(variants),
            variants,
            "reference ablation",
        )
