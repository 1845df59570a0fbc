"""Offers to people: calls worth making, campaigns and what came of them; tables and drawings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.rows import largest
from finrec.figures.style import BLUE, FAINT, GREY, empty, styled
from finrec.schema import CUSTOMER, NAME, PRODUCT

STATE_WORDS = {
    "ok": "suitable",
    "warn": "check first",
    "needs advice": "needs advice",
    "blocked": "not allowed",
}
STATE_COLOURS = {"ok": "green", "warn": "orange", "needs advice": "violet", "blocked": "red"}
TRIGGER_WORDS = {
    "maturing": "runs out soon",
    "large_amount": "large amount",
    "given_up": "gave something up",
    "life_event": "change in life",
    "date": "date in life",
    "cooled_off": "time to ask again",
}
MOST_BARS = 15
_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def told(sentence: str) -> str:
    """A sentence with its dates as the reader writes them."""
    return _ISO.sub(lambda m: formats.day(m[0]), sentence)


def calls(book: pd.DataFrame, currency: str = "") -> pd.DataFrame:
    """A relationship manager's calls, the most worthwhile first, with headings for people."""
    unit = f" ({currency})" if currency else ""
    return pd.DataFrame(
        {
            "Place": np.arange(1, len(book) + 1),
            "Customer": book[CUSTOMER],
            "Offer": book[NAME],
            "Why now": [told(s) for s in book["reason"]],
            "Chance": [formats.chance(p) for p in book["take_up"]],
            f"Worth{unit}": [formats.number(v, 2) for v in book["value"]],
            "Suitability": book["state"].map(STATE_WORDS),
            "What the policy says": book["rules"],
        }
    ).reset_index(drop=True)


def describe_book(found: int, considered: int, resting: int) -> str:
    """One sentence: how many calls of how many customers."""
    words = (
        f"{formats.counted(found, 'call')} of {formats.counted(considered, 'customer')}, "
        "the most worthwhile first, and sooner where something makes the call timely"
    )
    if resting:
        words += f"; {formats.counted(resting, 'customer')} snoozed or called lately"
    return f"{words}."


def listed(plan: pd.DataFrame, currency: str = "") -> pd.DataFrame:
    """A campaign's offers with headings for people."""
    unit = f" ({currency})" if currency else ""
    table = pd.DataFrame(
        {
            "Customer": plan[CUSTOMER].astype("str"),
            "Product": plan[NAME].astype("str"),
            "Product id": plan[PRODUCT].astype("str"),
            "Chance": plan["take_up"].astype("float64"),
            f"Expected worth{unit}": plan["value"].astype("float64").round(2),
            "Suitability": plan["state"].map(STATE_WORDS),
            "What the policy says": plan["rules"],
        }
    )
    if "reason" in plan:
        table.insert(5, "Main reason", plan["reason"])
    return table.reset_index(drop=True)


def by_product(plan: pd.DataFrame) -> pd.DataFrame:
    """Offers, expected take-ups and worth of each product, the most offered first."""
    groups = plan.groupby([PRODUCT, NAME], sort=False)
    table = groups.agg(
        Offers=("value", "size"), Expected=("take_up", "sum"), Worth=("value", "sum")
    ).reset_index()
    table = table.rename(columns={NAME: "Product", PRODUCT: "Product id"})
    table = table[["Product", "Product id", "Offers", "Expected", "Worth"]]
    return table.sort_values(["Offers", "Product"], ascending=[False, True], ignore_index=True)


