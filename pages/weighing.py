"""What lists weigh besides fit, drawn on the Policy screen: choose, see the cost, take it over."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import formats, weighing
from finrec.pipeline import Run, outreach
from finrec.schema import DataError
from pages import frame, kept, memory

K = 10


@st.cache_data(max_entries=10, show_spinner="Measuring what re-ranking costs and brings …")
def front(run: str, mark: str) -> Any:
    """Every setting, measured on validation cases that the model had not learned from."""
    held = memory.loaded(run)
    with held.lock:
        return outreach.trade_off(held.recommender, K)


def take_over(value: float, variety: float, by: str) -> None:
    """Write the chosen weights into the text under Change."""
    text = st.session_state.get("policy text") or outreach.policy_text()
    st.session_state["policy text"] = weighing.with_lists(text, value, variety, by)
    st.session_state["policy said"] = (
        "The weights are in the text under Change; put it in force there."
    )


def draw(run: Run) -> None:
    """The choice, what was measured of it, and the way into the policy."""
    st.markdown(
        "Lists can weigh more than how well a product fits. Each setting below was measured on "
        "validation cases that this model had not learned from; nothing here is a guess."
    )
    try:
        measured = front(run.id, kept.mark())
    except DataError as error:
        st.info(str(error), icon=":material/model_training:")
        return
    row = st.container(horizontal=True, vertical_alignment="bottom")
    goal = row.radio(
        "What shall count besides fit", list(weighing.GOALS),
        format_func=weighing.GOALS.__getitem__, horizontal=True, key="goal",
        help="Variety alone costs a product what it has in common with the listed one most like "
        "it (MMR); by DPP it counts what it has in common with all that are listed.",
    )  # fmt: skip
    step = row.select_slider(
        "How much (0: not at all)", weighing.steps(measured, str(goal)), key=f"step {goal}",
        width=320,
    )  # fmt: skip
    chosen = weighing.setting(measured, str(goal), float(step))
    base, column = measured.iloc[0], weighing.quality(measured)
    tiles = st.container(horizontal=True)
    tiles.metric(formats.measure(column), formats.metric(chosen[column]),
                 weighing.change(chosen[column], base[column]), border=True)  # fmt: skip
    for gain, label in weighing.GAINS.items():
        tiles.metric(label, weighing.said(gain, chosen[gain]),
                     weighing.change(chosen[gain], base[gain]), border=True)  # fmt: skip
    st.caption("Below each figure: how far it is from lists by fit alone.")
    gain = st.selectbox(
        "Set against", list(weighing.GAINS), format_func=weighing.GAINS.__getitem__, key="gain",
        width=320,
    )  # fmt: skip
    frame.chart(
        weighing.scatter(measured, str(gain), chosen),
        weighing.describe(measured, str(gain), chosen), weighing.table(measured), "front",
    )  # fmt: skip
    now = outreach.policy().lists
    by = {"dpp": "dpp", "variety": "mmr"}.get(str(goal), now.variety_by)
    value, variety = (float(step), now.variety) if goal == "value" else (now.value, float(step))
    st.button(
        "Take over into the policy's text", key="take over", on_click=take_over,
        args=(value, variety, by), icon=":material/edit_note:",
    )  # fmt: skip
    st.caption(
        f"In force now: worth {formats.number(now.value, 2)}, variety "
        f"{formats.number(now.variety, 2)} (by {now.variety_by.upper()}). What lists weigh "
        "never lets through what the policy keeps back."
    )
