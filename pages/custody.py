"""Looking after data, drawn on the Data screen: quality, comparison, deleting, erasing."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import formats, quality, tables
from finrec.pipeline import Snapshot, custody
from pages import frame, memory


@st.cache_data(max_entries=20, show_spinner="Looking through the data …")
def profile(ref: str) -> Any:
    """A snapshot's quality; a snapshot never changes, so it is looked through once."""
    return custody.quality(ref)


@st.cache_data(max_entries=20, show_spinner="Comparing …")
def difference(before: str, after: str) -> Any:
    """What changed between two snapshots."""
    return custody.compare(before, after)


def health(snapshot: Snapshot) -> None:
    """Gaps, outliers, repeats, dates and balance of a snapshot."""
    found = profile(snapshot.ref)
    st.markdown("\n".join(f"- {formats.markdown(sentence)}" for sentence in found.findings))
    with st.container(horizontal=True):
        figures = found.figures
        st.metric("Sparsity", formats.share(figures["sparsity"], 2),
                  help="Share of customer-product pairs without an event.")  # fmt: skip
        st.metric("Events a customer (median)",
                  formats.number(figures["events_per_customer_median"]))  # fmt: skip
        st.metric("Most events of one", formats.number(figures["events_per_customer_most"]))
        st.metric("Customers without an event", formats.number(figures["cold_customers"]))
    left, right = st.columns(2)
    with left:
        st.subheader("Events by month", anchor=False)
        frame.chart(*quality.months(found), found.months, "months")
    with right:
        st.subheader("Balance between products", anchor=False)
        frame.chart(*quality.balance(found), found.products, "balance")
    st.subheader("Gaps", anchor=False)
    frame.chart(*quality.missing(found), quality.columns(found), "gaps")
    with st.container(horizontal=True):
        frame.download(quality.columns(found), "columns", "save columns", "Save columns as CSV")
        frame.download(quality.counts(found), "counts", "save counts", "Save counts as CSV")


def comparison(snapshot: Snapshot) -> None:
    """What changed from another snapshot to this one."""
    others = [s for s in pipeline.snapshots() if s.ref != snapshot.ref]
    if not others:
        st.markdown("There is no other snapshot to compare with. Bring in next month's files.")
        return
    same = [s for s in others if s.info.name == snapshot.info.name]
    titles = tables.snapshot_titles(others)
    refs = [s.ref for s in [*same, *(o for o in others if o not in same)]]
    before = st.selectbox("Compare with", refs, format_func=titles.__getitem__, key="earlier")
    found = difference(before, snapshot.ref)
    with st.container(horizontal=True):
        st.metric("New customers", formats.number(len(found.new)))
        st.metric("Lost customers", formats.number(len(found.lost)))
        st.metric("In both", formats.number(found.kept))
    frame.show(quality.rows(found), "rows compared", "Rows of each table before and after")
    frame.chart(*quality.drift(found), found.drift, "drift")
    column = st.selectbox("Look at a column", quality.moved(found), key="moved column")
    frame.chart(*quality.shares(found, str(column)), "shares compared")
    frame.download(
        quality.customers(found), "customers-won-and-lost", "save moved", "Save new and lost"
    )


def removal(snapshot: Snapshot) -> None:
    """Delete the snapshot, or erase a customer from all of them; both ask first."""
    models = sum(r.settings.snapshot == snapshot.ref for r in pipeline.runs())
    st.markdown("**Delete this snapshot.** The files it was made from are not touched.")
    with st.popover("Delete …", icon=":material/delete:"):
        words = formats.counted(models, "model")
        st.markdown(
            f"`{snapshot.ref}` is deleted for good. "
            + (f"{words} trained on it can't answer any more." if models
               else "No model was trained on it.")
        )  # fmt: skip
        if st.button("Delete for good", type="primary", key="delete for good"):
            custody.delete(snapshot.ref)
            st.session_state["next"] = {}
            st.rerun()
    st.markdown("**Erase a customer** from every snapshot, for example when they ask for it.")
    with st.popover("Erase …", icon=":material/person_remove:"), st.form("erase", border=False):
        st.markdown(
            "The customer is removed from **every** snapshot for good; models that learned from "
            "them are marked. Afterwards all files are read again as a proof."
        )
        customer = st.text_input("Customer id", key="erase id", autocomplete="off")
        if st.form_submit_button("Erase for good", type="primary") and customer.strip():
            erased(customer.strip())
    if "erased" in st.session_state:
        said, proven = st.session_state["erased"]
        box = st.success if proven else st.warning
        box("\n".join(f"- {formats.markdown(sentence)}" for sentence in said))


def erased(customer: str) -> None:
    """Erase, and keep what was done and proved for the next run of the script."""
    with frame.told():
        with st.spinner("Erasing, then reading every file again …"):
            done = custody.erase(customer)
        st.session_state["erased"] = (quality.erasure(done), done.proven)
        memory.forget()
        st.rerun()
