"""What a person sets for this browser window: how numbers and dates are written; print, save."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from finrec.figures import conventions
from pages import signing

BUTTONS = """
<div class="row">
  <button type="button" data-do="print">Print</button>
  <button type="button" data-do="save">Save page as HTML</button>
</div>
"""
PRINT = '<div class="row"><button type="button" data-do="print">Print this page</button></div>'
LOOKS = """
.row { display: flex; flex-wrap: wrap; gap: 0.5rem; }
button { flex: 1; font: inherit; font-size: 0.875rem; padding: 0.3rem 0.6rem; cursor: pointer;
  color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); }
button:hover { border-color: var(--st-primary-color); }
@media print { .row { display: none; } }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""
# A slider's value is readable on a dark page, too.
# On paper: the page alone, black on white, nothing to press, nothing cut at a page's end.
PRINTED = """<style>
[data-testid=stSliderThumbValue], [data-testid=stSliderThumbValue] p { color: inherit; }
@media print {
  @page { margin: 14mm; }
  [data-testid=stSidebar], [data-testid=stHeader], [data-testid=stToolbar],
  [data-testid=stButton], [data-testid=stDownloadButton], [data-testid=stPageLink],
  [data-testid=stFormSubmitButton], [data-testid=stFileUploader], [data-testid=stPopover],
  [data-testid=stElementToolbar], details:not([open]) { display: none !important; }
  [data-testid=stApp], [data-testid=stAppViewContainer], [data-testid=stMain],
  [data-testid=stMainBlockContainer] { position: static !important; overflow: visible !important;
    height: auto !important; max-width: none !important; padding: 0 !important; }
  [data-testid=stApp] { background: #fff !important; }
  [data-testid=stApp] :is(h1, h2, h3, p, li, td, th, label, span, summary) {
    color: #0f1b22 !important; }
  h1, h2, h3 { break-after: avoid; }
  [data-testid=stPlotlyChart], [data-testid=stDataFrame], [data-testid=stMetric], tr {
    break-inside: avoid; }
}
</style>"""


def held() -> tuple[str, str]:
    """Convention and currency of this session; else the server's; else the browser's language."""
    locale = os.environ.get("FINREC_LOCALE", "")
    currency = os.environ.get("FINREC_CURRENCY", "")
    if get_script_run_ctx() is None:  # not within a page
        return locale, currency
    asked = st.session_state
    return (
        asked.get("convention") or locale or st.context.locale or "",
        asked.get("sign", currency) or "",
    )


def offer() -> None:
    """The settings, and what can be done with the page as a whole."""
    st.html(PRINTED)
    now, sign = held()
    with st.sidebar.popover("Settings", icon=":material/tune:", width="stretch"):
        names = list(conventions.CONVENTIONS)
        chosen = st.selectbox(
            "Numbers and dates as in",
            names,
            index=names.index(conventions.nearest(now)),
            format_func=lambda n: conventions.CONVENTIONS[n].title,
            key="convention chosen",
        )
        signs = list(conventions.CURRENCIES)
        currency = st.selectbox(
            "Currency of amounts",
            signs if sign in signs else [*signs, sign],
            index=signs.index(sign) if sign in signs else len(signs),
            format_func=lambda c: c or "Not shown",
            key="sign chosen",
        )
        st.caption("Amounts are shown as they are in the data; nothing is converted.")
        _keep("finrec_keep_page", BUTTONS)()
        signing.out()
    # Kept beside the widgets: what a widget holds goes when a page is left for another.
    st.session_state["convention"], st.session_state["sign"] = chosen, currency


def print_button() -> None:
    """A button within a page that prints it."""
    _keep("finrec_print_page", PRINT)(width="content")


@st.cache_resource
def _keep(name: str, html: str) -> Any:
    """Buttons for the page as a whole, known to the server once."""
    script = Path(__file__).with_name("keep_page.js").read_text(encoding="utf-8")
    return st.components.v2.component(name, html=html, css=LOOKS, js=script)
