"""My book: the customers worth a call today, with what, why now, and what the policy says."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import formats, outreach
from finrec.pipeline import Run
from finrec.pipeline import outreach as verbs
from pages import frame, kept, memory, offering, settings, signing

SNOOZES = {"Tomorrow": 1, "In a week": 7, "In a month": 30, "In three months": 91}
ANSWERS = {
    "offered": "Offered, no answer yet",
    "accepted": "Accepted",
    "not_now": "Not now",
    "declined": "Declined",
    "not_suitable": "Not suitable",
    "done": "Called, nothing offered",
}
CHANNEL = "call"
OLD = 31  # days after which it is said how old the data are


def remember(kind: str, call: dict[Any, Any], run: Run, said: str, **more: Any) -> str:
    """Record something about a call; the page can take it back."""
    entry = uuid.uuid4().hex
    verbs.record(
        kind, str(call["customer_id"]), str(call["product_id"]), run.id, id=entry,
        who=signing.who(), snapshot=run.settings.snapshot, probability=float(call["probability"]),
        channel=CHANNEL, **more,
    )  # fmt: skip
    st.session_state["called"] = [*st.session_state.get("called", []), (entry, said)]
    return entry


def snooze(call: dict[Any, Any], run: Run, words: str) -> None:
    """Leave a customer alone for a while."""
    until = (datetime.now(UTC) + timedelta(days=SNOOZES[words])).date()
    with frame.told():
        remember(
            "snoozed", call, run,
            f"Customer {call['customer_id']} is snoozed until {formats.day(until)}.",
            detail={"until": until.isoformat()},
        )  # fmt: skip


def close(call: dict[Any, Any], run: Run) -> None:
    """A call was made: what came of it is recorded, and that it is done."""
    key = str(call["customer_id"])
    session = st.session_state
    kind, note = session[f"answer {key}"], session.get(f"note {key}", "").strip()
    reason = session.get(f"reason {key}") or ""
    with frame.told():
        if kind != "done":
            remember(
                kind, call, run,
                f"Customer {key}: {call['name']}, {ANSWERS[kind].lower()}.",
                note=note, reason_code=reason,
            )  # fmt: skip
            note = ""
        remember("done", call, run, f"The call to customer {key} is done.", note=note)


def take_back() -> None:
    """Take back what was just recorded."""
    with frame.told():
        for entry, _ in reversed(st.session_state.pop("called", [])):
            verbs.undo(entry, signing.who(), "taken back on My book")


def look(call: dict[Any, Any]) -> None:
    """Choose a customer for the Customers page."""
    st.session_state["search"] = st.session_state["customer"] = str(call["customer_id"])
    st.session_state["product"] = str(call["product_id"])
    st.session_state["opened"] = True


def suitability(call: dict[Any, Any]) -> None:
    """The policy's word on an offer, in one line."""
    state = str(call["state"])
    st.badge(
        outreach.STATE_WORDS[state],
        color=outreach.STATE_COLOURS[state],  # type: ignore[arg-type]
        help=formats.markdown(str(call["rules"])) or "No rule of the policy stands against it.",
    )


def done(call: dict[Any, Any], run: Run) -> None:
    """What came of a call."""
    key = str(call["customer_id"])
    kind = st.radio(
        "What came of it?", list(ANSWERS), format_func=ANSWERS.__getitem__, key=f"answer {key}"
    )
    reasons = verbs.REASONS.get(str(kind), {})
    if reasons:
        st.selectbox(
            "Reason", ["", *reasons], format_func=lambda r: reasons.get(r, "Not said"),
            key=f"reason {key}",
        )  # fmt: skip
    st.text_input("Note", key=f"note {key}", max_chars=500)
    st.button("Record", type="primary", key=f"close {key}", on_click=close, args=(call, run))


