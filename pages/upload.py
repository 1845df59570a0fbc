"""Upload: own files in four steps: give them, check what they mean, look, bring them in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from finrec.figures import formats, tables
from finrec.pipeline import intake
from finrec.schema import DataError
from pages import frame
from pages.giving import Given, give, put_away

ROLES = {
    "customer": "Customer id",
    "product": "Product",
    "date": "Date",
    "amount": "Amount",
    "kind": "Kind of event",
    "holding": "A product: held or not",
    "opened": "A product: the day it was taken",
    "attribute": "About the customer",
    "product attribute": "About the product",
    "text": "Description",
    "name": "Name of the product",
    "price": "Price",
    "target": "Linked customer",
    "ignore": "Not used",
}
KINDS = {
    "events": "Events: who took what, when",
    "holdings": "Holdings: one column for each product",
    "customers": "Customers: one row each",
    "products": "Products: one row each",
    "prices": "Prices of products",
    "links": "Links between customers",
    "ignore": "Not used",
}
SHAPES = """
- **Events**: one row for each product taken, with the customer, the product and the date.
- **Holdings**: one row for each customer and month, with a column of yes and no for each product.
- **Several files**: customers, products and events apart; columns are matched by their content.

Dates, numbers and encodings are recognised. Nothing is kept before you have seen what comes out.
"""
COARSER = {
    "number": {"": "As it is", "5": "Bands of 5", "10": "Bands of 10", "100": "Bands of 100",
               "1000": "Bands of 1,000", "10000": "Bands of 10,000"},
    "date": {"": "As it is", "month": "Month only", "year": "Year only"},
    "text": {"": "As it is", "first 1": "First character", "first 2": "First 2 characters",
             "first 3": "First 3 characters"},
}  # fmt: skip
UNSURE = 0.6  # below this confidence a column is marked


def meaning(given: Given) -> intake.Mapping:
    """The second step: what every file and column means, proposed and corrected."""
    st.header("2. What they mean", anchor=False)
    st.markdown(
        "This is a guess from names and content. Columns it is unsure of have a mark; correct "
        "what is wrong."
    )
    with st.expander("Use the mapping of an earlier upload", icon=":material/history:"):
        saved = st.file_uploader("A saved mapping", type="json", key=f"saved {given.mark}")
    if saved is not None:
        return intake.Mapping.from_json(saved.getvalue())
    mapping = given.proposal
    for place, table in enumerate(mapping.tables):
        with st.container(border=True):
            st.markdown(f"**{formats.markdown(table.file)}**")
            kind: Any = st.selectbox(
                "A row of this file is",
                list(KINDS),
                index=list(KINDS).index(table.kind),
                format_func=KINDS.__getitem__,
                key=f"kind {given.mark} {place}",
                persist_state="session",
            )
            row = st.container(horizontal=True)
            columns = tuple(
                replace(column, role=_role(row, given, place, number, column))
                for number, column in enumerate(table.columns)
            )
        changed = replace(table, kind=kind, columns=columns)
        mapping = replace(
            mapping,
            tables=(*mapping.tables[:place], changed, *mapping.tables[place + 1 :]),
        )
    return options(mapping, given)


def _role(row: Any, given: Given, place: int, number: int, column: intake.Column) -> Any:
    sure = f"{formats.share(column.confidence, 0)} sure"
    return row.selectbox(
        formats.markdown(column.name),
        list(ROLES),
        index=list(ROLES).index(column.role),
        format_func=ROLES.__getitem__,
        key=f"role {given.mark} {place} {number}",
        persist_state="session",
        help=formats.markdown(f"{column.why} ({sure})" if column.why else sure),
        icon=":material/help:" if column.confidence < UNSURE else None,
        width=210,
    )


def coarsened(mapping: intake.Mapping, given: Given) -> intake.Mapping:
    """Attributes made less exact, so that they say less about a single person."""
    able = [
        (place, number, column)
        for place, table in enumerate(mapping.tables)
        if table.kind in ("customers", "events", "holdings")
        for number, column in enumerate(table.columns)
        if column.role == "attribute"
    ]
    if not able:
        return mapping
    tables_ = [list(table.columns) for table in mapping.tables]
    with st.expander("Privacy: make columns less exact", icon=":material/blur_on:"):
        st.markdown("A column that is not needed at all is best set to *Not used* above.")
        row = st.container(horizontal=True)
        for place, number, column in able:
            ways = COARSER[column.type]
            if column.coarsen and column.coarsen not in ways:
                ways = {**ways, column.coarsen: column.coarsen}
            how = row.selectbox(
                formats.markdown(column.name),
                list(ways),
                index=list(ways).index(column.coarsen),
                format_func=ways.__getitem__,
                key=f"coarsen {given.mark} {place} {number}",
                persist_state="session",
                width=210,
            )
            tables_[place][number] = replace(column, coarsen=str(how))
    changed = tuple(
        replace(table, columns=tuple(columns))
        for table, columns in zip(mapping.tables, tables_, strict=True)
    )
    return replace(mapping, tables=changed)


def options(mapping: intake.Mapping, given: Given) -> intake.Mapping:
    """What the data set is called, and what becomes of doubtful rows."""
    left, right = st.columns(2)
    title = left.text_input(
        "Title", mapping.title, key=f"title {given.mark}", max_chars=100, persist_state="session"
    )
    name = right.text_input(
        "Short name",
        mapping.name,
        key=f"name {given.mark}",
        persist_state="session",
        max_chars=60,
        help="Letters, digits, _ and -; next month's files under the same name are a newer "
        "version of the same data.",
    )
    hidden = st.toggle(
        "Replace customer ids by pseudonyms",
        key=f"pseudonyms {given.mark}",
        persist_state="session",
        help="A keyed hash; the key stays on this server. Without it nobody can go back.",
    )
    with st.expander("Doubtful rows", icon=":material/rule:"):
        chosen: dict[str, Any] = {
            what: st.radio(
                label,
                ["keep", "reject"],
                index=index,
                key=f"{what} {given.mark}",
                horizontal=True,
                persist_state="session",
            )
            for what, label, index in (
                ("duplicates", "Rows that repeat another entirely", 0),
                ("future", "Dates after today", 1),
                ("negative", "Negative amounts", 0),
            )
        }
        chosen["unknown_products"] = st.radio(
            "Products that a file of products lacks",
            ["add", "reject"],
            key=f"unknown products {given.mark}",
            persist_state="session",
            horizontal=True,
        )
        chosen["ages"] = st.number_input(
            "Highest believable age; others count as unknown",
            min_value=1,
            max_value=200,
            value=int(mapping.ages),
            key=f"ages {given.mark}",
            persist_state="session",
            width=300,
        )
    mapping = coarsened(mapping, given)
    return replace(mapping, title=title.strip(), name=name.strip(), pseudonymise=hidden, **chosen)


@st.cache_data(max_entries=10, show_spinner="Reading the first rows …")
def preview(mark: str, paths: tuple[str, ...], mapping: str) -> Any:
    """What the mapping makes of the first rows."""
    return intake.preview([Path(p) for p in paths], intake.Mapping.from_json(mapping))


def look(given: Given, mapping: intake.Mapping) -> bool:
    """The third step: what the mapping gives; whether it can be used."""
    st.header("3. What it gives", anchor=False)
    try:
        found = preview(given.mark, tuple(map(str, given.paths)), mapping.to_json())
    except DataError as error:
        st.error(formats.markdown(str(error)), icon=":material/error:")
        return False
    st.markdown("\n".join(f"- {formats.markdown(sentence)}" for sentence in found.meaning))
    for tab, (name, table) in zip(
        st.tabs([formats.words(n) for n in found.tables]), found.tables.items(), strict=True
    ):
        with tab:
            frame.show(table, f"preview {name}", f"First rows of {name}")
    if found.receipt.rejected:
        st.warning(
            f"{formats.counted(found.receipt.rejected, 'row')} of the first "
            f"{formats.number(found.receipt.rows_in)} would be rejected.",
            icon=":material/rule:",
        )
        frame.show(
            tables.reasons(found.receipt.reasons), "preview reasons", "Why rows are rejected"
        )
    return True


def bring_in(given: Given, mapping: intake.Mapping) -> None:
    """The fourth step: read everything and keep it."""
    st.header("4. Bring them in", anchor=False)
    with st.container(horizontal=True):
        go = st.button("Bring in", type="primary", key="bring in", icon=":material/input:")
        st.download_button(
            "Save the mapping",
            mapping.to_json(),
            file_name=f"{mapping.name}-mapping.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/save:",
        )
    if not go:
        return
    bar = st.progress(0.0, text="Reading …")

    def tell(told: dict[str, Any]) -> None:
        share = told.get("done", 0) / max(told.get("of") or 1, 1)
        words = f"{formats.words(str(told.get('stage') or 'reading'))} {told.get('file') or ''}"
        bar.progress(min(share, 1.0), text=formats.markdown(words))

    made, receipt = intake.ingest_uploaded(list(given.paths), mapping, progress=tell)
    st.session_state["receipt"] = receipt
    put_away()
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
    frame.open_next(made.ref)
    st.rerun()


def receipt(found: intake.Receipt) -> None:
    """What became of every row."""
    with st.container(border=True):
        st.success("Your data are in.", icon=":material/check_circle:")
        tiles = st.container(horizontal=True)
        tiles.metric("Rows in the files", formats.number(found.rows_in))
        tiles.metric("Loaded", formats.number(found.loaded))
        tiles.metric("Rejected", formats.number(found.rejected))
        for note in found.notes:
            st.markdown(f"- {formats.markdown(note)}")
        if found.rejected:
            frame.show(tables.reasons(found.reasons), "reasons", "Why rows were rejected")
            frame.download(found.rejects, "rejected-rows", "save rejected", "Save rejected rows")
        with st.container(horizontal=True):
            st.page_link("pages/train.py", label="Train a model", icon=":material/arrow_forward:")
            st.page_link("pages/data.py", label="See their quality", icon=":material/rule:")


def main() -> None:
    """Draw the screen."""
    frame.header("Upload", "Bring in your own files; every row is accounted for.")
    if "receipt" in st.session_state:
        receipt(st.session_state["receipt"])
    given = give()
    if given is None:
        st.markdown(SHAPES)
        return
    st.session_state.pop("receipt", None)
    mapping = meaning(given)
    if look(given, mapping):
        bring_in(given, mapping)


frame.screen("upload", main)
