"""Help: what each number means, how far it carries, and what finrec is not for."""

from __future__ import annotations

import streamlit as st

from pages import frame, method
from pages.numbers import NUMBERS

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
- **Products that nobody had before** the test are judged by their own attributes, and
  measured apart where there are such cases.
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


def numbers() -> None:
    """What each number means, by where it stands."""
    for title, listed in NUMBERS.items():
        st.subheader(title, anchor=False)
        rows = "".join(f"| **{name}** | {text} |\n" for name, text in listed)
        st.markdown(f"| What you see | What it means |\n|---|---|\n{rows}")


def main() -> None:
    """Draw the screen."""
    snapshot, run = frame.snapshot(), frame.run()
    frame.header("Help", "What each number means, and how far it carries.")
    told, measured, works, limits = st.tabs(
        ["The numbers", "How models are measured", "How it works", "What it is not for"],
        key="help tabs", on_change="rerun",
    )  # fmt: skip
    with told:
        numbers()
    with measured:
        st.markdown(MEASURED)
        st.subheader("Reading the reasons", anchor=False)
        st.markdown(WHY)
    with works:
        if works.open:
            method.draw(snapshot, run)
    with limits:
        st.markdown(LIMITS)


frame.screen("help", main)
