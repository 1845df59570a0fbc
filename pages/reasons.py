"""Reason codes of a saved campaign: made when asked for, then saved."""

from __future__ import annotations

from functools import partial

import streamlit as st

from finrec.figures import formats
from finrec.pipeline import explaining
from finrec.pipeline import reasons as verbs
from pages import frame, kept, memory


def draw(campaign: str, run: str) -> None:
    """One button that finds the reasons of every offer, and then saves them as CSV.

    Args:
        campaign: its name.
        run: the model that planned it.
    """
    held = st.session_state.get("campaign reasons")
    if held is None or held.campaign != campaign:
        if st.button(
            "Find the reasons of every offer", key="campaign reasons of",
            icon=":material/lightbulb:", help="Up to three an offer, each with what it rests on.",
        ):  # fmt: skip
            with frame.told():
                bar = st.progress(0.0, "Asking the model …")
                loaded = memory.loaded(run)
                with loaded.lock:
                    found = verbs.campaign_reasons(
                        campaign, False,
                        lambda done, of: bar.progress(done / of, f"{done} of {of} offers"),
                        loaded.recommender,
                    )  # fmt: skip
                st.session_state["campaign reasons"] = found
                st.rerun()
        return
    name = f"reasons-{campaign}.csv"
    st.download_button(
        "Save the reasons of every offer",
        kept.recorded(
            partial(explaining.codes_file, held.frame, "csv"), partial(verbs.record, held, name)
        ),
        name, "text/csv", key="save campaign reasons", icon=":material/download:",
        on_click="ignore",
    )  # fmt: skip
    st.caption(formats.markdown(held.sentence))
