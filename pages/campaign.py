"""Campaign: who gets which offer within limits, how many will take it, and what came of it."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import formats, governing, outreach
from finrec.pipeline import Run, Snapshot
from finrec.pipeline import outreach as verbs
from pages import frame, kept, memory, offering, reasons, signing

STRICTEST = {
    "ok": "only what suits without question",
    "warn": "also what must be checked first",
    "needs advice": "also what needs advice",
}
AIMS = {"value": "worth most", "take_up": "taken up most often"}
LISTED = 200  # offers shown on the page; the file holds all
EXPLAINED = 200  # offers whose main reason is looked for


def segment(run: Run) -> dict[str, Any]:
    """Which customers: by values of attributes and between bounds."""
    only: dict[str, tuple[str, ...]] = {}
    between: dict[str, tuple[float, float]] = {}
    with st.expander("Which customers: everybody, or some", icon=":material/group:"):
        row = st.container(horizontal=True)
        for column, values in kept.segments(run.id).items():
            picked = row.multiselect(
                formats.markdown(formats.words(column)), values, key=f"segment {column}",
                placeholder="Any", width=260,
            )  # fmt: skip
            if picked:
                only[column] = tuple(picked)
        for column, (low, high) in kept.ranges(run.id).items():
            whole = low.is_integer() and high.is_integer()
            bounds = st.slider(
                formats.markdown(formats.words(column)), low, high, (low, high),
                step=1.0 if whole else None, format="%d" if whole else None,
                key=f"range {column}",
            )  # fmt: skip
            if bounds != (low, high):
                between[column] = bounds
        st.caption("A customer whose value is unknown is in no narrowed segment.")
    return {"only": only, "between": between}


def fairness(run: Run) -> dict[str, Any]:
    """Variety over products, and fair shares of groups."""
    asked: dict[str, Any] = {}
    with st.expander("Variety and fairness", icon=":material/balance:"):
        asked["most_share"] = st.slider(
            "Most of all offers that one product may have", 5, 100, 100, 5, format="%d%%",
            key="most share",
            help="100%: as it comes. Lower values spread the offers over more products; it is a "
            "share of the offers that would be made without this limit.",
        ) / 100  # fmt: skip
        groups = list(kept.segments(run.id))
        if groups:
            left, right = st.columns(2)
            group = left.selectbox(
                "Groups by", groups, format_func=formats.words, key="parity group"
            )
            parity = right.slider(
                "Fair share that each group gets at least", 0, 100, 0, 10, format="%d%%",
                key="parity",
                help="100%: as many offers as the group has customers who can be reached, in "
                "proportion. 0%: as it comes.",
            )  # fmt: skip
            if parity:
                asked |= {"parity": parity / 100, "group": group}
    return asked


def limits() -> dict[str, Any]:
    """Budgets, caps and how strict to be."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    budget = row.number_input("Offers of each product, at most", 1, 1_000_000, 100, key="budget",
                              width=230)  # fmt: skip
    cap = row.number_input("Offers to a customer, at most", 1, 20, 1, key="cap", width=220)
    total = row.number_input("Offers in all, at most", 1, 10_000_000, None, key="total",
                             placeholder="no limit", width=190)  # fmt: skip
    second = st.container(horizontal=True, vertical_alignment="bottom")
    strictest = second.selectbox(
        "Offers are made of", list(STRICTEST), 1, format_func=STRICTEST.__getitem__,
        key="strictest", width=330, help="As the policy judges each customer and product.",
    )  # fmt: skip
    by = second.selectbox(
        "Choose the offers that are", list(AIMS), format_func=AIMS.__getitem__, key="aim", width=240
    )
    return {"budgets": budget, "cap": cap, "total": total, "strictest": strictest, "by": by}


def form(run: Run) -> None:
    """What the campaign shall be; plans it when asked."""
    names = kept.names(run.id)
    products = st.multiselect(
        "Products", list(names), format_func=names.__getitem__, key="products",
        placeholder="Choose one or more",
    )  # fmt: skip
    who = segment(run)
    asked = limits() | fairness(run)
    if not st.button(
        "Plan the campaign", type="primary", disabled=not products, key="plan campaign",
        icon=":material/calculate:",
    ):  # fmt: skip
        return
    st.session_state["planned"] = work(run, products, who, asked)
    st.session_state.pop("planned reasons", None)


