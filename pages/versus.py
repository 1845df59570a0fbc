"""Two models against each other, and quality against its price; parts of Compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import comparison, reliability, scatter, versus
from finrec.pipeline import Run, keeping
from pages import frame


def trade_off(points: Any, metric: str, key: str) -> None:
    """Quality against training time, parameters or coverage."""
    kinds = scatter.kinds(points)
    if not kinds:
        return
    st.subheader("What quality costs", anchor=False)
    against = st.selectbox(
        "Set against", kinds, format_func=scatter.AGAINST.__getitem__, key=f"{key} against",
        width=420,
    )  # fmt: skip
    frame.chart(*scatter.plot(points, metric, str(against)), f"{key} scatter")


def two(runs: Sequence[Run]) -> tuple[Run, Run] | None:
    """The two that are chosen; the model in use comes first."""
    active = keeping.active(runs[0].settings.snapshot)
    ordered = sorted(runs, key=lambda r: r.id != active)
    known = {r.id: r for r in ordered}
    names = {i: comparison.run_label(r) + (", in use" if i == active else "")
             for i, r in known.items()}  # fmt: skip
    for key in ("versus one", "versus other"):  # a choice that is gone would be an error
        if st.session_state.get(key) not in known:
            st.session_state.pop(key, None)
    row = st.container(horizontal=True)
    first = row.selectbox("One", list(known), format_func=names.__getitem__, key="versus one")
    second = row.selectbox(
        "The other", list(known), index=1, format_func=names.__getitem__, key="versus other"
    )
    if first == second:
        st.info("Choose two different models.")
        return None
    return known[first], known[second]


def draw(runs: Sequence[Run]) -> None:
    """Settings, figures, curves and calibration of two models side by side."""
    if len(runs) < 2:
        frame.empty(
            "This needs two models of the same data.", "pages/train.py", "Train another model"
        )
        return
    pair = two(runs)
    if pair is None:
        return
    names = versus.labels(*pair)
    st.subheader("Settings that differ", anchor=False)
    table = versus.differences(*pair)
    if len(table):
        frame.show(table, "versus settings", "Settings that differ between the two models")
    else:
        st.markdown("Both were told the same.")
    st.subheader("What was measured", anchor=False)
    frame.show(versus.figures(*pair), "versus figures", "Figures of both models")
    st.subheader("How they learned", anchor=False)
    logs = {n: pipeline.jobs.read_log(r.id) for n, r in zip(names, pair, strict=True)}
    frame.chart(*versus.learning(logs), "versus curves")
    blocks = {n: r.metrics.get("P", {}) for n, r in zip(names, pair, strict=True)}
    variants = [v for v in reliability.VARIANT_WORDS
                if any(v in b.get("variants", {}) for b in blocks.values())]  # fmt: skip
    if not variants:
        return
    st.subheader("How honest their probabilities are", anchor=False)
    variant = st.selectbox(
        "Beside what was taken", variants, index=len(variants) - 1, key="versus variant",
        format_func=reliability.VARIANT_WORDS.__getitem__, width=420,
    )  # fmt: skip
    frame.chart(*versus.calibration(blocks, str(variant)), "versus calibration")
