"""Runs side by side: means and deviations over seeds, references once, the ablation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from finrec.config import RunSettings, TrainSettings
from finrec.figures import comparison


@dataclass(frozen=True)
class FakeRun:
    """What the figures read of a run."""

    id: str
    settings: RunSettings
    metrics: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)


def run(parts: Any, seed: int, value: float, popular: float = 0.1) -> FakeRun:
    ranked = {"hr@5": value + 0.1, "ndcg@5": value}
    metrics = {
        "R2": {
            "masked": ranked,
            "unmasked": {k: v / 2 for k, v in ranked.items()},
            "slices": {"cold": {"cases": 7, **{k: v / 4 for k, v in ranked.items()}}},
            "headline": "ndcg@5",
            "description": "By time.",
            "cases": 40,
            "references": {"popularity": {"masked": {"hr@5": 0.2, "ndcg@5": popular}}},
        },
        "P": {"precision": value, "recall": value, "f1": value, "roc_auc": value, "pr_auc": value},
    }
    settings = RunSettings(snapshot="bank@1", parts=parts, train=TrainSettings(seed=seed))
    told = {"seconds_train": 10.0 * (1 + seed), "seconds_refit": 5.0, "parameters": 1000}
    return FakeRun(f"{parts}-{seed}", settings, metrics, told)


RUNS = [run("baseline", 0, 0.2), run("baseline", 1, 0.4), run("+tl+gnn", 0, 0.5)]


def test_what_can_be_chosen() -> None:
    assert comparison.protocols(RUNS) == ["R2"]
    assert comparison.views(RUNS, "R2") == ["masked", "unmasked"]
    assert comparison.slices(RUNS, "R2") == ["all", "cold"]
    assert comparison.metric_names(RUNS, "R2") == ["ndcg@5", "hr@5"], "the headline first"


def test_a_label_says_no_more_than_tells_runs_apart() -> None:
    assert comparison.run_labels(RUNS) == {
        "baseline-0": "Events · seed 0",
        "baseline-1": "Events · seed 1",
        "+tl+gnn-0": "Events + text + graph",
    }
    assert comparison.run_labels([]) == {}


def test_seeds_are_averaged_and_popularity_stands_once() -> None:
    rows = comparison.measured(RUNS, "R2")
    found = comparison.summary(rows[rows["metric"] == "ndcg@5"]).set_index("method")
    assert found.loc["Events", "mean"] == pytest.approx(0.3)
    assert found.loc["Events", "deviation"] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert found.loc["Events", "seeds"] == 2
    assert found.loc["Most popular products", "mean"] == 0.1
    assert len(found) == 3


def test_views_and_slices_are_kept_apart() -> None:
    whole, half, quarter = (
        comparison.measured(RUNS[:1], "R2", view, which)
        .query("metric == 'ndcg@5'")["value"]
        .iloc[0]
        for view, which in (("masked", "all"), ("unmasked", "all"), ("masked", "cold"))
    )
    assert (whole, half, quarter) == (0.2, 0.1, 0.05)


def test_bars_show_error_only_over_seeds_and_references_last() -> None:
    figure = comparison.bars(comparison.measured(RUNS, "R2"), "ndcg@5")
    bars = figure.data[0]
    assert list(bars.y) == [
        "Events + text + graph · standard",
        "Events · standard",
        "Most popular products",
    ]
    assert list(bars.x) == [0.5, pytest.approx(0.3), 0.1]
    errors = list(bars.error_x.array)
    assert errors[0] is None or np.isnan(errors[0])
    assert errors[1] == pytest.approx(np.std([0.2, 0.4], ddof=1))


def test_table_gives_plus_minus_over_seeds() -> None:
    table = comparison.table(comparison.measured(RUNS, "R2"), ["ndcg@5", "hr@5"])
    rows = table.set_index("Method")
    assert rows.loc["Events", "NDCG@5"] == "0.3000 ± 0.1414"
    assert rows.loc["Events + text + graph", "NDCG@5"] == "0.5000"
    assert rows.loc["Events", "Seeds"] == 2


def test_the_best_is_said_and_where_popularity_stands() -> None:
    said = comparison.describe_bars(comparison.measured(RUNS, "R2"), "ndcg@5")
    assert said == (
        "Highest NDCG@5: Events + text + graph with 0.5000; showing everybody the most popular "
        "products reaches 0.1000."
    )


def test_verdict_is_honest() -> None:
    better, said = comparison.verdict(run("+tl", 0, 0.2))
    assert better
    assert "0.2000 against 0.1000, 100% more" in said
    worse, said = comparison.verdict(run("+tl", 0, 0.05))
    assert not worse
    assert "Don't use this model" in said
    equal, _ = comparison.verdict(run("+tl", 0, 0.1))
    assert not equal


def test_ablation_averages_seeds_and_names_what_is_missing() -> None:
    table = comparison.ablation(RUNS, "R2")
    assert table["Variant"].tolist() == ["Events", "Events + text + graph"]
    assert table["F1"].tolist() == [pytest.approx(0.3), 0.5]
    assert table["Training time"].tolist() == [20.0, 15.0]
    assert comparison.missing_variants(RUNS) == ["Events + text", "Events + graph"]
    figure = comparison.ablation_bars(table)
    assert [list(t.y) for t in figure.data if t.name == "F1"] == [[pytest.approx(0.3), 0.5]]
    assert "Events + text + graph with 0.5000, +0.2000" in comparison.describe_ablation(table)


@pytest.mark.parametrize(
    ("view", "candidates", "repeatable", "said"),
    [
        ("masked", False, False, "left out"),
        ("unmasked", False, False, "all products"),
        ("masked", False, True, "all products"),
        ("masked", True, True, "source's own account"),
    ],
)
def test_what_was_ranked_is_said_as_it_was(
    view: str, candidates: bool, repeatable: bool, said: str
) -> None:
    assert said in comparison.view_words(view, candidates, repeatable)
