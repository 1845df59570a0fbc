"""Is a model's evidence faithful? Deletion tests over many customers, against random evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from finrec.explain import faithfulness, integrated_gradients, seeds, variants
from finrec.explain.single import one_offer
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer

METHODS = {
    "attention": "Attention, rolled out",
    "effect": "Measured effect",
    "gradients": "Integrated gradients",
}
RESAMPLES = 2000


@dataclass(frozen=True)
class Report:
    """Faithfulness of the evidence of one model.

    Args:
        methods: a row a method: method, label, area (mean fall of the score while events are left
            out), low, high (95 % bootstrap interval), random (mean of random orders), p_random and
            p_attention (one-sided Wilcoxon signed-rank test against random orders and against
            attention), insertion.
        agreement: mean rank correlation between methods, by pair.
        customers: tested, with at least ``faithfulness.FEWEST`` events.
        areas: by method and ``random``, float [customers].
        sentence: in words, which evidence to show.
    """

    methods: pd.DataFrame
    agreement: dict[str, float]
    customers: int
    areas: dict[str, np.ndarray]
    sentence: str


def report(
    scorer: FusedScorer,
    customers: Cohort,
    allowed: Callable[[Cohort], np.ndarray],
    rng: np.random.Generator,
    draws: int = 20,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Test the evidence for each customer's first offer.

    Args:
        scorer: a trained network.
        customers: those with fewer than ``faithfulness.FEWEST`` events are left out.
        allowed: what may be offered, bool [B, N] of a cohort.
        rng: of the random orders and the bootstrap.
        draws: random orders a customer.
        progress: told how many are done, of how many.
    """
    rows = np.flatnonzero(customers.lengths >= faithfulness.FEWEST)
    found: dict[str, list[float]] = {name: [] for name in (*METHODS, "random")}
    inserted: dict[str, list[float]] = {name: [] for name in METHODS}
    agreed: list[dict[str, float]] = []
    for done, row in enumerate(rows):
        one = customers.take([int(row)])
        scores = np.where(allowed(one)[0], variants.scores(scorer, one, [()])[0], -np.inf)
        if not np.isfinite(scores).any():
            continue
        importance = importances(scorer, one, int(np.argmax(scores)))
        agreed.append(integrated_gradients.agreement(*(importance[n] for n in METHODS)))
        orders = {name: np.argsort(-values) for name, values in importance.items()}
        tested = faithfulness.tests(
            one_offer(scorer, int(np.argmax(scores))), one, orders, rng, draws
        )
        for name, test in tested.items():
            found[name].append(test.area)
            inserted[name].append(test.insertion_area)
        found["random"].append(float(tested["attention"].random_areas.mean()))
        if progress is not None:
            progress(done + 1, len(rows))
    areas = {name: np.array(values) for name, values in found.items()}
    table = _table(areas, inserted, rng)
    agreement = pd.DataFrame(agreed).mean().to_dict() if agreed else {}
    count = len(areas["random"])
    return Report(
        table, {str(k): float(v) for k, v in agreement.items()}, count, areas, _words(table)
    )


def importances(scorer: FusedScorer, one: Cohort, offer: int) -> dict[str, np.ndarray]:
    """Importance of each event read by each method, float [T]."""
    effects, shares = seeds.evidence(scorer, one, offer)
    gradients = integrated_gradients.attribute(scorer, one, offer)
    return {
        "attention": shares,
        "effect": effects,
        "gradients": gradients.events,
    }


def _table(
    areas: dict[str, np.ndarray], inserted: dict[str, list[float]], rng: np.random.Generator
) -> pd.DataFrame:
    rows = []
    for name, label in METHODS.items():
        values = areas[name]
        if len(values):
            drawn = rng.integers(0, len(values), (RESAMPLES, len(values)))
            low, high = np.quantile(values[drawn].mean(1), [0.025, 0.975])
        rows.append(
            {
                "method": name,
                "label": label,
                "area": float(values.mean()) if len(values) else np.nan,
                "low": float(low) if len(values) else np.nan,
                "high": float(high) if len(values) else np.nan,
                "random": float(areas["random"].mean()) if len(values) else np.nan,
                "p_random": _better(values, areas["random"]),
                "p_attention": np.nan
                if name == "attention"
                else _better(values, areas["attention"]),
                "insertion": float(np.mean(inserted[name])) if len(values) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _better(values: np.ndarray, others: np.ndarray) -> float:
    """Probability (p) that the values are not larger, one-sided Wilcoxon; NaN if untellable."""
    if len(values) < 5 or np.allclose(values, others):
        return float("nan")
    return float(stats.wilcoxon(values, others, alternative="greater").pvalue)


def _words(table: pd.DataFrame) -> str:
    if table["area"].isna().any():
        return "No customer has enough events to test the evidence."
    looked = table.set_index("method").loc["attention"]
    best = table.iloc[int(table["area"].argmax())]
    trusted = looked["p_random"] < 0.01
    opening = (
        "Attention shows what decides better than random evidence does"
        if trusted
        else "Attention shows what decides no better than random evidence does"
    )
    proof = "p < 0.001" if best["p_random"] < 0.001 else f"p = {best['p_random']:.3f}"
    return (
        f"{opening}; the most faithful is {best['label'][0].lower()}{best['label'][1:]} ({proof} "
        "against random), so events are shown in its order."
        if best["method"] == "effect"
        else f"{opening}; the most faithful is {best['label'][0].lower()}{best['label'][1:]} "
        f"({proof} against random)."
    )
