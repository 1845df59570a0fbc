"""Protocol P of one model, a part of Compare: yes or no of pairs, and honest probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from finrec.figures import anything, comparison, formats, holding, reliability
from finrec.pipeline import Run
from pages import frame


def draw(runs: Sequence[Run]) -> None:
    """The three variants with their references, and the reliability of one."""
    st.header("Yes or no, and how honest the probabilities are", anchor=False)
    known = {r.id: r for r in runs if reliability.variants(r.metrics.get("P", {}))}
    if not known:
        frame.empty(
            "These models were made before this was measured. Train one again to see it.",
            "pages/train.py",
            "Train again",
        )
        return
    row = st.container(horizontal=True)
    labels = comparison.run_labels(list(known.values()))
    chosen = row.selectbox("Model", list(known), format_func=labels.__getitem__, key="answering")
    block = known[chosen].metrics["P"]
    st.markdown(
        "What a customer took is told from other products in three ways, which must not be mixed "
        "up: the same model gets very different figures. Thresholds and probabilities were "
        "chosen on validation and frozen."
    )
    frame.show(reliability.table(block), "answers table", "Protocol P in its three variants")
    variant = row.selectbox(
        "Beside what was taken",
        reliability.variants(block),
        index=len(reliability.variants(block)) - 1,
        format_func=reliability.VARIANT_WORDS.__getitem__,
        key="answers variant",
    )
    found = block["variants"][variant]
    st.caption(
        f"{formats.counted(found['positives'], 'product')} taken among "
        f"{formats.number(found['pairs_stand_for'])} pairs: saying yes to all is right in "
        f"{formats.share(found['prevalence'])} of them."
    )
    frame.chart(
        reliability.plot(block, variant),
        reliability.describe(block, variant),
        reliability.points(block, variant),
        "reliability",
    )
    taken = known[chosen].metrics.get("T")
    st.subheader("Whether anything is taken at all", anchor=False)
    if taken is None:
        st.caption("Not measured for this model: that takes a split by time, and a new training.")
    else:
        st.markdown(formats.markdown(anything.describe(taken)))
        frame.show(anything.table(taken), "anything table", "Whether anything is taken at all")
    held = known[chosen].metrics.get("O")
    if held is not None:  # only data that tell when a product is given up
        st.subheader("What is held a month later", anchor=False)
        st.markdown(formats.markdown(holding.describe(held)))
        frame.show(holding.table(held), "holding table", "What is held a month later")
