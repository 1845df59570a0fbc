"""Every setting of a training by hand, a part of Train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from finrec import pipeline
from finrec.figures import formats
from finrec.pipeline import forms

COLUMNS = 3


def draw(preset: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Widgets for all settings, each beginning with the preset's value.

    Returns:
        What is given, and the place under each widget for what is wrong with it; by name.
    """
    given: dict[str, Any] = {}
    places: dict[str, Any] = {}
    st.caption(
        "Each begins with the preset's value. What is wrong is said at the setting; nothing "
        "starts before it is right."
    )
    groups = forms.form(preset)
    for tab, settings in zip(st.tabs(list(groups)), groups.values(), strict=True):
        with tab:
            columns = st.columns(COLUMNS)
            for i, setting in enumerate(settings):
                with columns[i % COLUMNS]:
                    given[setting.name] = ask(setting, preset)
                    places[setting.name] = st.empty()
    return given, places


def ask(setting: forms.Setting, preset: str) -> Any:
    """The widget of a setting; bounds are checked afterwards, in one place for all."""
    key = f"set {preset} {setting.name}"
    title, about = setting.title, formats.markdown(setting.help)
    if setting.kind == "yes":
        return st.toggle(title, setting.default, key=key, help=about)
    if setting.kind == "choice":
        choices = setting.choices
        return st.selectbox(
            title, choices, index=choices.index(setting.default), key=key, help=about
        )
    if setting.name == "train.start_from":
        runs = ["", *(r.id for r in pipeline.runs())]
        return st.selectbox(title, runs, key=key, help=about,
                            format_func=lambda r: r or "Nothing: begin anew")  # fmt: skip
    if setting.kind == "text":
        return st.text_input(title, setting.default, key=key, help=about).strip()
    if setting.kind == "whole":
        whole = st.number_input(
            title, value=setting.default, step=1, key=key, help=about,
            placeholder="Not set" if setting.optional else None,
        )  # fmt: skip
        return None if whole is None else int(whole)
    return st.number_input(
        title, value=setting.default, format="%g", key=key, help=about,
        step=None if setting.default is None else max(abs(setting.default) / 10, 1e-4),
        placeholder="Not set" if setting.optional else None,
    )  # fmt: skip


def say(errors: Mapping[str, str], places: Mapping[str, Any]) -> None:
    """What is wrong, under the widget that it is about; and once for all of them."""
    for name, sentence in errors.items():
        if name in places:
            places[name].error(formats.markdown(sentence))
    names = ", ".join(name.partition(".")[2].replace("_", " ") for name in errors)
    st.error(
        f"{formats.counted(len(errors), 'setting is', 'settings are')} not right yet: "
        f"{formats.markdown(names)}.",
        icon=":material/error:",
    )
