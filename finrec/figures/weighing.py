"""What lists weigh besides fit, and what that was measured to cost: tables and drawings."""

from __future__ import annotations

import re

import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.style import BLUE, GREY, ORANGE, styled

GOALS = {
    "value": "Worth to the bank",
    "variety": "Variety within a list",
    "dpp": "Variety within a list, by DPP",
}
GAINS = {
    "worth": "Worth of hits",
    "diversity": "Variety within a list",
    "coverage": "Products shown to anybody",
    "evenness": "Evenness over products",
}
SHARES = ("diversity", "coverage", "evenness")


def quality(front: pd.DataFrame) -> str:
    """The column that says how well lists rank: ``ndcg@k``."""
    return next(str(c) for c in front.columns if str(c).startswith("ndcg@"))


def steps(front: pd.DataFrame, goal: str) -> list[float]:
    """Settings of one goal that were measured while the others were left alone, ascending."""
    return sorted(float(v) for v in _alone(front, goal)[_column(goal)].unique())


def setting(front: pd.DataFrame, goal: str, step: float) -> pd.Series:
    """What was measured with one goal at this step."""
    some = _alone(front, goal)
    return some[some[_column(goal)] == step].iloc[0]


def _column(goal: str) -> str:
    return "value" if goal == "value" else "variety"


def _alone(front: pd.DataFrame, goal: str) -> pd.DataFrame:
    """Settings that weigh this goal and no other, and fit alone."""
    other = "variety" if goal == "value" else "value"
    by = (front["variety_by"] == "dpp") == (goal == "dpp")
    return front[(front[other] == 0) & (front["fewest"] == 0) & (by | (front["variety"] == 0))]


def said(name: str, value: float) -> str:
    """A measured gain as a reader sees it."""
    return formats.share(value) if name in SHARES else formats.number(value, 2)


def change(value: float, before: float) -> str | None:
    """How far a measure moved, relative to what it was; None where it did not.

    With a plain hyphen for minus: Streamlit's arrow goes by it.
    """
    if not before or round(1000 * (value / before - 1)) == 0:
        return None
    return f"{formats.signed(100 * (value / before - 1), 1)}%".replace("\u2212", "-")


def scatter(front: pd.DataFrame, gain: str, chosen: pd.Series) -> go.Figure:
    """Every setting measured: how well it ranks, and what else it brings."""
    column = quality(front)
    figure = go.Figure()
    for on, ink, name in ((False, GREY, "beaten by another"), (True, BLUE, "not beaten")):
        part = front[front["front"].astype(bool) == on]
        if len(part):
            figure.add_trace(
                go.Scatter(
                    x=part[column], y=part[gain], mode="markers", name=name,
                    marker={"color": ink, "size": 9},
                    customdata=[[weights(row)] for _, row in part.iterrows()],
                    hovertemplate="%{customdata[0]}<br>%{x:.4f}, %{y:.3f}<extra></extra>",
                )
            )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=[chosen[column]], y=[chosen[gain]], mode="markers", name="chosen above",
            marker={"color": ORANGE, "size": 18, "symbol": "circle-open", "line": {"width": 3}},
            hoverinfo="skip",
        )
    )  # fmt: skip
    figure.update_xaxes(title=formats.measure(column))
    figure.update_yaxes(title=GAINS[gain], tickformat=".0%" if gain in SHARES else None)
    return styled(figure, 380, showlegend=True)


def weights(row: pd.Series) -> str:
    """A setting in words."""
    variety = "dpp" if row["variety_by"] == "dpp" else "variety"
    weighed = {"value": row["value"], variety: row["variety"]}
    told = [f"{in_a_sentence(goal)} {given:g}" for goal, given in weighed.items() if given]
    if row["fewest"]:
        told.append(f"each product shown {formats.counted(int(row['fewest']), 'time')} or more")
    return ", ".join(told) or "fit alone"


def in_a_sentence(goal: str) -> str:
    """A goal as it is called within a sentence."""
    return GOALS[goal][0].lower() + GOALS[goal][1:]


def describe(front: pd.DataFrame, gain: str, chosen: pd.Series) -> str:
    """One sentence: what the chosen setting costs and brings against fit alone."""
    column, base = quality(front), front.iloc[0]
    if weights(chosen) == weights(base):
        return (
            f"Fit alone: {formats.measure(column)} {formats.metric(base[column])}, "
            f"{GAINS[gain].lower()} {said(gain, base[gain])}; {formats.number(len(front) - 1)} "
            "other settings are drawn."
        )
    return (
        f"{_opening(weights(chosen))}: {formats.measure(column)} "
        f"{formats.metric(chosen[column])} against {formats.metric(base[column])} with fit alone, "
        f"{GAINS[gain].lower()} {said(gain, chosen[gain])} against {said(gain, base[gain])}."
    )


def table(front: pd.DataFrame) -> pd.DataFrame:
    """Every setting with what it gave, with headings for people."""
    column = quality(front)
    out = pd.DataFrame(
        {
            "Weighs": [_opening(weights(row)) for _, row in front.iterrows()],
            formats.measure(column): front[column].astype("float64"),
        }
    )
    for gain, label in GAINS.items():
        out[label] = [said(gain, v) for v in front[gain]]
    return out.assign(**{"Not beaten": front["front"].astype(bool).to_numpy()})


def _opening(text: str) -> str:
    return text[0].upper() + text[1:]


def with_lists(text: str, value: float, variety: float, by: str = "mmr") -> str:
    """A policy's text with other weights of lists; its other lines and remarks stay."""
    wanted = [("value", f"{value:g}"), ("variety", f"{variety:g}")]
    if by != "mmr" or re.search(r"(?m)^variety_by\s*=", text):
        wanted.append(("variety_by", f'"{by}"'))
    for name, given in wanted:
        changed, found = re.subn(
            rf"(?ms)(^\[lists\][^\n]*\n(?:(?!^\[).)*?^{name}\s*=\s*)[^\s#]+", rf"\g<1>{given}",
            text, count=1,
        )  # fmt: skip
        if not found:
            line = f"{name} = {given}\n"
            if re.search(r"(?m)^\[lists\]", text):
                changed = re.sub(r"(?m)(^\[lists\][^\n]*\n)", rf"\g<1>{line}", text, count=1)
            else:
                changed = text.rstrip("\n") + f"\n\n[lists]\n{line}"
        text = changed
    return text