def work(run: Run, products: list[str], who: dict[str, Any], asked: dict[str, Any]) -> verbs.Plan:
    """Plan with a bar; any other press, such as Cancel, ends it, and nothing has changed."""
    place = st.empty()
    began = time.monotonic()
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, "Looking who is in the segment …")
        st.button("Cancel", key="cancel plan", icon=":material/close:",
                  help="Stop planning; the plan before stays")  # fmt: skip

    def told(done: int, total: int) -> None:
        left = (time.monotonic() - began) / done * (total - done) if done else 0.0
        said = f"{formats.number(done)} of {formats.counted(total, 'customer')} scored"
        after = (
            f", about {formats.duration(left)} left." if done < total
            else ". Finding the best allocation; the first plan of a model also measures how far "
            "its forecasts stray."
        )  # fmt: skip
        bar.progress(done / max(total, 1), said + after)

    held = memory.loaded(run.id)
    with held.lock:
        people = None
        if who["only"] or who["between"]:
            people = verbs.segment(held.recommender, who["only"], who["between"])
        found = verbs.plan(held.recommender, products, people, **asked, progress=told)
    place.empty()
    return found


def planned(plan: verbs.Plan, run: Run) -> None:
    """The plan: what is expected, by product, what was kept back, the list."""
    told, currency = plan.forecast, str(plan.settings["currency"])
    st.header("The plan", anchor=False)
    if plan.run != run.id:
        st.info("This plan was made with another model; plan again to use the one chosen now.")
    tiles = st.container(horizontal=True)
    tiles.metric("Offers", formats.number(len(plan.frame)), border=True)
    tiles.metric("Expected take-ups", formats.number(told.expected, 1), border=True)
    tiles.metric(
        f"{formats.share(told.level, 0)} interval",
        f"{formats.number(told.low)} to {formats.number(told.high)}", border=True,
        help="As wide as customers' own chance makes it, and as demand strayed from its "
        "forecast when the model was tested.",
    )  # fmt: skip
    tiles.metric("Expected worth", formats.money(plan.value, 0, currency), border=True)
    tiles.metric("Customers that can be reached", formats.number(plan.reachable), border=True,
                 help=f"Of {formats.number(plan.considered)} in the segment.")  # fmt: skip
    days = int(plan.settings["window_days"])
    st.markdown(
        outreach.forecast(told.expected, told.low, told.high, len(plan.frame), told.level, days)
        + (" Within these limits nothing better exists." if plan.optimal
           else " A better plan may exist, worth at most "
           f"{formats.markdown(formats.money(plan.bound, 0, currency))}.")
    )  # fmt: skip
    st.caption(
        "Chances are of what customers do by themselves. What an offer adds to that is known only "
        "after a trial with a group that gets none."
    )
    offering.invented()
    if plan.frame.empty:
        st.warning("No offer fits these limits; widen the segment or be less strict.")
    else:
        by_product = outreach.by_product(plan.frame)
        frame.chart(
            outreach.campaign_bars(by_product), outreach.describe_campaign(by_product), by_product,
            "campaign bars",
        )  # fmt: skip
    with st.expander("What the policy kept back", icon=":material/block:"):
        frame.chart(
            governing.rule_bars(plan.excluded), governing.describe_rules(plan.excluded),
            governing.rules_table(plan.excluded), "kept back",
        )  # fmt: skip
    if len(plan.frame):
        listed(plan)


