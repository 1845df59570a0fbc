"""A part of Compare: the paper's tables beside our figures."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import formats, grid
from finrec.pipeline import published
from pages import frame


@st.cache_data(max_entries=2, show_spinner=False)
def cells(digest: str) -> Any:
    """Every cell of the paper beside ours, for one state of our figures."""
    return published.beside(published.reference())


def paper() -> None:
    """The paper's four tables, cell by cell, and why they can't be compared with ours."""
    st.header("The paper's tables", anchor=False)
    found = cells(published.digest())
    row = st.container(horizontal=True)
    number = row.selectbox("Table", sorted(set(found["table"])), key="paper table")
    data = row.selectbox("Data set", list(dict.fromkeys(found["dataset"])), key="paper data")
    shown = found[(found["table"] == number) & (found["dataset"] == data)]
    st.markdown(formats.markdown(str(shown["why"].iloc[0])))
    if shown["ours"].isna().all():
        st.markdown("Here none of these cells is measured yet.")
    frame.show(grid.beside(shown), "paper cells", f"Table {number} of the paper, {data}")
