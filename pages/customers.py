"""Customers: find one, see what is known, which products fit, and why."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import evidence, formats, tables
from finrec.pipeline import Explanation, Run, Snapshot
from pages import frame, kept, looking, memory, near, offering, trying, why

PROBABILITY_HELP = (
    "The chance that, if this customer takes something next, it is this product. It was "
    "calibrated on held-out cases."
)


def find(snapshot: Snapshot) -> str | None:
    """The customer that is looked for."""
    left, right = st.columns(2)
    text = left.text_input(
        "Customer id begins with", key="search", placeholder="All customers", max_chars=100,
        persist_state="session",
    )  # fmt: skip
    only, between = narrowed(snapshot)
    found = memory.search(snapshot.ref, text.strip(), only, between)
    ids, labels = tables.found_customers(found)
    if not ids:
        told = " and every filter fits" if only or between else ""
        right.warning(f"No customer id begins with {formats.markdown(text)}{told}.")
        return None
    # Kept by id: the list changes with the search, and so would a place in it.
    if st.session_state.get("customer") not in ids:
        st.session_state["customer"] = tables.busiest(found)
    return str(
        right.selectbox(
            "Customer",
            ids,
            format_func=labels.__getitem__,
            key="customer",
            persist_state="session",
            help="The first 50 that fit; type more of the id to see others.",
        )
    )


def narrowed(snapshot: Snapshot) -> tuple[Any, Any]:
    """Filters by attributes, as the search wants them."""
    only: list[tuple[str, tuple[str, ...]]] = []
    between: list[tuple[str, tuple[float, float]]] = []
    words, numbers = memory.filters(snapshot.ref)
    if not words and not numbers:
        return (), ()
    with st.expander("Filter by attributes", icon=":material/filter_alt:"):
        row = st.container(horizontal=True)
        for column, values in words.items():
            label = formats.markdown(formats.words(column))
            picked = row.multiselect(label, values, key=f"only {snapshot.ref} {column}",
                                     placeholder="Any", width=240)  # fmt: skip
            if picked:
                only.append((column, tuple(picked)))
        for column, (low, high) in list(numbers.items())[:6]:
            if low < high:
                bounds = st.slider(formats.markdown(formats.words(column)), low, high, (low, high),
                                   key=f"between {snapshot.ref} {column}")  # fmt: skip
                if bounds != (low, high):
                    between.append((column, bounds))
        st.caption("A customer whose value is unknown fits no filter.")
    return tuple(only), tuple(between)


def known(snapshot: Snapshot, customer: str) -> None:
    """Attributes and events."""
    view = memory.customer(snapshot.ref, customer)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(f"Customer {formats.markdown(customer)}", anchor=False, width="content")
        frame.generated(snapshot.info)
    if view.attributes:
        with st.container(horizontal=True, gap="medium"):
            for name, value in list(view.attributes.items())[:10]:
                with st.container(width="content", gap=None):
                    st.caption(formats.markdown(formats.words(name)))
                    st.markdown(f"**{formats.markdown(formats.value(value))}**")
        if len(view.attributes) > 10:
            with st.expander("All attributes", icon=":material/table:"):
                frame.show(tables.attributes(view.attributes), "attributes", "All attributes")
    if len(view.history):
        frame.chart(
            tables.timeline(view.history),
            tables.describe_timeline(view.history),
            tables.history(view.history),
            "timeline",
        )
    else:
        st.markdown(
            "No events are known of this customer. What fits is judged by the attributes and by "
            "what many take."
        )


def choose(product: str) -> None:
    """Remember the product whose reasons are asked for."""
    st.session_state["product"] = product


def card(
    run: Run, customer: str, offer: dict[str, Any], found: Explanation, chosen: bool, able: bool
) -> None:
    """One product with its probability, the policy's word, main reason and what can be done."""
    product, name = str(offer["product_id"]), str(offer["name"])
    with st.container(border=True, gap="small"):
        text, chance, button = st.columns([5, 2, 2], vertical_alignment="center")
        with text:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{offer['rank']}. {formats.markdown(name)}**", width="content")
                offering.state(offer)
            if found.sentences:
                st.caption(formats.markdown(found.sentences[0]))
        with chance.container(gap=None):
            st.markdown(f"**{formats.chance(offer['probability'])}**")
            st.caption("probability", help=PROBABILITY_HELP)
        button.button(
            "Shown" if chosen else "Why?",
            key=f"why {offer['rank']}",
            on_click=choose,
            args=(product,),
            width="stretch",
            type="primary" if chosen else "secondary",
            help=f"Why {formats.markdown(name)}",
        )
        if able:
            with st.container(horizontal=True, gap="small"):
                offering.buttons(offer, run, customer)


