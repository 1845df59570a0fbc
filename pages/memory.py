"""Answers kept between reruns, by run, snapshot and customer; one network in memory for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.pipeline import CustomerView, Explanation, Recommender


@dataclass(frozen=True)
class Loaded:
    """A network, and the lock of whoever asks it."""

    recommender: Recommender
    lock: Lock = field(default_factory=Lock)


@st.cache_resource(max_entries=2, show_spinner="Reading the model …")
def loaded(run: str) -> Loaded:
    """The network of a run, once for all sessions."""
    return Loaded(pipeline.load(run))


@st.cache_data(max_entries=500, show_spinner=False)
def offers(run: str, snapshot: str, customer: str, k: int) -> Any:
    """Top k products of a customer."""
    held = loaded(run)
    with held.lock:
        return held.recommender.recommend([customer], k)


@st.cache_data(max_entries=1000, show_spinner=False)
def explanation(run: str, snapshot: str, customer: str, product: str) -> Explanation:
    """Why a product is offered to a customer."""
    held = loaded(run)
    with held.lock:
        return pipeline.explain(held.recommender, customer, product)


@st.cache_data(max_entries=500, show_spinner=False)
def customer(snapshot: str, name: str) -> CustomerView:
    """What is known of a customer."""
    return pipeline.customer(snapshot, name)


@st.cache_data(max_entries=200, show_spinner=False)
def search(snapshot: str, text: str) -> Any:
    """Customers whose id begins with a text."""
    return pipeline.search(snapshot, text)
