"""What if a customer were otherwise, and what customers alike have."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import formats
from finrec.figures import trying as figures
from finrec.pipeline import Run
from finrec.pipeline import trying as verbs
from pages import frame, kept, memory

SAME, UNKNOWN = "As it is", "Unknown"


@st.cache_data(max_entries=200, show_spinner="Asking the model again …")
def asked(run: str, customer: str, without: tuple[str, ...], also: tuple[str, ...],
          changed: tuple[tuple[str, Any], ...]) -> Any:  # fmt: skip
    """The ranking before and after a change."""
    held = memory.loaded(run)
    with held.lock:
        return verbs.what_if(held.recommender, customer, without, also, dict(changed))


@st.cache_data(max_entries=200, show_spinner="Looking for customers alike …")
def neighbours(run: str, customer: str) -> verbs.Alike:
    """Customers alike, in sum."""
    held = memory.loaded(run)
    with held.lock:
        return verbs.alike(held.recommender, customer)


def changes(run: Run, customer: str, attributes: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Attributes that shall be others."""
    given: list[tuple[str, Any]] = []
    row = st.container(horizontal=True)
    for column, values in verbs.attributes(memory.loaded(run.id).recommender).items():
        label, key = formats.markdown(formats.words(column)), f"if {customer} {column}"
        if values and isinstance(values[0], str):
            choices = [SAME, *values, UNKNOWN]
            picked = row.selectbox(label, choices, key=key, width=210)
            if picked != SAME:
                given.append((column, None if picked == UNKNOWN else picked))
        else:
            now = attributes.get(column)
            number = row.number_input(
                label, value=None, key=key, width=210, placeholder=formats.value(now),
            )  # fmt: skip
            if number is not None:
                given.append((column, float(number)))
    return tuple(given)


def what_if(run: Run, customer: str, view: Any) -> None:
    """Change the past or the attributes, and see the ranking move."""
    box = st.expander("What if?", icon=":material/alt_route:", key="what if", on_change="rerun")
    if not box.open:
        return
    with box:
        st.markdown("Change something and see how the list moves. Nothing of it is kept.")
        names = kept.names(run.id)
        own = list(dict.fromkeys(str(p) for p in view.history["product_id"]))
        left, right = st.columns(2)
        without = left.multiselect(
            "Without these products", own, format_func=lambda p: names.get(p, p),
            key=f"without {customer}", placeholder="All stay", disabled=not own,
        )  # fmt: skip
        also = right.multiselect(
            "With these products besides", list(names), format_func=names.__getitem__,
            key=f"also {customer}", placeholder="None", max_selections=5,
        )  # fmt: skip
        changed = changes(run, customer, view.attributes)
        if not (without or also or changed):
            return
        found = asked(run.id, customer, tuple(without), tuple(also), changed)
        st.markdown(formats.markdown(figures.describe_moved(found)))
        frame.show(figures.moved(found), "moved", "The list after the change")


def alike(run: Run, customer: str) -> None:
    """What customers alike have and are, only ever in sum."""
    with st.expander("Customers alike", icon=":material/group:"):
        if not st.toggle("Look for customers alike", key="alike",
                         help="Those whom the model reads most like this one."):  # fmt: skip
            return
        found = neighbours(run.id, customer)
        st.markdown(f"The {found.customers} customers most like this one, in sum.")
        left, right = st.columns(2)
        with left:
            frame.show(figures.alike_products(found.products), "alike products", "What they have")
        with right:
            frame.show(
                figures.alike_attributes(found.attributes), "alike attributes", "Who they are"
            )
        st.caption("Products that fewer than ten of them have are left out; nobody is named.")
