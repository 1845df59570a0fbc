"""Reference results: means over seeds, sorted bars, the ablation, the table with its commands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from finrec.figures import comparison, reference
from finrec.pipeline.compare import TIDY

COSTS = {"seconds_train": 12.0, "seconds_score": 0.5, "parameters": 1000, "peak_mib": 300.0,
         "commit": "abc", "machine": "x, 2 cores"}  # fmt: skip


def row(method: str, seed: int, metric: str, value: float, **given: Any) -> dict[str, Any]:
    fixed = {"dataset": "bank", "snapshot": "bank@1", "protocol": "R2", "masked": True,
             "slice": "all", "command": f"finrec compare bank --methods {method}"}  # fmt: skip
    told = {"method": method, "seed": seed, "metric": metric, "value": value}
    return {**fixed, **COSTS, **told, **given}


ROWS = pd.DataFrame(
    [
        row("sasrec", 0, "ndcg@3", 0.2), row("sasrec", 1, "ndcg@3", 0.4),
        row("popularity", 0, "ndcg@3", 0.5),
        row("+tl+gnn", 0, "ndcg@3", 0.4, parameters=4000),
        row("popularity", 0, "hr@3", 0.6), row("popularity", 0, "hr@1", 0.3),
        row("popularity", 0, "gini", 0.9), row("sasrec", 0, "gini", 0.1),
        row("popularity", 0, "ndcg@3", 0.1, slice="cold"),
        row("popularity", 0, "ndcg@3", 0.7, masked=False),
        row("popularity", 0, "ndcg@3", 0.8, dataset="shop"),
        *(row(m, s, k, v + 0.1 * s, protocol="P", seconds_train=10.0 * (1 + s))
          for m, v in (("baseline", 0.5), ("+tl+gnn", 0.6))
          for s in (0, 1) for k in ("precision", "recall", "f1", "threshold")),
    ],
    columns=list(TIDY),
)  # fmt: skip
OWN = reference.narrowed(ROWS, dataset="bank", protocol="R2", masked=True, slice="all")


def test_what_can_be_chosen() -> None:
    assert reference.datasets(ROWS) == ["bank", "shop"]
    assert reference.choices(ROWS, "protocol", ("R2", "R1", "P")) == ["R2", "P"]
    assert reference.choices(ROWS, "masked", (True, False)) == [True, False]
    assert reference.metrics(OWN) == ["ndcg@3", "hr@1", "hr@3", "gini"]
    pairs = reference.narrowed(ROWS, protocol="P")
    assert "threshold" not in reference.metrics(pairs)


def test_methods_are_sorted_by_their_mean_over_seeds() -> None:
    table = reference.summary(OWN, "ndcg@3")
    assert table["method"].tolist() == ["popularity", "+tl+gnn", "sasrec"]
    assert table["mean"].tolist() == pytest.approx([0.5, 0.4, 0.3])
    assert table["seeds"].tolist() == [1, 1, 2]
    assert table["sd"].iloc[2] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert table["sd"].iloc[:2].isna().all(), "one seed has no deviation"
    assert table["parameters"].tolist() == [1000, 4000, 1000]
    assert reference.summary(OWN, "gini")["method"].tolist() == ["sasrec", "popularity"]


def test_bars_show_deviations_and_say_who_is_best() -> None:
    titles = {"sasrec": "SASRec <b>", "popularity": "Popularity"}
    figure, words = reference.bars(reference.summary(OWN, "ndcg@3"), "ndcg@3", titles)
    (bar,) = figure.data
    assert list(bar.y) == ["Popularity", "Events + text + graph", "SASRec &lt;b&gt;"]
    assert list(bar.x) == pytest.approx([0.5, 0.4, 0.3])
    assert bar.error_x.array[2] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert list(bar.customdata) == ["popularity", "+tl+gnn", "sasrec"]
    assert "Highest NDCG@3: Popularity with 0.5000" in words
    assert "the best of our network, Events + text + graph, has 0.4000" in words
    assert "Lowest" in reference.bars(reference.summary(OWN, "gini"), "gini", titles)[1]
    assert "not measured" in reference.bars(reference.summary(OWN, "x"), "x")[1]


def test_intervals_are_shown_where_they_are_known() -> None:
    rows = OWN.assign(low=OWN["value"] - 0.05, high=OWN["value"] + 0.1)
    table = reference.summary(rows, "ndcg@3")
    assert table["low"].tolist() == pytest.approx([0.45, 0.35, 0.25])
    figure, words = reference.bars(table, "ndcg@3")
    (bar,) = figure.data
    assert list(bar.error_x.array) == pytest.approx([0.1] * 3)
    assert list(bar.error_x.arrayminus) == pytest.approx([0.05] * 3)
    assert "95 % intervals over customers" in words
    twin = reference.measurements(rows, "ndcg@3")
    assert twin["95 % from"].tolist() == pytest.approx([0.45, 0.35, 0.15, 0.35])
    assert "standard deviation" in reference.bars(reference.summary(OWN, "ndcg@3"), "ndcg@3")[1]


def test_twin_has_the_command_of_every_measurement() -> None:
    twin = reference.measurements(OWN, "ndcg@3", {"sasrec": "SASRec"})
    assert twin["Method"].tolist() == ["popularity", "Events + text + graph", "SASRec", "SASRec"]
    assert twin["Seed"].tolist() == [0, 0, 0, 1]
    assert twin["NDCG@3"].tolist() == [0.5, 0.4, 0.2, 0.4]
    assert twin["Command"].iloc[2] == "finrec compare bank --methods sasrec"
    assert twin["SD over seeds"].iloc[3] == pytest.approx(np.std([0.2, 0.4], ddof=1))


def test_what_was_ranked_is_said_as_it_was() -> None:
    assert reference.views(ROWS)[True] == "What is not held"
    assert reference.nothing_left_out(ROWS, "bank", "R2") == ""
    again = ROWS.assign(masked=False)
    assert reference.views(again) == {False: "What may be taken"}
    assert "taken again" in reference.nothing_left_out(again, "bank", "R2")
    assert reference.nothing_left_out(again, "bank", "P") == ""


def test_ownership_is_not_shown_without_persistence() -> None:
    held = pd.DataFrame([
        row("sasrec", 0, "accuracy", 0.998, protocol="O"),
        row("sasrec", 0, "changed", 0.0025, protocol="O"),
    ])  # fmt: skip
    assert "99.75" in reference.as_now(held) and "says little" in reference.as_now(held)
    assert reference.metrics(held) == ["accuracy"], "what changes is no method's quality"
    assert reference.as_now(OWN) == ""


def test_ablation_has_quality_time_and_parameters_with_deviations() -> None:
    table = reference.ablation(ROWS, "bank")
    assert table["Variant"].tolist() == ["Events", "Events + text + graph"]
    assert table["F1"].tolist() == pytest.approx([0.55, 0.65])
    assert table["Training time"].tolist() == [15.0, 15.0]
    figure = comparison.ablation_bars(table)
    assert [t.name for t in figure.data] == [
        "Precision", "Recall", "F1", "Training time", "Parameters",
    ]  # fmt: skip
    assert list(figure.data[2].error_y.array) == pytest.approx([0.1 / np.sqrt(2)] * 2)
    assert list(figure.data[4].y) == [1000, 1000]
    assert reference.ablation(ROWS, "shop").empty
