"""Why, in depth: what to trust, the counterfactual, paths, a second opinion, the brief, why not."""

from __future__ import annotations

import streamlit as st

from finrec.figures import formats, trust
from finrec.pipeline import Explanation, Run, Snapshot, explaining
from finrec.pipeline.explaining import Opinion, WhyNot
from pages import frame, memory


@st.cache_resource(max_entries=200, show_spinner="Checking the evidence …")
def opinion(
    run: str, snapshot: str, customer: str, product: str, k: int, _found: Explanation
) -> Opinion:
    """Badge, counterfactuals and second opinion of an offer; shared, so never to be changed.

    ``_found`` is the offer's explanation, which all that is before it decides.
    """
    held = memory.loaded(run)
    with held.lock:
        return explaining.second_opinion(held.recommender, customer, product, k, _found)


def change(run: Run, snapshot: Snapshot, found: Explanation, k: int) -> None:
    """What would have to be different, and how far the evidence can be trusted."""
    told = opinion(run.id, snapshot.ref, found.customer, found.product, k, found)
    trusted(told, found)
    second(told, found)


def trusted(told: Opinion, found: Explanation) -> None:
    """What would have to be different, and whether attention shows what decides."""
    attention_first = told.badge.shown_first == "attention"
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**What would change it**", width="content")
            if told.badge.attention.faithful is None:
                st.badge("too few events to test", icon=":material/help:", color="gray")
            elif attention_first:
                st.badge("attention is faithful here", icon=":material/check:", color="green")
            else:
                st.badge(
                    "attention does not decide here", icon=":material/warning:", color="orange"
                )
        st.markdown(formats.markdown(changed(told, found)))
        st.caption(formats.markdown(f"{told.badge.sentence} {told.seeds.sentence}"))


def changed(told: Opinion, found: Explanation) -> str:
    """The counterfactual in a sentence or two."""
    answer = told.counterfactual
    if not answer.verified:
        if found.rank > told.k:
            return f"{found.name} is not among the first {told.k} as things are."
        return (
            f"Nothing known of this customer keeps {found.name} among the first {told.k}: it would "
            "stay there without any of it. It rests on what many customers take."
            if answer.minimal
            else f"Without all that is known of this customer {found.name} would still be among "
            f"the first {told.k}. Not every smaller set was tried."
        )
    listed = told.without[0] if len(told.without) == 1 else "; ".join(told.without)
    more = "" if answer.minimal else trust.not_proven(answer.needed)
    said = (
        f"Without {listed}, {found.name} would fall to rank {answer.rank:,}, out of the first "
        f"{told.k}. The model was asked again to make sure.{more}"
    )
    if told.by_edges.verified:
        said += f" Leaving out in the graph {trust.listed(told.edges)} would do so, too."
    return said


def second(told: Opinion, found: Explanation) -> None:
    """How far methods agree, and the deletion test."""
    st.subheader("Can the evidence be trusted?", anchor=False)
    if agreed := trust.agreement(told.agreement):
        st.markdown(formats.markdown(agreed))
    if len(told.events):
        cuts = told.badge.attention.cuts
        curves = {
            "By attention": told.badge.attention.curve,
            "By measured effect": told.badge.effect.curve,
        }
        frame.chart(
            trust.deletion(cuts, curves),
            trust.describe_deletion(curves),
            trust.deletion_table(cuts, curves),
            "deletion",
        )
    with st.expander("Each event and attribute, by three methods", icon=":material/balance:"):
        frame.show(trust.opinions(told.events, told.attributes), "opinions", "Three methods")
        complete = "add up to" if told.complete else "do not add up to"
        st.caption(
            "Integrated gradients follow the score from a customer of whom nothing is known to "
            f"this one; here they {complete} the score (off by {told.missed:.4f})."
        )
    with st.expander("What each attention head is worth", icon=":material/visibility:"):
        frame.chart(
            trust.heads(told.heads), trust.describe_heads(told.heads),
            trust.heads_table(told.heads), "heads",
        )  # fmt: skip


