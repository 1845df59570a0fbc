"""Policy: what may be offered to whom; read it, try it, change it, sign it off."""

from __future__ import annotations

from typing import Any

import streamlit as st

from finrec.figures import formats, governing, outreach
from finrec.pipeline import Run, Snapshot
from finrec.pipeline import outreach as verbs
from finrec.schema import PolicyError
from pages import frame, kept, memory, signing, weighing


def in_force(run: Run | None) -> None:
    """The policy in force and what it keeps back in these data."""
    policy = verbs.policy()
    own = verbs.policy_text() != verbs.default_policy_text()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{formats.markdown(policy.title)}**", width="content")
        st.badge("your own" if own else "built in", color="blue" if own else "gray")
    if policy.scope:
        st.markdown(formats.markdown(policy.scope))
    strict = outreach.STATE_WORDS[policy.offer_up_to]
    st.markdown(f"What is stricter than *{strict}* is never offered, however well it fits.")
    if run is None:
        st.caption("With a model trained on the data, this page shows what the policy keeps back.")
        return
    gate = kept.gate(run.id, kept.mark())
    shares = governing.shares_by_state(gate, verbs.STATES)
    tiles = st.container(horizontal=True)
    for state, share in shares.items():
        tiles.metric(outreach.STATE_WORDS[state].capitalize(), formats.share(share), border=True)
    st.caption(
        f"Of {formats.number(gate.state.size)} pairs of customer and product "
        f"({formats.counted(gate.state.shape[0], 'customer')} spread evenly over all, "
        f"{formats.counted(gate.state.shape[1], 'product')})."
    )
    bitten = governing.kept_back(gate, verbs.STATES)
    st.subheader("Which rule decides how often", anchor=False)
    frame.chart(
        governing.rule_bars(bitten), governing.describe_rules(bitten),
        governing.rules_table(bitten), "rules",
    )  # fmt: skip
    unchecked(gate.not_checked)


def unchecked(sentences: tuple[str, ...]) -> None:
    """Rules for which the data has nothing."""
    if sentences:
        with st.expander(
            f"{formats.counted(len(sentences), 'rule')} can't be checked in these data",
            icon=":material/visibility_off:",
        ):
            st.markdown("\n".join(f"- {formats.markdown(s)}" for s in sentences))
            st.caption(
                "Name the columns under *columns* in the policy, or bring in data with them."
            )


def trial(snapshot: Snapshot, run: Run) -> None:
    """What the policy says of one customer and one product, as they are or made up."""
    names = kept.names(run.id)
    left, right = st.columns(2)
    text = left.text_input("Customer id begins with", key="trial search", max_chars=100)
    found = memory.search(snapshot.ref, text.strip())
    ids = [str(i) for i in found["customer_id"]]
    if not ids:
        left.warning(f"No customer id begins with {formats.markdown(text)}.")
        return
    customer = left.selectbox("Customer", ids, key="trial customer")
    product = right.selectbox(
        "Product", list(names), format_func=names.__getitem__, key="trial product"
    )
    told = verbs.verdict(memory.loaded(run.id).recommender, str(customer), str(product))
    said(told, f"Customer {customer} and {names[str(product)]}, as they are")
    st.subheader("What if they were different?", anchor=False)
    st.markdown(
        "Change a value, or fill one that the data lack, and see what the policy says. What the "
        "customer holds and refused before is left out here. Nothing is kept."
    )
    first, second = st.columns(2)
    person = memory.customer(snapshot.ref, str(customer)).attributes
    goods = governing.attributes(memory.loaded(run.id).recommender.catalogue.table, str(product))
    wanted = verbs.policy().columns
    with first:
        people = edited(governing.asked_of(person, wanted.customers), f"person {customer}",
                        "Customer")  # fmt: skip
    with second:
        changed = edited(governing.asked_of(goods, wanted.products), f"goods {product}", "Product")
    source = st.session_state.get("policy text") if st.toggle(
        "With the text under Change instead of the policy in force", key="trial draft"
    ) else None  # fmt: skip
    with frame.told():
        said(verbs.test_policy(source, people, changed), "As changed above")


