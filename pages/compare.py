"""Compare: what was measured of each model, beside simple methods; the ablation."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from finrec import pipeline
from finrec.config import PARTS
from finrec.figures import comparison, formats, outreach, scatter, tables
from finrec.pipeline import Run, Snapshot
from finrec.pipeline import gains as verbs
from pages import answers, comparing, frame, gains, published, reference, versus, why

PROTOCOLS = {"R1": "R1, leave one out", "R2": "R2, by time"}
VIEWS = {"masked": "What is not held", "unmasked": "Everything"}
TABLE_METRICS = 6
SECTIONS = ("Ranking", "Parts", "Yes or no", "Evidence")


def said(runs: Sequence[Run], snapshot: Snapshot, protocol: str, view: str, which: str) -> None:
    """Name everything that a figure depends on."""
    seeds = sorted({r.settings.train.seed for r in runs})
    block = runs[0].metrics[protocol]
    cases = block["cases"] if which == "all" else block["slices"][which]["cases"]
    ranked = comparison.view_words(view, "candidates" in snapshot.rows, snapshot.info.repeatable)
    st.markdown(
        f"**{formats.markdown(tables.title(snapshot.info))}** `{snapshot.ref}` · "
        f"{PROTOCOLS.get(protocol, protocol)} · {ranked} · "
        f"{comparison.SLICE_WORDS[which]} · {formats.counted(cases, 'test case')} · "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
    )
    st.caption(formats.markdown(outreach.told(block["description"])))


def ranking(runs: Sequence[Run], snapshot: Snapshot) -> None:
    """Ranking quality by protocol, who gains and loses, and what it costs."""
    st.header("How well held-out products are ranked", anchor=False)
    row = st.container(horizontal=True)
    protocol = row.selectbox(
        "Protocol",
        comparison.protocols(runs),
        format_func=lambda p: PROTOCOLS.get(p, p),
        key="protocol",
    )
    measured = [r for r in runs if protocol in r.metrics]
    views = comparison.views(measured, protocol)
    which = row.selectbox(
        "Customers",
        comparison.slices(measured, protocol),
        format_func=comparison.SLICE_WORDS.__getitem__,
        key="slice",
    )
    view = row.selectbox(
        "Ranked",
        views if which == "all" else views[:1],
        format_func=lambda v: VIEWS[v] if len(views) > 1 else "What could be offered",
        key="view",
    )
    names = comparison.metric_names(measured, protocol)
    metric = row.selectbox("Metric", names, format_func=formats.measure, key="metric")
    said(measured, snapshot, protocol, view, which)
    rows = comparison.measured(measured, protocol, view, which)
    wide = comparison.table(rows, names[:TABLE_METRICS])
    bar = frame.chart(
        comparison.bars(rows, metric), comparison.describe_bars(rows, metric), wide, "metric bars",
        pick=True,
    )  # fmt: skip
    frame.download(comparison.summary(rows), f"comparison-{protocol}", "save comparison")
    if which in ("all", "warm") and view == "masked":  # what each case was kept for
        sides = verbs.of_runs(measured, protocol)
        gains.draw(snapshot.ref, protocol, sides, metric, which, "models", bar)
    if which == "all" and view == "masked":
        versus.trade_off(scatter.of_runs(measured, protocol, metric), metric, "models")
    st.header("Models", anchor=False)
    frame.show(tables.runs(runs), "compared models", "Models compared")


def ablation(runs: Sequence[Run], snapshot: Snapshot) -> None:
    """What each part of the model adds."""
    st.header("What each part adds", anchor=False)
    known = comparison.protocols(runs)
    own = snapshot.info.protocol
    protocol = own if own in known else known[0]
    presets = list(dict.fromkeys(r.settings.preset for r in runs))
    preset = presets[0]
    if len(presets) > 1:
        counts = {
            p: len({r.settings.parts for r in runs if r.settings.preset == p}) for p in presets
        }
        presets.sort(key=lambda p: -counts[p])
        preset = st.selectbox("Preset", presets, key="ablation preset", width=240)
    same = [r for r in runs if r.settings.preset == preset]
    missing = comparison.missing_variants(same)
    if len(missing) == len(PARTS) - 1:
        frame.empty(
            f"Only one variant is trained with the preset {preset}: there is nothing to set it "
            f"against. Missing: {', '.join(missing)}.",
            "pages/train.py",
            "Train a variant",
        )
        return
    table = comparison.ablation(same, protocol)
    seeds = ", ".join(str(s) for s in sorted({r.settings.train.seed for r in same}))
    st.markdown(
        "Precision, recall and F1 of telling what a customer took from one product drawn at "
        "random (protocol P: uniform negatives, 1 to 1; threshold chosen on validation, frozen "
        f"for the test). Preset {preset}, seeds {seeds}."
    )
    st.caption(
        "Answering yes to everything reaches a precision of 0.5, a recall of 1 and an F1 of 0.67. "
        "These figures say nothing about lists of recommendations; *Ranking* does."
    )
    frame.chart(
        comparison.ablation_bars(table), comparison.describe_ablation(table), table, "ablation"
    )
    if missing:
        st.info(f"Not trained yet with this preset: {', '.join(missing)}.", icon=":material/info:")
        st.page_link("pages/train.py", label="Train them", icon=":material/arrow_forward:")


def models(snapshot: Snapshot) -> None:
    """Trained models of this data, measured in the same way."""
    runs = [r for r in pipeline.runs() if r.settings.snapshot == snapshot.ref]
    if not runs:
        frame.empty("No model is trained on this data yet.", "pages/train.py", "Train a model")
        return
    labels = comparison.run_labels(runs)
    chosen = st.multiselect(
        "Models", list(labels), default=list(labels), format_func=labels.__getitem__,
        key=f"compared {snapshot.ref}",  # another data set has other models, all of them chosen
    )  # fmt: skip
    picked = [r for r in runs if r.id in chosen]
    if not picked:
        st.info("Choose at least one model.")
        return
    section = st.radio(
        "What is compared", SECTIONS, key="compare section", horizontal=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if section == "Parts":
        ablation(picked, snapshot)
    elif section == "Yes or no":
        answers.draw(picked)
    elif section == "Evidence":
        why.model_report(frame.run() or picked[0])
    else:
        ranking(picked, snapshot)


def main() -> None:
    """Draw the screen; only the part that is open is drawn."""
    if st.session_state.pop("opened from compare", False):
        frame.turn("customers")
    snapshot = frame.snapshot()
    frame.header(
        "Compare",
        "Models and methods, measured in the same way.",
        snapshot.info if snapshot else None,
    )
    own, pair, methods, known = st.tabs(
        ["Models", "Two models", "Comparisons", "Reference results"],
        key="compare part",
        on_change="rerun",
    )
    if snapshot is None and not known.open:
        frame.empty("No data are loaded yet.", "pages/overview.py", "Start on the Overview")
    elif own.open and snapshot is not None:
        with own:
            models(snapshot)
    elif pair.open and snapshot is not None:
        with pair:
            versus.draw([r for r in pipeline.runs() if r.settings.snapshot == snapshot.ref])
    elif methods.open and snapshot is not None:
        with methods:
            comparing.draw(snapshot)
    elif known.open:
        with known:
            reference.draw()
            published.paper()


frame.screen("compare", main)
