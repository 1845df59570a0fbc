"""What every screen shares: the data and model chosen, headings, charts with their table, errors.

The choice is kept in the session and in the address (``?data=…&model=…``), by the ids of snapshot
and run; what is known of a customer never is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import comparison, conventions, formats, health, style, tables
from finrec.pipeline import Run, Snapshot, keeping
from finrec.schema import DatasetInfo, FinrecError
from pages import settings

conventions.ask(settings.held)

_MARK = (
    '<path d="M4 26 C4 14 12 6 24 6 L24 12 C16 12 10 17 10 26 Z" fill="#2f86bd"/>'
    '<circle cx="21" cy="21" r="6" fill="#c27800"/>'
)
ICON = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{_MARK}</svg>'
LOGO = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 118 32">{_MARK}'
    '<text x="36" y="24" font-family="Segoe UI, system-ui, Helvetica Neue, Noto Sans, sans-serif" '
    'font-size="23" font-weight="600" fill="#2f86bd">finrec</text></svg>'
)
CHART = {"displaylogo": False, "displayModeBar": False}
SHARES = {"Share", "Probability", "Attention", "Chance"}
LIVE = ("queued", "running")


def dress() -> None:
    """Title, brand and width of the window; the first thing a script calls."""
    # Not one of Streamlit's own icons: in the browser's tab those come from the network.
    st.set_page_config(page_title="finrec", page_icon=ICON, layout="wide")
    st.logo(LOGO, size="large", icon_image=ICON)


def navigation() -> Any:
    """All screens by group; returns the one that is asked for."""

    def page(name: str, title: str, icon: str, first: bool = False) -> Any:
        return st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", default=first)

    return st.navigation(
        {
            "Work": [
                page("overview", "Overview", "home", first=True),
                page("book", "My book", "call"),
                page("customers", "Customers", "person_search"),
                page("products", "Products", "inventory_2"),
                page("campaign", "Campaign", "campaign"),
            ],
            "Models": [
                page("data", "Data", "database"),
                page("upload", "Upload", "upload_file"),
                page("train", "Train", "model_training"),
                page("compare", "Compare", "bar_chart"),
                page("batch", "Batch", "dynamic_feed"),
            ],
            "Govern": [
                page("groups", "Groups", "groups"),
                page("policy", "Policy", "gavel"),
                page("records", "Records", "history"),
                page("help", "Help", "help"),
            ],
        },
        expanded=True,
    )


def screen(name: str, draw: Callable[[], None]) -> None:
    """Draw a screen inside the frame.

    A server that was just started runs the first page that a link asks for on its own, without
    app.py, because it takes the folder for one of Streamlit's older kind; that page sends itself
    through the frame.
    """
    if not st.session_state.pop("framed", False):
        dress()
        navigation()
        st.switch_page(f"pages/{name}.py", query_params=st.query_params.to_dict())
    with told():
        draw()


@contextmanager
def told() -> Iterator[None]:
    """Shows an error that a user can mend as its sentence."""
    try:
        yield
    except FinrecError as error:
        st.error(formats.markdown(str(error)), icon=":material/error:")


def part(draw: Callable[..., None]) -> Callable[..., None]:
    """A part of a screen that is drawn anew by itself when something in it is clicked."""

    @st.fragment
    @wraps(draw)
    def alone(*given: Any) -> None:
        with told():
            draw(*given)

    return alone


def choose() -> None:
    """The sidebar's choice of data and model; what a link names is chosen first."""
    st.session_state["framed"] = True  # until the screen takes it away
    snapshots, runs = pipeline.snapshots(), pipeline.runs()
    session = st.session_state
    refs = [s.ref for s in snapshots]
    titles = tables.snapshot_titles(snapshots)
    linked = session.pop("next", None) or _linked()
    of_model = {r.id: r.settings.snapshot for r in runs}
    wanted = linked.get("data") or of_model.get(linked.get("model", ""))
    if wanted:
        session["data"] = wanted
    if session.get("data") not in refs:
        _missing("data", session.get("data"))
        with_model = next((r for r in refs if r in of_model.values()), None)
        session["data"] = with_model or next(iter(refs), None)
    ours = {r.id: r for r in runs if r.settings.snapshot == session["data"]}
    if linked.get("model"):
        session["model"] = linked["model"]
    if session.get("model") not in ours:
        if session.get("model") not in of_model:
            _missing("model", session.get("model"))
        active = keeping.active(session["data"]) if ours else None
        session["model"] = active if active in ours else next(iter(ours), None)
    with st.sidebar:
        if refs:
            st.selectbox("Data", refs, format_func=titles.__getitem__, key="data")
        if ours:
            labels = comparison.run_labels(list(ours.values()))
            st.selectbox("Model", list(ours), format_func=labels.__getitem__, key="model")
            st.caption(formats.markdown(session["model"]))
        elif refs:
            st.caption("No model is trained on this data yet.")
        busy = health.under_way(Counter(job.state for job in pipeline.jobs.jobs()))
        if busy:
            st.page_link("pages/train.py", label=busy, icon=":material/progress_activity:")
    settings.offer()
    chosen = {k: session[k] for k in ("data", "model") if session.get(k)}
    if st.query_params.to_dict() != chosen:
        st.query_params.from_dict(chosen)