def fits(run: Run, snapshot: Snapshot, customer: str) -> Explanation | None:
    """The list of products; returns the reasons of the one that is asked for."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left.container(horizontal=True, vertical_alignment="center"):
        st.header(f"What fits customer {formats.markdown(customer)}", anchor=False, width="content")
        frame.generated(snapshot.info)
    k = right.selectbox("How many", [3, 5, 10, 20], index=1, key="how many")
    found = offering.offers(run.id, customer, k, kept.mark())
    offering.seen(run, customer, found)
    offering.latest(customer)
    offering.before(run, customer)
    if found.nothing:
        st.info(formats.markdown(found.nothing), icon=":material/do_not_disturb_on:")
    offers = [{str(k): v for k, v in row.items()} for row in found.frame.to_dict("records")]
    if not offers:
        st.caption("Nothing is left that may be offered: all else is held, or the policy bars it.")
        return None
    if found.nothing:
        st.caption("What came closest, to be understood and not to be offered:")
    listed = tuple(str(o["product_id"]) for o in offers)
    why_each = memory.explanations(run.id, snapshot.ref, customer, listed)
    if st.session_state.get("product") not in listed:
        st.session_state["product"] = listed[0]
    asked = str(st.session_state["product"])
    for offer in offers:
        product = str(offer["product_id"])
        card(run, customer, offer, why_each[product], product == asked, not found.nothing)
    if found.not_checked:
        with st.expander(
            f"What the policy could not check: {len(found.not_checked)}", icon=":material/rule:"
        ):
            st.markdown("\n".join(f"- {formats.markdown(s)}" for s in found.not_checked))
    with st.expander("The same as a table", icon=":material/table:"):
        frame.show(tables.offers(found.frame), "offers", "Products that fit this customer")
        frame.download(found.frame, "recommendations", "save offers")
    return why_each[asked]


def reasons(run: Run, snapshot: Snapshot, found: Explanation, k: int) -> None:
    """The evidence for one product; only the part that is open is worked out and drawn."""
    st.header(
        f"Why {formats.markdown(found.name)} for customer {formats.markdown(found.customer)}",
        anchor=False,
    )
    st.markdown("\n".join(f"- {formats.markdown(s)}" for s in found.sentences))
    parts = st.tabs(list(PARTS), key="reasons part", on_change="rerun")
    for part, draw in zip(parts, PARTS.values(), strict=True):
        if part.open:
            with part:
                draw(run, snapshot, found, k)


def ledger(run: Run, snapshot: Snapshot, found: Explanation, k: int) -> None:
    """What adds to the score."""
    st.subheader("What adds to the score", anchor=False)
    frame.chart(
        evidence.ledger(found.ledger),
        evidence.describe_ledger(found.ledger),
        evidence.ledger_table(found.ledger),
        "ledger",
    )
    st.caption(
        f"Score {formats.number(found.score, 3)}, rank {found.rank} of all products that may be "
        "offered. Other customers are only ever counted, in groups of ten or more, "
        "as of when the model learned."
    )


PARTS = {  # short, so that all are seen on a tablet
    "Score": ledger,
    "What changes it": why.change,
    "Attention": looking.draw,
    "Neighbours": near.draw,
    "Brief": why.brief,
    "Why not?": why.why_not,
}


@frame.part
def offered(run: Run, snapshot: Snapshot, customer: str) -> None:
    """The list, what if it were otherwise, and why; a click here draws this part alone."""
    found = fits(run, snapshot, customer)
    if found is not None:
        reasons(run, snapshot, found, int(st.session_state["how many"]))
    trying.what_if(run, customer, memory.customer(snapshot.ref, customer))
    trying.alike(run, customer)


def main() -> None:
    """Draw the screen."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header("Customers", "Find a customer, see which products fit, and why.")
    if snapshot is None:
        frame.empty("No data are loaded yet.", "pages/overview.py", "Start on the Overview")
        return
    customer = find(snapshot)
    if customer is None:
        return
    known(snapshot, customer)
    if run is None:
        frame.empty(
            "No model is trained on this data yet, so nothing can be recommended.",
            "pages/train.py",
            "Train a model",
        )
        return
    offered(run, snapshot, customer)


frame.screen("customers", main)