def edited(table: Any, key: str, title: str) -> dict[str, Any]:
    """A small table of attributes whose values can be changed."""
    st.markdown(f"**{title}**")
    changed = st.data_editor(
        table, hide_index=True, width="stretch", key=key, disabled=["Attribute"],
        column_config={"Attribute": st.column_config.TextColumn(width="small")},
    )  # fmt: skip
    return governing.values_of(changed)


def said(verdict: verbs.Verdict, title: str) -> None:
    """A verdict with every rule that bit."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{formats.markdown(title)}**", width="content")
            st.badge(
                outreach.STATE_WORDS[verdict.state],
                color=outreach.STATE_COLOURS[verdict.state],  # type: ignore[arg-type]
            )
        if verdict.reasons:
            st.markdown(
                "\n".join(
                    f"- {formats.markdown(r.sentence)} ({outreach.STATE_WORDS[r.state]})"
                    for r in verdict.reasons
                )
            )
        else:
            st.markdown("No rule stands against it.")
        if verdict.not_checked:
            st.caption(f"Not checked: {formats.counted(len(verdict.not_checked), 'rule')}.",
                       help=formats.markdown(" ".join(verdict.not_checked)))  # fmt: skip


def change() -> None:
    """The policy's text, to be checked and put in force."""
    st.session_state.setdefault("policy text", verbs.policy_text())
    text = st.text_area(
        "The policy, as TOML", key="policy text", height=460,
        help="Comments behind # say what each setting means.",
    )  # fmt: skip
    valid = False
    try:
        checked = verbs.check_policy(text, "The text above")
        valid = True
        st.success(
            f"Valid: {formats.markdown(checked.title)}, "
            f"{formats.counted(len(checked.rules), 'further rule', 'further rules')}.",
            icon=":material/check_circle:",
        )
    except PolicyError as error:
        st.error(formats.markdown(str(error)), icon=":material/error:")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.popover("Put in force …", disabled=not valid, icon=":material/gavel:"):
            st.markdown("From then on every offer, call and campaign keeps to it. It is recorded.")
            note = st.text_input("What changed and who approved it", key="policy note",
                                 max_chars=500)  # fmt: skip
            if st.button("Put in force", type="primary", key="save policy") and valid:
                if note.strip():
                    verbs.save_policy(text, signing.who(), note.strip())
                    st.session_state["policy said"] = "The policy is in force."
                    st.rerun()
                st.warning("Say what changed; it goes into the records.")
        with st.popover("Back to the built-in …", icon=":material/restart_alt:"):
            st.markdown("Your own policy is removed, and the built-in one holds again.")
            st.button("Remove mine", type="primary", key="reset policy", on_click=reset)
        st.download_button("Save as file", text, file_name="policy.toml", mime="application/toml",
                           key="policy file", icon=":material/download:",
                           on_click="ignore")  # fmt: skip


def reset() -> None:
    """Put the built-in policy in force."""
    verbs.reset_policy(signing.who())
    st.session_state["policy text"] = verbs.policy_text()
    st.session_state["policy said"] = "The built-in policy is in force."


def main() -> None:
    """Draw the screen."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header("Policy", "What may be offered to whom, beside how well it fits.")
    if "policy said" in st.session_state:
        st.success(st.session_state.pop("policy said"), icon=":material/gavel:")
    now, try_it, weigh, text = st.tabs(["In force", "Try it", "Beyond fit", "Change"])
    with text:
        change()  # first: what is tried may be what is written here
    with now:
        with frame.told():
            in_force(run)
    with try_it:
        if snapshot is None or run is None:
            frame.empty(
                "Trying needs data and a model.", "pages/overview.py", "Start on the Overview"
            )
        else:
            with frame.told():
                trial(snapshot, run)
    with weigh:
        if run is None:
            st.markdown("What lists could weigh besides fit is measured with a trained model.")
        elif st.toggle("Measure it (takes some seconds)", key="measure front"):
            with frame.told():
                weighing.draw(run)


frame.screen("policy", main)