def brief(run: Run, snapshot: Snapshot, found: Explanation, k: int) -> None:
    """The brief, to read, print and save."""
    st.subheader("Brief for a conversation", anchor=False)
    safe = st.toggle(
        "To hand to the customer",
        key="safe brief",
        help="Leaves out other customers, scores and internal checks.",
    )
    held = memory.loaded(run.id)
    with held.lock:
        told = explaining.brief(held.recommender, found.customer, found.product, safe, found)
        page = explaining.as_html(held.recommender, told)
        printed = explaining.as_html(held.recommender, told, button=True)
    with st.container(border=True):
        for sentence in told.sentences:
            st.markdown(formats.markdown(sentence.text))
            st.caption(formats.markdown("Rests on " + trust.cited(told.evidence, sentence)))
        if told.checks:
            st.markdown("**To check before offering**")
            st.markdown("\n".join(f"- {formats.markdown(c)}" for c in told.checks))
    with st.expander("Page to print", icon=":material/print:"):
        st.iframe(printed.decode(), height=460, alt="The brief as a page to print")
    with st.container(horizontal=True):
        save("Save the page", page, f"brief-{found.product}.html", "text/html", "download")
        if not safe:
            data = explaining.as_json(found, told)
            save("Save all evidence", data, "explanation.json", "application/json", "data_object")


def save(label: str, data: bytes, name: str, mime: str, icon: str) -> None:
    """A button that saves a file."""
    st.download_button(
        label, data, file_name=name, mime=mime, key=f"save {name}", on_click="ignore",
        icon=f":material/{icon}:",
    )  # fmt: skip


def why_not(run: Run, snapshot: Snapshot, explained: Explanation, k: int) -> None:
    """Why a product that is looked for is not offered."""
    st.subheader("Why not another product?", anchor=False)
    held = memory.loaded(run.id)
    products = held.recommender.catalogue.table
    left, right = st.columns(2)
    text = left.text_input(
        "Name of the product contains",
        key="why not text",
        max_chars=100,
        placeholder="All products",
    )
    names = trust.product_names(products, text.strip())
    if not names:
        right.warning(f"No product's name holds {formats.markdown(text)}.")
        return
    product = right.selectbox(
        "Product", list(names), index=None, format_func=names.__getitem__, key="why not",
        placeholder="Choose a product", help="The first 50 that fit; type more to see others.",
    )  # fmt: skip
    if product is None:
        return
    with held.lock, st.spinner("Asking the model …"):
        found = explaining.why_not(held.recommender, explained.customer, product, k)
    told(found, trust.added(products, found.addition.products) if found.addition else "")


def told(found: WhyNot, added: str) -> None:
    """Score, held, eligibility and suitability, one under the other."""
    if found.offered:
        st.success(formats.markdown(f"{found.model} Nothing speaks against it: it is offered."))
        return
    score = found.model
    if added:
        score += f" With {added} taken first, it would be number {rank(found)}."
    elif found.addition is not None:
        score += " No one to three products close to it would bring it onto the list."
    rows = {
        "Score": score,
        "Held": found.held or "Not held.",
        "Eligibility": " ".join(found.eligibility) or "No rule speaks against it.",
        "Suitability": " ".join(found.suitability) or "No rule speaks against it.",
    }
    for name, sentence in rows.items():
        label, text = st.columns([1, 5])
        label.markdown(f"**{name}**")
        text.markdown(formats.markdown(sentence))
    if len(found.gap):
        with st.expander("What it lacks, part by part", icon=":material/table:"):
            frame.show(trust.gap_table(found.gap), "gap", "What it lacks")


def rank(found: WhyNot) -> str:
    """Place of the product after the addition."""
    return formats.number(found.addition.rank) if found.addition else formats.UNKNOWN


def model_report(run: Run) -> None:
    """Whether a model's evidence is faithful, over many customers; measured when asked for."""
    st.header("Is the evidence that is shown faithful?", anchor=False)
    st.caption(formats.markdown(f"Model {run.id}, chosen in the sidebar."))
    kept = explaining.faithful(run.id)
    if kept is None:
        st.markdown("Not measured yet for this model. It takes about a minute.")
        if not st.button("Measure on 200 customers", key=f"faithful {run.id}"):
            return
        held = memory.loaded(run.id)
        bar = st.progress(0.0, "Testing the evidence …")
        with held.lock:
            kept = explaining.measure_faithfulness(
                held.recommender, 200, lambda done, of: bar.progress(done / of, f"{done} of {of}")
            )
        bar.empty()
        st.rerun()
    if not kept["customers"]:
        st.markdown(formats.markdown(kept["sentence"]))
        return
    methods = kept["methods"]
    frame.chart(
        trust.report(methods), trust.describe_report(kept), trust.report_table(methods),
        "faithfulness",
    )  # fmt: skip