def card(place: int, call: dict[Any, Any], run: Run, currency: str, days: int) -> None:
    """One call."""
    customer = formats.markdown(str(call["customer_id"]))
    key = str(call["customer_id"])
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            name = formats.markdown(str(call["name"]))
            st.markdown(f"**{place}. Customer {customer} · {name}**", width="content")
            suitability(call)
        text, buttons = st.columns([7, 4], vertical_alignment="center")
        with text.container(gap=None):
            st.markdown(formats.markdown(outreach.told(str(call["reason"]))))
            st.caption(
                f"Chance {formats.chance(call['take_up'])} in {days} days, worth "
                f"{formats.markdown(formats.money(call['value'], 2, currency))}"
            )
        with buttons.container(horizontal=True, horizontal_alignment="right", gap="small"):
            st.button("Open", key=f"open {key}", on_click=look, args=(call,),
                      help=f"See customer {customer} and why this fits")  # fmt: skip
            with st.popover("Snooze", help=f"Leave customer {customer} alone for a while"):
                for words in SNOOZES:
                    st.button(words, key=f"snooze {key} {words}", on_click=snooze,
                              args=(call, run, words), width="stretch")  # fmt: skip
            with st.popover("Done", help=f"Record what came of calling customer {customer}"):
                done(call, run)


def latest() -> None:
    """What was just recorded, with a way back."""
    called = st.session_state.get("called", [])
    if called:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(
                formats.markdown(" ".join(said for _, said in called[-2:])), width="content"
            )
            st.button("Undo", icon=":material/undo:", key="take back", on_click=take_back)


def exported(count: int, run: Run, file: str, who: str) -> None:
    """Record that a call list left the house."""
    verbs.record("exported", run=run.id, snapshot=run.settings.snapshot, who=who,
                 detail={"calls": count, "file": file})  # fmt: skip


def calls(run: Run) -> None:
    """The calls that are worth making."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    managers = kept.managers(run.id, kept.mark())
    manager = None
    if managers:
        manager = row.selectbox("Customers of", managers, key="manager", width=260)
    most = row.selectbox("Most calls", [5, 10, 25, 50], index=1, key="most calls", width=140)
    today = datetime.now(UTC).date()
    earlier = outreach.earlier([s.ref for s in pipeline.snapshots()], run.settings.snapshot)
    found = kept.book(run.id, manager, most, earlier, kept.mark(), today.isoformat())
    policy = verbs.policy().value
    latest()
    if found.frame.empty:
        st.info(formats.markdown(found.nothing), icon=":material/bedtime:")
        return
    st.markdown(
        f"**{formats.day(today)}.** "
        + outreach.describe_book(len(found.frame), found.considered, found.resting)
    )
    last = kept.last_day(run.id).date()
    if (today - last).days > OLD:
        st.caption(
            f":material/schedule: The data end on {formats.day(last)}; what is timely was judged "
            "as of that day. Bring in newer data to know about today."
        )
    offering.invented()
    listed = tuple(map(str, [*found.frame["customer_id"], *found.frame["product_id"]]))
    recommender, who = memory.loaded(run.id).recommender, signing.who()
    kept.shown((run.id, *listed),
               lambda: verbs.record_called(recommender, found.frame, who))  # fmt: skip
    for place, call in enumerate(found.frame.to_dict("records"), 1):
        card(place, call, run, policy.currency, policy.window_days)
    table = outreach.calls(found.frame, policy.currency)
    with st.expander("The same as a table", icon=":material/table:"):
        frame.show(table, "calls", "Calls worth making today")
    with st.container(horizontal=True):
        kept.files(table, f"calls-{today:%Y-%m-%d}", "save calls", "Save call list",
                   partial(exported, len(table), run))  # fmt: skip
        settings.print_button()
    if not managers:
        st.caption(
            "Everybody is considered: the data name no relationship manager. A column "
            "relationship_manager in the customers' file, or another that the policy names, gives "
            "each manager a book."
        )


def main() -> None:
    """Draw the screen."""
    if st.session_state.pop("opened", False):
        frame.turn("customers")
    snapshot, run = frame.snapshot(), frame.run()
    frame.header(
        "My book", "Who is worth a call today, with what, and why now.",
        snapshot.info if snapshot else None,
    )  # fmt: skip
    if snapshot is None:
        frame.empty("No data are loaded yet.", "pages/overview.py", "Start on the Overview")
    elif run is None:
        frame.empty("No model is trained on this data yet.", "pages/train.py", "Train a model")
    else:
        calls(run)


frame.screen("book", main)