def listed(plan: verbs.Plan) -> None:
    """The offers one by one, to be read, exported and saved."""
    st.header("The list", anchor=False)
    reasons = st.session_state.get("planned reasons", [])
    table = outreach.listed(
        outreach.with_reasons(plan.frame, reasons) if reasons else plan.frame,
        str(plan.settings["currency"]),
    )
    if len(table) > LISTED:
        st.caption(f"The first {LISTED} of {formats.number(len(table))}; the file holds all.")
    frame.show(table.head(LISTED), "campaign list", "Offers of the campaign, the best first")
    if not reasons and st.button(
        "Find the main reason of each" if len(table) <= EXPLAINED
        else f"Find the main reason of the first {EXPLAINED}",
        key="find reasons", icon=":material/lightbulb:",
    ):  # fmt: skip
        find_reasons(plan)
        st.rerun()
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        kept.files(table, "campaign", "save campaign list", "Save the list",
                   partial(exported, plan))  # fmt: skip
    with st.form("save campaign", border=True):
        left, right = st.columns(2)
        name = left.text_input("Name", key="campaign name", max_chars=80)
        note = right.text_input("Note", key="campaign note", max_chars=500)
        if st.form_submit_button("Save this campaign", icon=":material/bookmark_add:"):
            with frame.told():
                number = verbs.save_campaign(plan, name.strip(), signing.who(), note.strip())
                st.success(
                    f"Saved with {formats.counted(number, 'offer')}. *Saved campaigns* will show "
                    "what came of it.", icon=":material/check_circle:",
                )  # fmt: skip


def find_reasons(plan: verbs.Plan) -> None:
    """What speaks most for each of the first offers."""
    first = plan.frame.head(EXPLAINED).to_dict("records")
    bar, found = st.progress(0.0, "Asking the model …"), []
    for done, offer in enumerate(first, 1):
        told = memory.explanation(
            plan.run, plan.snapshot, str(offer["customer_id"]), str(offer["product_id"])
        )
        found.append(told.sentences[0] if told.sentences else "")
        bar.progress(done / len(first), f"{done} of {formats.counted(len(first), 'offer')}")
    st.session_state["planned reasons"] = found


def exported(plan: verbs.Plan, file: str, who: str) -> None:
    """Record that a campaign's list left the house."""
    verbs.record("exported", run=plan.run, snapshot=plan.snapshot, who=who,
                 detail={"campaign offers": len(plan.frame), "file": file})  # fmt: skip


def saved(snapshot: Snapshot, run: Run | None) -> None:
    """Campaigns of the past and what came of them."""
    every = verbs.campaigns()
    if every.empty:
        st.markdown("No campaign is saved yet. Plan one, then save it under a name.")
        return
    frame.show(outreach.campaigns(every), "saved campaigns", "Saved campaigns, newest first")
    row = st.container(horizontal=True, vertical_alignment="bottom")
    name = row.selectbox("Campaign", every["campaign"].tolist(), key="saved campaign", width=280)
    same = [s.ref for s in pipeline.snapshots() if s.info.name == snapshot.info.name]
    later = row.selectbox(
        "Count as taken up", [None, *same],
        format_func=lambda r: f"also what {r} says" if r else "what was recorded as accepted",
        key="outcome data", width=330,
        help="Newer data show who acquired the product within the campaign's window, recorded or "
        "not.",
    )  # fmt: skip
    came = verbs.outcome(str(name), later)
    st.markdown(formats.markdown(came.sentence))
    names = kept.names(run.id) if run else {}
    table = outreach.outcome_table(came.by_product, names)
    frame.chart(
        outreach.outcome(came.by_product, names), "Take-ups beside the forecast. " + came.sentence,
        table, "outcome",
    )  # fmt: skip
    reasons.draw(str(name), str(every.set_index("campaign")["run"][name]))


def main() -> None:
    """Draw the screen."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header(
        "Campaign", "Who gets which offer, within your limits, and how many will take it.",
        snapshot.info if snapshot else None,
    )  # fmt: skip
    if snapshot is None:
        frame.empty("No data are loaded yet.", "pages/overview.py", "Start on the Overview")
        return
    new, old = st.tabs(["Plan", "Saved campaigns"])
    with new:
        if run is None:
            frame.empty("No model is trained on this data yet.", "pages/train.py", "Train a model")
        else:
            with frame.told():
                form(run)
            plan = st.session_state.get("planned")
            if plan is not None and plan.snapshot == snapshot.ref:
                planned(plan, run)
    with old:
        saved(snapshot, run)


frame.screen("campaign", main)
