"""Answers kept between reruns, by run, snapshot and customer; one network in memory for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.pipeline import CustomerView, Explanation, Recommender, explaining


@dataclass(frozen=True)
class Loaded:
    """A network, and the lock of whoever asks it."""

    recommender: Recommender
    lock: Lock = field(default_factory=Lock)


@st.cache_resource(max_entries=2, show_spinner="Reading the model …")
def loaded(run: str) -> Loaded:
    """The network of a run, once for all sessions."""
    return Loaded(pipeline.load(run))


@st.cache_data(max_entries=1000, show_spinner=False)
def explanation(run: str, snapshot: str, customer: str, product: str) -> Explanation:
    """Why a product is offered to a customer."""
    held = loaded(run)
    with held.lock:
        return explaining.explain(held.recommender, customer, product)


@st.cache_data(max_entries=500, show_spinner=False)
def customer(snapshot: str, name: str) -> CustomerView:
    """What is known of a customer."""
    return pipeline.customer(snapshot, name)


@st.cache_data(max_entries=200, show_spinner=False)
def search(
    snapshot: str,
    text: str,
    only: tuple[tuple[str, tuple[str, ...]], ...] = (),
    between: tuple[tuple[str, tuple[float, float]], ...] = (),
) -> Any:
    """Customers whose id begins with a text and whose attributes fit."""
    return pipeline.search(snapshot, text, only=dict(only), between=dict(between))


@st.cache_data(max_entries=10, show_spinner=False)
def filters(snapshot: str) -> Any:
    """What customers can be filtered by."""
    return pipeline.filters(snapshot)