def campaign_bars(table: pd.DataFrame) -> go.Figure:
    """Offers of each product, with the take-ups expected of them in words."""
    if table.empty:
        return empty("No offers are planned.")
    shown = table.head(MOST_BARS)
    figure = go.Figure(
        go.Bar(
            x=shown["Offers"],
            y=labels(shown["Product"]),
            orientation="h",
            marker_color=BLUE,
            text=[f"{formats.number(e, 1)} taken up" for e in shown["Expected"]],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,} offers, %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(title="Offers", range=[0, 1.3 * float(shown["Offers"].max())])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return styled(figure, 110 + 34 * len(shown), showlegend=False)


def describe_campaign(table: pd.DataFrame) -> str:
    """One sentence: how many offers of which products."""
    if table.empty:
        return "No offers are planned."
    most = largest(table, "Offers")
    words = (
        f"{formats.counted(int(table['Offers'].sum()), 'offer')} of "
        f"{formats.counted(len(table), 'product')}; most of {most['Product']}, "
        f"{formats.number(int(most['Offers']))}."
    )
    return words + (f" The first {MOST_BARS} are drawn." if len(table) > MOST_BARS else "")


def outcome(by_product_: pd.DataFrame, names: Mapping[str, str]) -> go.Figure:
    """Take-ups of each product beside the forecast's interval."""
    if by_product_.empty:
        return empty("The campaign had no offers.")
    shown = by_product_.head(MOST_BARS)
    rows = labels(pd.Series([names.get(p, p) for p in shown[PRODUCT]]))
    expected = shown["expected"].astype(float)
    figure = go.Figure(
        [
            go.Scatter(
                x=expected, y=rows, mode="markers", name="expected, with interval",
                marker={"color": GREY, "symbol": "line-ns-open", "size": 16},
                error_x={"type": "data", "symmetric": False, "array": shown["high"] - expected,
                         "arrayminus": expected - shown["low"], "color": FAINT, "thickness": 6,
                         "width": 0},
                hovertemplate="%{y}: %{x:.1f} expected<extra></extra>",
            ),
            go.Scatter(
                x=shown["taken"], y=rows, mode="markers", name="taken up",
                marker={"color": BLUE, "size": 12},
                hovertemplate="%{y}: %{x} taken up<extra></extra>",
            ),
        ]
    )  # fmt: skip
    most = max(float(shown[["high", "taken"]].max().max()), 1.0)
    figure.update_xaxes(title="Take-ups", range=[-0.03 * most, 1.05 * most])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return styled(figure, 110 + 40 * len(shown), showlegend=True)


def outcome_table(by_product_: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """What came of a campaign, a row a product."""
    return pd.DataFrame(
        {
            "Product": [names.get(p, p) for p in by_product_[PRODUCT]],
            "Planned": by_product_["planned"],
            "Made": by_product_["made"],
            "Taken up": by_product_["taken"],
            "Expected": by_product_["expected"],
            "From": by_product_["low"],
            "To": by_product_["high"],
        }
    )


def campaigns(saved: pd.DataFrame) -> pd.DataFrame:
    """Saved campaigns with headings for people."""
    return pd.DataFrame(
        {
            "Campaign": saved["campaign"],
            "Saved (UTC)": [formats.moment(t) for t in saved["time"]],
            "By": saved["who"],
            "Offers": saved["offers"],
            "Expected take-ups": [
                f"{formats.number(e, 1)} ({low} to {high})"
                for e, low, high in zip(saved["expected"], saved["low"], saved["high"], strict=True)
            ],
            "Products": saved["products"],
            "Note": saved["note"],
            "Model": saved["run"],
        }
    )


def labels(names: pd.Series, most: int = 34) -> list[str]:
    """Names as short labels of an axis."""
    return [formats.markup(formats.shortened(str(n), most)) for n in names]


def ranges(customers: pd.DataFrame, most: int = 6) -> dict[str, tuple[float, float]]:
    """Attributes in numbers, each with its least and largest value, by which people are picked."""
    found: dict[str, tuple[float, float]] = {}
    for column in customers.columns:
        values = customers[column]
        if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
            continue
        low, high = float(values.min()), float(values.max())
        if low < high and len(found) < most:
            found[str(column)] = (low, high)
    return found


def with_reasons(plan: pd.DataFrame, reasons: Sequence[str]) -> pd.DataFrame:
    """A campaign's offers with the main reason of the first of them; the others have none."""
    filled = [*reasons, *([""] * (len(plan) - len(reasons)))]
    return plan.assign(reason=filled)


def forecast(expected: float, low: int, high: int, offers: int, level: float, days: int) -> str:
    """One sentence: how many take-ups are expected."""
    if not offers:
        return "No offer is made, so none can be taken up."
    return (
        f"Of {formats.counted(offers, 'offer')}, about {formats.number(expected, 1)} are expected "
        f"to be taken up within {formats.counted(days, 'day')}; with {formats.share(level, 0)} "
        f"confidence {formats.number(low)} to {formats.number(high)}."
    )


def earlier(refs: Sequence[str], ref: str) -> str | None:
    """The snapshot before this one of the same data; None where it is the first.

    Args:
        refs: ``name@hash`` of all snapshots, newest first.
        ref: of one of them.
    """
    name = ref.partition("@")[0]
    same = [r for r in refs if r.partition("@")[0] == name]
    older = same[same.index(ref) + 1 :] if ref in same else []
    return older[0] if older else None
