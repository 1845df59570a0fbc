"""The method in pictures, each formula beside a live example from the model that is chosen."""

from __future__ import annotations

import streamlit as st

from finrec.config import PARTS
from finrec.figures import attention, evidence, formats, method, tables
from finrec.pipeline import Explanation, Run, Snapshot
from pages import frame, kept, memory, offering

ATTENTION = r"\mathrm{Attention}(Q,K,V)=\mathrm{softmax}\!\left(\frac{QK^{\top}}{\sqrt{d}}\right)V"
NODE = (
    r"\alpha_{uv}=\frac{\exp(\mathrm{LeakyReLU}(a^{\top}[Wh_u\,\Vert\,Wh_v]))}"
    r"{\sum_{k\in N(u)}\exp(\mathrm{LeakyReLU}(a^{\top}[Wh_u\,\Vert\,Wh_k]))}"
)
FUSION = (
    r"h=h_{\mathrm{events}}+\sum_{k}\sigma(w_k^{\top}[h_{\mathrm{events}}\,\Vert\,h_k]+b_k)\,h_k"
)


def example(snapshot: Snapshot, run: Run) -> Explanation | None:
    """The best offer to a customer of whom much is known."""
    customer = tables.busiest(memory.search(snapshot.ref, ""))
    if customer is None:
        return None
    offers = offering.offers(run.id, customer, 1, kept.mark()).frame
    if offers.empty:
        return None
    return memory.explanation(run.id, snapshot.ref, customer, str(offers["product_id"].iloc[0]))


def draw(snapshot: Snapshot | None, run: Run | None) -> None:
    """The whole, then attention, the graph's coefficients and the fusion on an example."""
    text, graph = PARTS["+tl+gnn"] if run is None else PARTS[run.settings.parts]
    frame.chart(
        method.picture(text, graph), method.describe(text, graph), method.table(text, graph),
        "method",
    )  # fmt: skip
    found = None if snapshot is None or run is None else example(snapshot, run)
    if found is None:
        st.caption("With a model that is trained, each formula stands beside a live example here.")
        return
    st.markdown(
        f"The example: **{formats.markdown(found.name)}** for customer "
        f"**{formats.markdown(found.customer)}**, by the model that is chosen in the sidebar."
    )
    st.subheader("Attention: which events are read together", anchor=False)
    st.latex(ATTENTION)
    name = next((m for m in found.attention if m.endswith("mean of heads")), None)
    if found.events.empty or name is None:
        st.markdown("No event is known of this customer, so there is nothing to look at.")
    else:
        st.markdown(
            "Each row of the picture is one row of the softmax: what the network looks at when it "
            "stands there. It adds up to 100%."
        )
        values = found.attention[name]
        frame.chart(attention.figure(values, found.events),
                    attention.describe(values, found.events, name),
                    attention.table(values, found.events), "method attention")  # fmt: skip
    if len(found.edges):
        st.subheader("The graph: whose neighbour the customer is", anchor=False)
        st.latex(NODE)
        st.markdown("The lines from this customer are as thick as their coefficient.")
        frame.chart(evidence.neighbourhood(found.nodes, found.edges),
                    evidence.describe_neighbourhood(found.nodes, found.edges),
                    evidence.neighbourhood_table(found.nodes, found.edges),
                    "method graph")  # fmt: skip
    st.subheader("Fusion: how much each part counts", anchor=False)
    st.latex(FUSION)
    st.markdown(method.gates(found.gates))
    frame.chart(evidence.ledger(found.ledger), evidence.describe_ledger(found.ledger),
                evidence.ledger_table(found.ledger), "method ledger")  # fmt: skip
