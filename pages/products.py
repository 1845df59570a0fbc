"""Products: who has one, how it is taken, what goes with it, whom it fits; products to come."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import formats, tables
from finrec.figures import products as figures
from finrec.pipeline import Run, Snapshot
from finrec.pipeline import products as verbs
from pages import frame, memory

UNKNOWN = "Unknown"


@st.cache_data(max_entries=10, show_spinner=False)
def catalogue(snapshot: str) -> Any:
    """All products with the number of customers that have each."""
    return verbs.catalogue(snapshot)


@st.cache_data(max_entries=200, show_spinner=False)
def known(snapshot: str, product: str) -> verbs.ProductView:
    """What is known of a product."""
    return verbs.product(snapshot, product)


@st.cache_data(max_entries=200, show_spinner=False)
def holders(snapshot: str, product: str, by: str) -> Any:
    """Who has it, by a column."""
    return verbs.holders(snapshot, product, by)


@st.cache_data(max_entries=10, show_spinner=False)
def groupings(snapshot: str) -> tuple[str, ...]:
    """Columns by which customers can be grouped."""
    return verbs.groupings(snapshot)


@st.cache_data(max_entries=200, show_spinner="Looking at what goes together …")
def companions(snapshot: str, product: str) -> verbs.Companions:
    """What the same customers have."""
    return verbs.companions(snapshot, product)


@st.cache_data(max_entries=100, show_spinner="Asking the model about the customers …")
def best_customers(run: str, product: str) -> Any:
    """Customers that it fits best."""
    held = memory.loaded(run)
    with held.lock:
        return verbs.best_customers(held.recommender, product)


@st.cache_data(max_entries=50, show_spinner="Asking the model about the customers …")
def imagined(run: str, name: str, description: str, given: tuple[tuple[str, Any], ...]) -> Any:
    """Who would want a product that does not exist yet."""
    held = memory.loaded(run)
    with held.lock:
        return verbs.imagine(held.recommender, name, description, dict(given))


def open_customer(customer: str) -> None:
    """Choose a customer for the Customers page."""
    st.session_state["search"] = st.session_state["customer"] = customer
    st.session_state["opened customer"] = True


def opened(table: Any, key: str) -> None:
    """A choice among the customers of a table, to look at one."""
    ids = [str(v) for v in table["Customer"]]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Customer to look at", ids, key=f"{key} customer", width=260)
        st.button("Open customer", key=f"{key} open", icon=":material/person_search:",
                  on_click=open_customer, args=(chosen,))  # fmt: skip


def about(view: verbs.ProductView) -> None:
    """Name, description, attributes and numbers."""
    st.header(formats.markdown(view.name), anchor=False)
    if view.description:
        st.markdown(formats.markdown(view.description))
    tiles = st.container(horizontal=True)
    tiles.metric("Customers with it", formats.number(view.holders), border=True)
    share = view.holders / view.customers if view.customers else None
    tiles.metric("Of all customers", formats.share(share), border=True)
    if view.attributes:
        with st.container(horizontal=True, gap="medium"):
            for name, value in list(view.attributes.items())[:8]:
                with st.container(width="content", gap=None):
                    st.caption(formats.markdown(formats.words(name)))
                    st.markdown(f"**{formats.markdown(formats.value(value))}**")
        if len(view.attributes) > 8:
            with st.expander("All attributes", icon=":material/table:"):
                frame.show(tables.attributes(view.attributes), "attributes", "All attributes")


def existing(snapshot: Snapshot, run: Run | None) -> None:
    """The page of a product that there is."""
    found = catalogue(snapshot.ref)
    ids = [str(v) for v in found["product_id"]]
    names = dict(zip(ids, map(str, found["name"]), strict=True))
    if st.session_state.get("looked at") not in names:
        st.session_state["looked at"] = ids[0]
    product = st.selectbox(
        "Product", ids, format_func=lambda i: figures.named(names[i], i), key="looked at",
        persist_state="session",
        help="Those that most customers have come first; type to search.",
    )  # fmt: skip
    view = known(snapshot.ref, product)
    about(view)
    st.subheader("Taken by month", anchor=False)
    frame.chart(
        figures.trend(view.trend), figures.describe_trend(view.trend),
        figures.trend_table(view.trend), f"trend {product}",
    )  # fmt: skip
    columns = groupings(snapshot.ref)
    if columns and view.holders:
        st.subheader("Who has it", anchor=False)
        by = st.selectbox("Groups by", columns, format_func=formats.words, key="holders by",
                          width=260)  # fmt: skip
        groups = holders(snapshot.ref, product, by)
        frame.chart(
            figures.groups(groups, "share", view.holders / max(view.customers, 1)),
            figures.describe_holders(groups, by), figures.groups_table(groups),
            f"holders {product} {by}",
        )  # fmt: skip
        st.caption("Groups of fewer than ten customers are left out.")
    st.subheader("What its customers have besides", anchor=False)
    linked = companions(snapshot.ref, product)
    frame.chart(
        figures.together(linked.nodes, linked.edges),
        figures.describe_together(linked.nodes, linked.edges),
        figures.together_table(linked.nodes, linked.edges), f"together {product}",
    )  # fmt: skip
    st.subheader("Whom it fits best", anchor=False)
    if run is None:
        frame.empty("No model is trained on this data yet.", "pages/train.py", "Train a model")
        return
    wanted = st.toggle(
        "Ask the model about the customers", key="whom",
        help="Up to 10,000 customers are asked about, evenly drawn where there are more.",
    )  # fmt: skip
    if wanted:
        table = figures.fitting(best_customers(run.id, product))
        frame.show(table, f"fits {product}", f"Customers that {view.name} fits best")
        st.caption(
            "Customers who don't have it, by the chance that it is what they take next. "
            "The policy is not asked here; it is in the Campaign and with each customer."
        )
        if len(table):
            opened(table, "fits")


def asked_for(recommender: Any) -> tuple[str, str, tuple[tuple[str, Any], ...]] | None:
    """The form; what was said of the product when it was sent."""
    known_attributes = verbs.attributes(recommender)
    with st.form("new product", border=True):
        name = st.text_input("Name", key="new name", max_chars=120)
        description = st.text_area(
            "Description", key="new description", max_chars=2000, height=110,
            placeholder="What it offers, to whom, on what terms; as in the catalogue.",
        )  # fmt: skip
        given: dict[str, Any] = {}
        row = st.container(horizontal=True)
        for column, values in known_attributes.items():
            label = formats.markdown(formats.words(column))
            if values and isinstance(values[0], str):
                picked = row.selectbox(label, [UNKNOWN, *values], key=f"new {column}", width=200)
                given[column] = None if picked == UNKNOWN else picked
            else:
                bounds = " to ".join(formats.number(float(v), 1) for v in values)
                given[column] = row.number_input(
                    label, value=None, key=f"new {column}", width=200, placeholder="Unknown",
                    help=f"Among the products that exist: {bounds}.",
                )  # fmt: skip
        if st.form_submit_button("Who would want it?", type="primary", icon=":material/search:"):
            said = tuple((k, v) for k, v in given.items() if v is not None)
            st.session_state["described"] = (name, description, said)
    return st.session_state.get("described")


def to_come(snapshot: Snapshot, run: Run | None) -> None:
    """A product that does not exist yet, described, and who would want it."""
    if run is None:
        frame.empty("No model is trained on this data yet.", "pages/train.py", "Train a model")
        return
    st.markdown(
        "Describe a product that nobody has bought yet. The model reads its words and attributes "
        "as it reads those of every product, lends it what it learned of those described most "
        "like it, and says whom it would suit more than others."
    )
    recommender = memory.loaded(run.id).recommender
    if not verbs.reads_text(recommender):
        st.info(
            "This model does not read products' texts; only the attributes below count. Choose a "
            "model with the text part in the sidebar for name and description to count.",
            icon=":material/info:",
        )
    said = asked_for(recommender)
    if said is None:
        return
    found = imagined(run.id, *said)
    st.header(f"Who would want {formats.markdown(said[0])}", anchor=False)
    read = ["name and description" if r == "text" else formats.words(r) for r in found.read]
    told = f"The model read: {', '.join(read)}."
    if found.unread:
        told += f" It could not use: {', '.join(map(formats.words, found.unread))}."
    st.markdown(formats.markdown(told))
    columns = groupings(snapshot.ref)
    if columns:
        by = st.selectbox("Groups by", columns, format_func=formats.words, key="leaning by",
                          width=260)  # fmt: skip
        groups = verbs.leaning(recommender, found, by)
        frame.chart(
            figures.groups(groups, "times", 1.0), figures.describe_leaning(groups, by),
            figures.groups_table(groups), f"leaning {by}",
        )  # fmt: skip
    left, right = st.columns(2)
    with left:
        st.subheader("Customers it would fit best", anchor=False)
        mean = float(found.customers["probability"].mean())
        table = figures.leaning_to(found.customers.head(20), mean)
        frame.show(table, "leaning table", "Customers that it would fit best")
        opened(table, "leaning")
    with right:
        st.subheader("Products it resembles", anchor=False)
        frame.show(figures.alike(found.alike.head(8)), "alike", "Similar products")
    st.caption(
        "This says who before whom, not how many: nobody has bought the product, so its level of "
        "demand can't be learned. How well products without any purchase are found is measured by "
        "the command finrec cold."
    )


def main() -> None:
    """Draw the screen."""
    if st.session_state.pop("opened customer", False):
        frame.turn("customers")
    snapshot, run = frame.snapshot(), frame.run()
    frame.header(
        "Products", "Who has a product, what goes with it, and whom it would fit.",
        snapshot.info if snapshot else None,
    )  # fmt: skip
    if snapshot is None:
        frame.empty("No data are loaded yet.", "pages/overview.py", "Start on the Overview")
        return
    what = st.radio(
        "Product", ["Products that exist", "A new product"], key="what product", horizontal=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if what == "A new product":
        to_come(snapshot, run)
    else:
        existing(snapshot, run)


frame.screen("products", main)
