"""Offers to one customer: the policy's word, what was answered, with a way back."""

from __future__ import annotations

import uuid
from typing import Any

import streamlit as st

from finrec.figures import formats, outreach, trying
from finrec.pipeline import Run
from finrec.pipeline import outreach as verbs
from pages import frame, kept, memory

ANSWERS = {"offered": "Offered", "not_now": "Not now", "not_suitable": "Not suitable"}


@st.cache_data(max_entries=500, show_spinner=False)
def offers(run: str, customer: str, k: int, mark: str) -> verbs.Offers:
    """What to offer a customer today, behind the policy."""
    held = memory.loaded(run)
    with held.lock:
        return verbs.offers(held.recommender, customer, k, seed=0)


@st.cache_data(max_entries=500, show_spinner=False)
def answers(customer: str, mark: str) -> Any:
    """Earlier offers to a customer and what came of them."""
    return verbs.find_answers(customer)


def seen(run: Run, customer: str, found: verbs.Offers) -> None:
    """Record that these offers were shown to whoever looks at the page."""
    if found.nothing or found.frame.empty:
        return  # nothing was put forward as an offer
    products = tuple(map(str, found.frame["product_id"]))
    recommender, who = memory.loaded(run.id).recommender, kept.who()

    def write() -> int:
        return verbs.record_shown(recommender, customer, found, who)

    kept.shown((run.id, customer, *products), write)


def answer(kind: str, offer: dict[str, Any], run: Run, customer: str, reason_key: str = "") -> None:
    """Record an answer; the page can take it back."""
    entry = uuid.uuid4().hex
    reason = str(st.session_state.get(reason_key) or "") if reason_key else ""
    with frame.told():
        verbs.record(
            kind, customer, str(offer["product_id"]), run.id, id=entry, who=kept.who(),
            snapshot=run.settings.snapshot, rank=int(offer["rank"]), score=float(offer["score"]),
            probability=float(offer["probability"]), reason_code=reason, channel="app",
        )  # fmt: skip
        said = f"{ANSWERS[kind]}: {offer['name']}, customer {customer}."
        st.session_state["answered"] = (entry, customer, said)


def take_back() -> None:
    """Take back what was just recorded."""
    entry, _, _ = st.session_state.pop("answered")
    with frame.told():
        verbs.undo(entry, kept.who(), "taken back on Customers")


def latest(customer: str) -> None:
    """What was just recorded of this customer, with a way back."""
    answered = st.session_state.get("answered")
    if answered and answered[1] == customer:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(formats.markdown(answered[2]), width="content")
            st.button("Undo", icon=":material/undo:", key="undo answer", on_click=take_back)


def state(offer: dict[str, Any]) -> None:
    """The policy's word on an offer."""
    word = str(offer["state"])
    st.badge(
        outreach.STATE_WORDS[word],
        color=outreach.STATE_COLOURS[word],  # type: ignore[arg-type]
        help=formats.markdown(str(offer["reasons"])) or "No rule of the policy stands against it.",
    )


def buttons(offer: dict[str, Any], run: Run, customer: str) -> None:
    """Offer, Not now, Not suitable."""
    product, name = str(offer["product_id"]), formats.markdown(str(offer["name"]))
    st.button(
        "Offer",
        key=f"offer {customer} {product}",
        on_click=answer,
        icon=":material/send:",
        args=("offered", offer, run, customer),
        help=f"Record that you offer {name}",
    )
    for kind in ("not_now", "not_suitable"):
        with st.popover(ANSWERS[kind], help=f"{ANSWERS[kind]}: {name}"):
            reasons = verbs.REASONS[kind]
            key = f"{kind} {customer} {product}"
            st.radio("Reason", list(reasons), format_func=reasons.__getitem__, key=key)
            st.button("Record", key=f"record {key}", type="primary", on_click=answer,
                      args=(kind, offer, run, customer, key))  # fmt: skip


def invented() -> None:
    """What worth is not to be taken for, while it counts the built-in policy's margins."""
    snapshot = frame.snapshot()
    if snapshot is not None and not snapshot.info.generated and verbs.margins_built_in():
        st.caption(
            ":material/euro: Worth counts the built-in policy's margins, which are invented: put "
            "your bank's own under *Policy → Change*."
        )


def before(run: Run, customer: str) -> None:
    """Earlier offers to this customer and what came of them."""
    found = answers(customer, kept.mark())
    if found.empty:
        return
    words = formats.counted(len(found), "entry", "entries")
    with st.expander(f"Earlier offers and answers: {words}", icon=":material/history:"):
        frame.show(trying.earlier(found, kept.names(run.id)), "earlier", "Earlier offers")
