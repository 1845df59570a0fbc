"""The customer's neighbourhood in the graph, hop by hop, and paths over other customers."""

from __future__ import annotations

import streamlit as st

from finrec.figures import evidence, formats, trust, walks
from finrec.pipeline import Explanation, Run, Snapshot, explaining
from pages import frame, memory


def draw(run: Run, snapshot: Snapshot, found: Explanation, k: int) -> None:
    """The neighbourhood, then the paths."""
    neighbours(run, found)
    paths(found)


def neighbours(run: Run, found: Explanation) -> None:
    """Neighbours in the graph; products that are picked are expanded by their own neighbours."""
    st.subheader("Neighbours in the graph", anchor=False)
    if found.edges.empty:
        st.markdown(evidence.describe_neighbourhood(found.nodes, found.edges))
        return
    key = f"expand {found.customer} {found.product}"
    loaded = memory.loaded(run.id)
    with loaded.lock:
        nodes, edges = explaining.further(loaded.recommender, found, st.session_state.get(key, []))
    names = evidence.expandable(nodes)
    if key in st.session_state:  # what an earlier hop had brought may be gone with it
        st.session_state[key] = [p for p in st.session_state[key] if p in names]
    st.multiselect(
        "Go a hop further from", list(names), format_func=names.__getitem__, key=key,
        placeholder="Choose products in the picture",
        help="Adds the products closest to it in the graph; from those, you can go further still.",
    )  # fmt: skip
    frame.chart(
        evidence.neighbourhood(nodes, edges),
        evidence.describe_neighbourhood(nodes, edges),
        evidence.neighbourhood_table(nodes, edges),
        "neighbours",
    )
    attends = run.settings.model.graph_kind in ("gat", "gatv2")
    st.caption(
        "Lines are as thick as the coefficient that the network gives the link (Eq. 12 of the "
        + "paper)" + ("." if attends else " where they come from this customer; all others as the "
        "two products are close (by how many customers have both, and few others).")
    )  # fmt: skip


def paths(found: Explanation) -> None:
    """Paths over customers with the same products."""
    st.subheader("Paths over other customers", anchor=False)
    said = formats.markdown(trust.describe_paths(found.paths, found.name))
    if found.paths.empty:
        st.markdown(said)
        return
    frame.chart(
        walks.figure(found.paths, found.product, found.name),
        trust.describe_paths(found.paths, found.name),
        trust.paths_table(found.paths),
        "paths",
    )
