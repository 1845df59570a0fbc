"""Records: what was shown, offered, answered, exported and signed off; nothing is ever changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from finrec.figures import formats, governing
from finrec.pipeline import Run, Snapshot, outreach
from finrec.schema import DataError
from pages import frame, kept, signing

PERIODS = {"Any time": None, "Today": 1, "Last 7 days": 7, "Last 30 days": 30, "Last year": 365}
MOST = 500


def sought() -> dict[str, Any]:
    """What is looked for."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    text = row.text_input(
        "Search",
        key="record text",
        placeholder="Customer, product, person, campaign or note",
        max_chars=100,
        width=320,
    )
    kinds = row.multiselect(
        "What",
        outreach.KINDS,
        format_func=lambda k: governing.KIND_WORDS.get(k, k),
        key="record kinds",
        placeholder="Everything",
        width=300,
    )
    period = row.selectbox("When", list(PERIODS), key="record period", width=160)
    days = PERIODS[period]
    since = None
    if days is not None:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = (midnight - timedelta(days=days - 1)).replace(tzinfo=None)
    return {"text": text.strip(), "kinds": tuple(kinds), "since": since}


def exported(count: int, file: str, who: str) -> None:
    """Record that records left the house."""
    outreach.record("exported", who=who, detail={"records": count, "file": file})


def found(asked: dict[str, Any]) -> None:
    """The entries that fit; one can be opened and taken back."""
    entries = outreach.find_records(**asked, limit=MOST)
    if entries.empty:
        if any(asked.values()):
            st.info("No record fits. Search for less, or over a longer time.")
        else:
            frame.empty(
                "Nothing is recorded yet. Records come from My book, Customers and Campaign: "
                "whatever is offered, answered, exported or signed off.",
                "pages/book.py",
                "Open My book",
            )
        return
    table = governing.records(entries)
    more = " (the latest; narrow the search for others)" if len(entries) == MOST else ""
    st.caption(f"{formats.counted(len(entries), 'record')}{more}. Tick a row to see all of it.")
    picked = st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        key=f"records {outreach.records_written()} {sorted(map(str, asked.values()))}",
        on_select="rerun",
        selection_mode="single-row",
        alt="Records, newest first",
    )
    kept.files(
        entries.drop(columns="undone"),
        "records",
        "save records",
        "Save these records",
        partial(exported, len(entries)),
    )
    rows = picked.selection.rows
    if rows:
        entry(entries.iloc[rows[0]])


def entry(row: Any) -> None:
    """One record with everything it says, and the button that takes it back."""
    with st.container(border=True):
        st.subheader("The record", anchor=False)
        frame.show(governing.entry(row), "entry", "The record that is chosen")
        if row["undone"] or row["kind"] in ("undone", "erased"):
            st.caption("It is taken back already." if row["undone"] else "It can't be taken back.")
            return
        with st.popover("Take back …", icon=":material/undo:"):
            st.markdown(
                "A second record will say that this one no longer holds. Both stay to be seen."
            )
            note = st.text_input("Why", key=f"undo note {row['id']}", max_chars=500)
            if st.button("Take it back", type="primary", key=f"undo {row['id']}"):
                with frame.told():
                    outreach.undo(str(row["id"]), signing.who(), note)
                    st.rerun()


def sign_off(run: Run | None) -> None:
    """Who approved which model or policy, and a form to approve the model that is chosen."""
    signed = outreach.find_records(kinds=("signed_off",))
    if len(signed):
        frame.show(governing.signed(signed), "sign-offs", "Sign-offs, newest first")
    else:
        st.markdown("Nothing is signed off yet.")
    if run is None:
        return
    with st.form("sign off", clear_on_submit=True):
        st.markdown(f"**Sign off the model** `{run.id}` for use with customers.")
        note = st.text_area(
            "What was looked at, and what it may be used for", key="sign-off note", max_chars=2000
        )
        if st.form_submit_button("Sign off", icon=":material/verified:"):
            if not note.strip():
                st.warning("Say what was looked at; a sign-off without a reason is none.")
                return
            outreach.record(
                "signed_off",
                run=run.id,
                snapshot=run.settings.snapshot,
                who=signing.who(),
                note=note.strip(),
            )
            st.rerun()


@st.cache_data(max_entries=5, show_spinner="Checking every seal …")
def verified(mark: str) -> Any:
    """Whether the records are as they were written."""
    return outreach.verify_records()


def audit() -> None:
    """Whether anything was changed behind the app's back, and what happens how often."""
    checked = verified(outreach.records_written())
    words = governing.verified(checked.entries, checked.erased, checked.broken)
    if checked.broken:
        st.error(words, icon=":material/gpp_bad:")
    else:
        st.success(words, icon=":material/verified_user:")
    st.caption(
        "Each record carries a seal over its content and the seal before it, so that a change, a "
        "removal or a reordering shows. An erased customer's records are emptied; their seals stay."
    )
    every = outreach.find_records(limit=None)
    if len(every):
        counts = governing.counts(every)
        frame.chart(
            governing.count_bars(counts), governing.describe_counts(counts), counts, "record counts"
        )


def answers(snapshot: Snapshot | None, run: Run | None) -> None:
    """Answers of customers as something to learn from, and a model judged on what was logged."""
    if snapshot is None:
        st.markdown("No data are loaded yet.")
        return
    new = outreach.feedback(snapshot.ref)
    st.markdown(governing.accepted(len(new.events), new.known, new.strange))
    if len(new.events) and st.button(
        "Make data with these answers", icon=":material/model_training:", key="with feedback"
    ):
        with st.spinner("Keeping a new snapshot …"):
            made = outreach.with_feedback(snapshot.ref)
        frame.open_next(made.ref)
        frame.turn("train")
    st.subheader("What this model would have done", anchor=False)
    st.markdown(
        "An estimate from decisions that were logged, without asking a customer again. It needs "
        "offers that were shown with a known chance (*explore* in the policy) and their answers."
    )
    if run is None:
        st.caption("No model is chosen.")
        return
    if st.button("Estimate", key="off-policy", icon=":material/query_stats:"):
        try:
            with st.spinner("Asking the model about every logged decision …"):
                told = outreach.off_policy(run.id)
        except DataError as error:
            st.info(formats.markdown(str(error)), icon=":material/info:")
            return
        st.markdown(formats.markdown(told.sentence))


def main() -> None:
    """Draw the screen; only the part that is open is drawn."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header("Records", "What was shown, offered, answered, exported and signed off.")
    search, signed, seals, learn = st.tabs(
        ["Search", "Sign-offs", "Audit", "Learn from answers"], key="records part",
        on_change="rerun",
    )  # fmt: skip
    kept.settle()
    if search.open:
        with search:
            found(sought())
    elif signed.open:
        with signed:
            sign_off(run)
    elif seals.open:
        with seals:
            audit()
    elif learn.open:
        with learn:
            answers(snapshot, run)


frame.screen("records", main)
