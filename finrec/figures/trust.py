"""How far evidence can be trusted, drawn: deletion curves, agreement, a model's faithfulness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finrec.figures import formats
from finrec.figures.rows import largest
from finrec.figures.style import BLUE, GREEN, GREY, ORANGE, styled
from finrec.schema import NAME, PRODUCT

PAIR_WORDS = {
    "attention and effect": "attention and measured effect",
    "gradients and effect": "integrated gradients and measured effect",
    "attention and gradients": "attention and integrated gradients",
}


def deletion(cuts: np.ndarray, curves: Mapping[str, np.ndarray]) -> go.Figure:
    """The score while events are left out one after another; a line an order.

    Args:
        cuts: how many are left out at each point, [P].
        curves: by label, each [P], from the score with all events.
    """
    figure = go.Figure()
    looks = ((ORANGE, "solid"), (BLUE, "dash"), (GREEN, "dot"))
    for (label, values), (colour, dash) in zip(curves.items(), looks, strict=False):
        figure.add_trace(
            go.Scatter(
                x=cuts,
                y=values,
                name=label,
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                hovertemplate="%{x} left out: %{y:.2f}<extra>" + label + "</extra>",
            )
        )
    figure.update_xaxes(title="Events left out", tickformat="d")
    figure.update_yaxes(title="Score of the offer")
    return styled(figure, 280, showlegend=True)


def deletion_table(cuts: np.ndarray, curves: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The same, a row a number of events left out."""
    return pd.DataFrame({"Events left out": cuts, **curves})


def describe_deletion(curves: Mapping[str, np.ndarray]) -> str:
    """One sentence: which order makes the score fall fastest."""
    falls = {label: float(c[0] - np.mean(c)) for label, c in curves.items()}
    best = max(falls, key=lambda label: falls[label])
    return (
        f"Leaving events out {best[0].lower()}{best[1:]} makes the score fall fastest "
        f"(by {formats.number(falls[best], 2)} on average on the way)."
    )


def agreement(found: Mapping[str, float]) -> str:
    """How far the methods agree on the order of events, in a sentence; empty where untellable."""
    told = [
        f"{PAIR_WORDS[pair]} {formats.signed(value)}"
        for pair, value in found.items()
        if value == value
    ]
    if not told:
        return ""
    return (
        "Agreement on which events matter (rank correlation, 1 is the same order, 0 none): "
        + ", ".join(told)
        + "."
    )


def opinions(events: pd.DataFrame, attributes: pd.DataFrame) -> pd.DataFrame:
    """Events and attributes by three methods, those of the largest measured effect first."""
    rows = pd.DataFrame(
        {
            "What": [
                f"{formats.shortened(n)}, {t:%d %b %Y}"
                for n, t in zip(events["name"], events["time"], strict=True)
            ],
            "Attention": events["attention"].astype(float).to_numpy(),
            "Score falls without it by": events["effect"].astype(float).to_numpy(),
            "Integrated gradients": events["gradients"].astype(float).to_numpy(),
        }
    )
    of_customer = pd.DataFrame(
        {
            "What": [
                f"{formats.words(c)}: {v}"
                for c, v in zip(attributes["column"], attributes["value"], strict=True)
            ],
            "Attention": np.nan,
            "Score falls without it by": attributes["effect"].astype(float).to_numpy(),
            "Integrated gradients": attributes["gradients"].astype(float).to_numpy(),
        }
    )
    parts = [frame for frame in (rows, of_customer) if len(frame)]
    joined = pd.concat(parts, ignore_index=True) if parts else rows
    return joined.sort_values("Score falls without it by", ascending=False, ignore_index=True)


def paths_table(paths: pd.DataFrame) -> pd.DataFrame:
    """Paths over other customers, a row an own product; small groups are not told."""
    return pd.DataFrame(
        {
            "From": paths["name"],
            "Customers with both": [
                formats.number(int(c)) if c else "too few to tell" for c in paths["customers"]
            ],
            "Share": paths["share"].astype(float),
            "Score falls without it by": paths["effect"].astype(float),
        }
    )


def describe_paths(paths: pd.DataFrame, name: str) -> str:
    """One or two sentences on the strongest path."""
    if paths.empty:
        return f"No path leads from this customer's products over other customers to {name}."
    top = paths.iloc[0]
    group = (
        f"{formats.number(int(top['customers']))} customers with both"
        if top["customers"]
        else "customers with both, too few to be counted here"
    )
    said = f"This customer → {top['name']} → {group} → {name}"
    if len(paths) == 1:
        said += ", the only path there is."
    elif top["share"] > 0:
        said += f": {formats.share(float(top['share']), 0)} of the weight of all paths."
    else:
        said += "."
    if not (paths["effect"].abs() > 0).any():
        said += " This model does not count paths in its score."
    return said


