"""Answers kept between reruns, by run, snapshot and customer; one network in memory for all."""

from __future__ import annotations

import atexit
import gc
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.pipeline import CustomerView, Explanation, Recommender, explaining

atexit.register(gc.unfreeze)  # what is frozen below is taken down like all else


@dataclass(frozen=True)
class Loaded:
    """A network, and the lock of whoever asks it."""

    recommender: Recommender
    lock: Lock = field(default_factory=Lock)


@st.cache_resource(max_entries=2, show_spinner="Reading the model …")
def loaded(run: str) -> Loaded:
    """The network of a run, once for all sessions."""
    found = Loaded(pipeline.load(run))
    gc.collect()
    gc.freeze()  # what stays for good is not gone through again at every collection
    return found


@st.cache_resource(max_entries=200, show_spinner=False)
def explanations(
    run: str, snapshot: str, customer: str, products: tuple[str, ...]
) -> dict[str, Explanation]:
    """Why these products are offered to a customer, by product; shared, so never to be changed."""
    held = loaded(run)
    with held.lock:
        found = explaining.explain_all(held.recommender, customer, products)
    return {one.product: one for one in found}


def explanation(run: str, snapshot: str, customer: str, product: str) -> Explanation:
    """Why a product is offered to a customer."""
    return explanations(run, snapshot, customer, (product,))[product]


def forget() -> None:
    """Give up all answers, as when a customer has been erased; networks are read again, too."""
    st.cache_data.clear()
    explanations.clear()
    loaded.clear()


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
