"""Help: what each number means, how far it carries, and what finrec is not for."""

from __future__ import annotations

import streamlit as st

from pages import frame

NUMBERS = (
    (
        "Score",
        "How well a product fits a customer, on the model's own scale. Only differences "
        "between products of the same customer mean something.",
    ),
    (
        "Probability",
        "The chance that, *if* the customer takes something next, it is this product. It was "
        "calibrated on held-out cases. It is not the chance that the customer takes anything.",
    ),
    (
        "Rank",
        "Place among the products that may be offered. Products already taken are left out, "
        "unless they can be taken again.",
    ),
    (
        "HR@k",
        "Share of test cases with at least one product that was really taken among the first k.",
    ),
    (
        "Recall@k",
        "Share of the products really taken that are among the first k.",
    ),
    (
        "NDCG@k",
        "Like recall, but a hit at the top counts more than one further down; 1 is a perfect list.",
    ),
    (
        "MRR",
        "Average of 1 / rank of the first hit.",
    ),
    (
        "Precision, recall, F1",
        "How well a product that was taken is told from one drawn at random. Answering yes to"
        " everything already reaches an F1 of 0.67.",
    ),
    (
        "± in a table",
        "Standard deviation over seeds. A difference smaller than this may be chance.",
    ),
    (
        "Most popular products",
        "What everybody would be offered without any model. A model that is no better is of "
        "no use, and finrec says so.",
    ),
)

MEASURED = """
- **R2, by time**: the model sees everything before a date and is asked about what came after.
  This is how it is used in real life.
- **R1, leave one out**: the last event of each customer is held out. Published figures use it, so
  finrec can be compared with them; it knows a little of the future through other customers, so it
  flatters.
- Settings are chosen on *validation*, a period before the test. The test is looked at once.
- **Products already taken are left out** (masked) or not (unmasked): the two give very different
  figures and are never mixed.
- **New customers** are those without any event before the test; they are judged by their
  attributes.
"""

WHY = """
- **What adds to the score** splits the score into the parts of the model. The parts add up
  exactly.
- **Attention** shows where the network looks. It is not a proof of what decided.
- **Effect of an event** is measured: the model is asked again without that event.
- **Neighbours** are the customer's products and the offer in the graph of who took what. Other
  customers are only counted, never shown, and only in groups of ten or more.
"""

LIMITS = """
- **No credit decisions.** finrec must not be used to decide whether somebody gets a loan, at what
  price, or to judge whether somebody can pay.
- **No advice.** Whether a product is suitable for a customer is for the adviser and the bank's
  rules to decide; a high score is not suitability.
- It learns from what customers took, and so repeats habits of the past, fair or not.
- It knows nothing of prices, campaigns or competitors unless they are in the data.
- Data marked *generated* were made by a program. They show how finrec works and nothing about
  real customers.
"""


def main() -> None:
    """Draw the screen."""
    frame.header("Help", "What each number means, and how far it carries.")
    st.header("The numbers", anchor=False)
    rows = "".join(f"| **{name}** | {text} |\n" for name, text in NUMBERS)
    st.markdown(f"| What you see | What it means |\n|---|---|\n{rows}")
    st.header("How models are measured", anchor=False)
    st.markdown(MEASURED)
    st.header("Reading the reasons", anchor=False)
    st.markdown(WHY)
    st.header("What finrec is not for", anchor=False)
    st.markdown(LIMITS)


frame.screen("help", main)