def not_proven(needed: bool) -> str:
    """What is said of a set that is not shown to be the smallest."""
    each = " Each part of this one is needed." if needed else ""
    return f" A smaller set may exist; not all were tried.{each}"


def listed(parts: Sequence[str], most: int = 3) -> str:
    """Parts in words, the first ``most`` by name."""
    named = list(parts[:most])
    if len(parts) > most:
        named.append(f"{len(parts) - most} more")
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + " and " + named[-1]


def heads(heads: pd.DataFrame) -> go.Figure:
    """How far the score falls without each attention head, a bar a head."""
    rows = heads_table(heads)
    figure = go.Figure(
        go.Bar(
            x=rows["Score falls without it by"],
            y=rows["Head"],
            orientation="h",
            marker_color=[BLUE if v >= 0 else ORANGE for v in rows["Score falls without it by"]],
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="Score falls without it by")
    return styled(figure, 120 + 26 * len(rows), showlegend=False)


def describe_heads(heads: pd.DataFrame) -> str:
    """The head that matters most, in a sentence."""
    top = largest(heads.assign(size=heads["effect"].abs()), "size")
    change = "falls" if top["effect"] >= 0 else "rises"
    return (
        f"Without head {top['head']} of {str(top['part']).lower()} layer {top['layer']} the score "
        f"{change} most, by {formats.number(abs(float(top['effect'])), 2)}."
    )


def heads_table(heads: pd.DataFrame) -> pd.DataFrame:
    """What each attention head is worth for this offer."""
    return pd.DataFrame(
        {
            "Head": [
                f"{p} layer {n}, head {h}"
                for p, n, h in zip(heads["part"], heads["layer"], heads["head"], strict=True)
            ],
            "Score falls without it by": heads["effect"].astype(float),
        }
    )


def gap_table(gap: pd.DataFrame) -> pd.DataFrame:
    """What a product lacks against the last of the list."""
    return pd.DataFrame({"Part": gap["label"], "Lacks": gap["lacks"].astype(float)})


class Cites(Protocol):
    """A sentence with ids of its evidence."""

    @property
    def evidence_ids(self) -> tuple[str, ...]: ...  # noqa: D102


def cited(evidence: pd.DataFrame, sentence: Cites) -> str:
    """What a sentence rests on: each id with what it is and when."""
    rows = evidence[evidence["id"].isin(sentence.evidence_ids)].to_dict("records")
    return "; ".join(
        f"{r['id']}: {r['what']}" + (f", {r['when']}" if r["when"] else "") for r in rows
    )


def product_names(products: pd.DataFrame, text: str = "", most: int = 50) -> dict[str, str]:
    """Names by product id, of the first ``most`` products whose name or id holds a text."""
    name, ids = products[NAME].astype(str), products[PRODUCT].astype(str)
    here = name.str.contains(text, case=False, regex=False) | (ids == text)
    return dict(zip(ids[here][:most], name[here][:most], strict=True))


def added(products: pd.DataFrame, indices: Sequence[int]) -> str:
    """Names of the products that would have to be taken, joined."""
    return " and ".join(products[NAME].astype(str).iloc[list(indices)])


def report(methods: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Mean fall of the score in the deletion test by method, with 95 % intervals, and random."""
    labels = [str(m["label"]) for m in methods]
    area = [float(m["area"]) for m in methods]
    figure = go.Figure(
        go.Bar(
            x=area,
            y=labels,
            orientation="h",
            marker_color=BLUE,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [float(m["high"]) - a for m, a in zip(methods, area, strict=True)],
                "arrayminus": [a - float(m["low"]) for m, a in zip(methods, area, strict=True)],
                "color": GREY,
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_vline(
        x=float(methods[0]["random"]),
        line={"color": ORANGE, "dash": "dash"},
        annotation_text="random evidence",
        annotation_position="top",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="Mean fall of the score while events are left out")
    return styled(figure, 240)


def report_table(methods: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The figures of a model's faithfulness, a row a method."""
    return pd.DataFrame(
        {
            "Evidence": [m["label"] for m in methods],
            "Fall of the score": [m["area"] for m in methods],
            "From": [m["low"] for m in methods],
            "To": [m["high"] for m in methods],
            "Random evidence": [m["random"] for m in methods],
            "p against random": [_p(m["p_random"]) for m in methods],
            "p against attention": [_p(m["p_attention"]) for m in methods],
        }
    )


def describe_report(told: Mapping[str, Any]) -> str:
    """What the test says, and on how many customers."""
    return f"{told['sentence']} Tested on {formats.counted(int(told['customers']), 'customer')}."


def _p(value: float | None) -> str:
    if value is None or value != value:
        return formats.UNKNOWN
    return "< 0.001" if value < 0.001 else formats.number(value, 3)