def _linked() -> dict[str, str]:
    """What the address names when a session begins; later the session itself decides."""
    if "began" in st.session_state:
        return {}
    st.session_state["began"] = True
    return {k: v for k, v in st.query_params.to_dict().items() if k in ("data", "model")}


def _missing(what: str, name: str | None) -> None:
    if name:
        st.warning(
            f"The {what} {formats.markdown(name)} is not here (any more); "
            "another is shown. Choose in the sidebar.",
            icon=":material/link_off:",
        )


def open_next(data: str | None = None, model: str | None = None) -> None:
    """Choose data or a model from the next run of the script on."""
    st.session_state["next"] = {k: v for k, v in (("data", data), ("model", model)) if v}


def turn(screen: str) -> None:
    """Go to another screen, with the data and model chosen; Streamlit alone would forget them."""
    session = st.session_state
    session.setdefault("next", {k: session[k] for k in ("data", "model") if session.get(k)})
    st.switch_page(f"pages/{screen}.py")


def snapshot() -> Snapshot | None:
    """The snapshot that is chosen."""
    ref = st.session_state.get("data")
    return next((s for s in pipeline.snapshots() if s.ref == ref), None)


def run() -> Run | None:
    """The model that is chosen."""
    name = st.session_state.get("model")
    return next((r for r in pipeline.runs() if r.id == name), None)


def header(title: str, lead: str, info: DatasetInfo | None = None) -> None:
    """A screen's title and what it is for, with a mark where the data are generated."""
    st.title(title, anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(lead, width="content")
        if info is not None:
            generated(info)


def generated(info: DatasetInfo) -> None:
    """A mark on what comes from data that a program made."""
    if info.generated:
        st.badge(
            "generated data",
            icon=":material/experiment:",
            color="orange",
            help="A program made these data. No such customer exists, and figures on them say "
            "nothing about real demand.",
        )


def empty(sentence: str, page: str, label: str) -> None:
    """What a screen shows when it has nothing to show, and where to go."""
    with st.container(border=True):
        st.markdown(sentence)
        st.page_link(page, label=label, icon=":material/arrow_forward:")


def chart(figure: Any, description: str, table: Any, key: str, pick: bool = False) -> str | None:
    """A figure with its description in words and the same values as a table.

    Args:
        figure: of plotly.
        description: what it says.
        table: its twin.
        key: of the widgets.
        pick: whether a bar of the first trace can be clicked.

    Returns:
        The ``customdata`` of the bar that is chosen with a click.
    """
    theme = st.context.theme.type
    if theme is not None:
        figure = style.inked(figure, dark=theme == "dark")
    figure.layout.separators = formats.separators()
    asked: Any = {"on_select": "rerun", "selection_mode": "points"} if pick else {}
    event = st.plotly_chart(
        figure, width="stretch", key=key, config=CHART, alt=description, **asked
    )
    st.caption(formats.markdown(description))
    with st.expander("The same as a table", icon=":material/table:"):
        show(table, f"{key}-table", description)
    if not pick:
        return None
    places = [int(p["point_index"]) for p in event["selection"]["points"]]
    known = figure.data[0].customdata
    return str(known[places[0]]) if places and places[0] < len(known) else None


def show(table: Any, key: str, alt: str) -> None:
    """A table with dates, shares and numbers in the formats of the house."""
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        key=key,
        alt=alt,
        placeholder="–",
        column_config={
            name: config
            for name in map(str, table.columns)
            if (config := _column(name, table[name])) is not None  # None would hide the column
        },
    )


def _column(name: str, values: Any) -> Any:
    kind = str(values.dtype).lower()
    if name in SHARES:
        return st.column_config.NumberColumn(format="percent")
    if kind.startswith("datetime"):
        return st.column_config.DateColumn(format=conventions.chosen()[0].column)
    if kind.startswith("int"):
        return st.column_config.NumberColumn(format="localized")
    if kind.startswith("float"):
        return st.column_config.NumberColumn(format=tables.of_floats(name, values))
    return None


def download(table: Any, name: str, key: str, label: str = "Save as CSV") -> None:
    """A button that saves a table as CSV that is safe to open in a spreadsheet."""
    st.download_button(
        label,
        pipeline.export.to_bytes(table, ".csv"),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=key,
        on_click="ignore",
        icon=":material/download:",
    )
