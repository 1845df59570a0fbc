"""What a policy keeps back, and what was recorded: tables and drawings."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.outreach import MOST_BARS, STATE_WORDS
from finrec.figures.rows import largest
from finrec.figures.style import BLUE, OLIVE, ORANGE, VERMILION, empty, styled
from finrec.schema import CUSTOMER, DESCRIPTION, PRODUCT

HIDDEN = (PRODUCT, DESCRIPTION)

_STATE_INK = {"ok": BLUE, "warn": OLIVE, "needs advice": ORANGE, "blocked": VERMILION}
KIND_WORDS = {
    "shown": "shown",
    "offered": "offered",
    "not_now": "not now",
    "not_suitable": "not suitable",
    "accepted": "accepted",
    "declined": "declined",
    "snoozed": "snoozed",
    "done": "call done",
    "exported": "exported",
    "planned": "planned",
    "signed_off": "signed off",
    "excluded": "kept back",
    "erased": "erased",
    "undone": "taken back",
}


class GateLike(Protocol):
    """What is read of a policy applied (:class:`finrec.serving.gate.Gate`)."""

    @property
    def state(self) -> np.ndarray:
        """int8 [B, N]."""

    @property
    def rule(self) -> np.ndarray:
        """int16 [B, N]; -1 where no rule bit."""

    @property
    def rules(self) -> Any:
        """Rules with code, sentence, state."""


def kept_back(gate: GateLike, states: tuple[str, ...]) -> pd.DataFrame:
    """Rules that decided, with the number of customer-product pairs that each concerns.

    Args:
        gate: a policy applied.
        states: its words for states, from mild to strict.

    Returns:
        state, rule, sentence, pairs; the most frequent first.
    """
    decided = gate.rule[gate.rule >= 0]
    counts = np.bincount(decided, minlength=len(gate.rules))
    rows = [
        {"state": r.state, "rule": r.code, "sentence": r.sentence, "pairs": int(n)}
        for r, n in zip(gate.rules, counts, strict=True)
        if n and r.state in states
    ]
    table = pd.DataFrame(rows, columns=["state", "rule", "sentence", "pairs"])
    return table.sort_values(["pairs", "rule"], ascending=[False, True], ignore_index=True)


def shares_by_state(gate: GateLike, states: tuple[str, ...]) -> dict[str, float]:
    """Share of customer-product pairs in each state."""
    counts = np.bincount(gate.state.ravel().astype(np.int64), minlength=len(states))
    return {s: float(n / max(gate.state.size, 1)) for s, n in zip(states, counts, strict=True)}


def rule_bars(excluded: pd.DataFrame) -> go.Figure:
    """What each rule of a policy concerns, by the state that it leads to."""
    if excluded.empty:
        return empty("No rule bites.")
    shown = excluded.head(MOST_BARS)
    figure = go.Figure()
    for state, ink in _STATE_INK.items():
        part = shown[shown["state"] == state]
        if len(part):
            figure.add_trace(
                go.Bar(
                    x=part["pairs"], y=_wrapped(part["sentence"]), orientation="h",
                    name=STATE_WORDS[state], marker_color=ink,
                    hovertemplate="%{y}<br>%{x:,} pairs<extra></extra>",
                )
            )  # fmt: skip
    order = _wrapped(shown["sentence"])
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    figure.update_xaxes(title="Pairs of customer and product")
    return styled(figure, 110 + 38 * len(shown), showlegend=True, barmode="stack")


def _wrapped(sentences: pd.Series) -> list[str]:
    """Whole sentences on two lines or more: two that begin alike stay two."""
    return ["<br>".join(map(formats.markup, textwrap.wrap(str(s), 46))) for s in sentences]


def describe_rules(excluded: pd.DataFrame) -> str:
    """One sentence: the rule that concerns most pairs."""
    if excluded.empty:
        return "No rule of the policy bites here."
    top = largest(excluded, "pairs")
    return (
        f"{formats.counted(len(excluded), 'rule')} {'bites' if len(excluded) == 1 else 'bite'}; "
        f"most often: {str(top['sentence']).rstrip('.')} "
        f"({STATE_WORDS.get(str(top['state']), top['state'])}, "
        f"{formats.counted(int(top['pairs']), 'pair')})."
    )


def rules_table(excluded: pd.DataFrame) -> pd.DataFrame:
    """The rules that bite with headings for people."""
    return pd.DataFrame(
        {
            "Rule": excluded["sentence"],
            "Leads to": excluded["state"].map(STATE_WORDS),
            "Code": excluded["rule"],
            "Pairs": excluded["pairs"].astype("int64"),
        }
    )


def records(found: pd.DataFrame) -> pd.DataFrame:
    """Records with headings for people."""
    return pd.DataFrame(
        {
            "When (UTC)": [formats.moment(t) for t in found["time"]],
            "Who": found["who"],
            "What": [
                KIND_WORDS.get(k, k) + (" (taken back)" if u else "")
                for k, u in zip(found["kind"], found["undone"], strict=True)
            ],
            "Customer": found[CUSTOMER],
            "Product": found[PRODUCT],
            "Reason": found["reason_code"],
            "Note": found["note"],
            "Campaign": found["campaign"],
            "Model": found["run"],
        }
    )


def entry(row: Mapping[Any, Any]) -> pd.DataFrame:
    """One record, every column that says something."""
    said = []
    for name, given in row.items():
        if name == "detail" and given:
            said += [(formats.words(k), _plain(v)) for k, v in json.loads(str(given)).items()]
        elif name == "time":
            said.append(("When (UTC)", formats.moment(given)))
        elif name == "kind":
            said.append(("What", KIND_WORDS.get(str(given), str(given))))
        elif name in ("probability", "propensity") and given == given:
            said.append((formats.words(name), formats.chance(float(given))))
        elif given not in ("", None) and given == given and name != "undone":
            said.append((formats.words(name), formats.value(given)))
    return pd.DataFrame(said, columns=["Field", "Value"])


def _plain(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def signed(found: pd.DataFrame) -> pd.DataFrame:
    """Sign-offs with headings for people."""
    told = [json.loads(d) if d else {} for d in found["detail"]]
    return pd.DataFrame(
        {
            "When (UTC)": [formats.moment(t) for t in found["time"]],
            "Who": found["who"],
            "What": [
                f"Policy: {t['policy']}" if "policy" in t else f"Model: {run}"
                for t, run in zip(told, found["run"], strict=True)
            ],
            "Note": found["note"],
            "Taken back": found["undone"],
        }
    )


def verified(entries: int, erased: int, broken: Sequence[int]) -> str:
    """One sentence: whether the records are as they were written."""
    if broken:
        first = ", ".join(formats.number(n) for n in broken[:5])
        return (
            f"{formats.counted(len(broken), 'record')} of {formats.number(entries)} "
            f"{'was changed or follows' if len(broken) == 1 else 'were changed or follow'} a "
            f"removed one, the first at number {first}. Compare with a backup of "
            "data/records.duckdb."
        )
    hidden = (
        f" {formats.counted(erased, 'record')} of erased customers are empty." if erased else ""
    )
    return f"{formats.counted(entries, 'record')}, and every seal fits.{hidden}"


def counts(found: pd.DataFrame) -> pd.DataFrame:
    """How often each thing was recorded, what was taken back apart; the most frequent first."""
    words = found["kind"].map(lambda k: KIND_WORDS.get(k, k))
    groups = found.assign(What=words).groupby("What")["undone"].agg(["size", "sum"])
    table = groups.rename(columns={"size": "Records", "sum": "Taken back"}).reset_index()
    table["Taken back"] = table["Taken back"].astype("int64")
    return table.sort_values(["Records", "What"], ascending=[False, True], ignore_index=True)


def count_bars(table: pd.DataFrame) -> go.Figure:
    """How often each thing was recorded."""
    if table.empty:
        return empty("Nothing is recorded yet.")
    figure = go.Figure(
        go.Bar(
            x=table["Records"], y=table["What"], orientation="h", marker_color=BLUE,
            hovertemplate="%{y}: %{x:,}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    few = int(table["Records"].max()) <= 5
    figure.update_xaxes(title="Records", rangemode="tozero", dtick=1 if few else None)
    return styled(figure, 90 + 28 * len(table), showlegend=False)


def describe_counts(table: pd.DataFrame) -> str:
    """One sentence: what was recorded most often."""
    if table.empty:
        return "Nothing is recorded yet."
    top = largest(table, "Records")
    return (
        f"{formats.counted(int(table['Records'].sum()), 'record')}; most often: {top['What']}, "
        f"{formats.number(int(top['Records']))}."
    )


def accepted(fresh: int, known: int, strange: int) -> str:
    """What accepted offers there are to learn from."""
    if not fresh:
        words = "No accepted offer is recorded that these data lack, so there is nothing to add."
    else:
        words = (
            f"**{formats.counted(fresh, 'accepted offer')}** can be added to these data, for the "
            "next model to learn from."
        )
    if known:
        words += f" {formats.number(known)} more are in the data already."
    if strange:
        words += f" {formats.number(strange)} more are of products that the data do not list."
    return words


def attributes(table: pd.DataFrame, product: str) -> dict[str, Any]:
    """A product's columns; None where unknown."""
    row = table[table[PRODUCT].astype("str") == product].iloc[0].to_dict()
    return {str(k): (None if v != v else v) for k, v in row.items() if k not in HIDDEN}


def asked_of(known: Mapping[str, Any], columns: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Attributes with their values as text, those that a policy asks about first.

    Args:
        known: value by attribute.
        columns: by meaning, the columns that a policy reads; a meaning without any column in
            the data is listed under the first name, without a value.
    """
    asked: dict[str, Any] = {}
    for names in columns.values():
        here = [n for n in names if n in known] or list(names[:1])
        asked |= {n: known.get(n) for n in here[:1]}
    every = {**asked, **{k: v for k, v in known.items() if k not in asked}}
    return pd.DataFrame(
        {
            "Attribute": list(every),
            "Value": pd.Series(
                ["" if v is None else str(v) for v in every.values()], dtype="object"
            ),
        }
    )


def values_of(table: pd.DataFrame) -> dict[str, Any]:
    """What a person wrote into :func:`asked_of`'s table: numbers as numbers, empty left out."""
    found: dict[str, Any] = {}
    for name, text in zip(table["Attribute"], table["Value"], strict=True):
        said = "" if text is None or text != text else str(text).strip()
        if said:
            number = pd.to_numeric(said, errors="coerce")
            found[str(name)] = said if pd.isna(number) else float(number)
    return found
