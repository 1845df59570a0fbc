"""Two models against each other, and quality against its price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from finrec.config import ModelSettings, TrainSettings
from finrec.figures import scatter, versus
from finrec.figures.reference import summary
from tests.figures.test_comparison import run
from tests.figures.test_reference import OWN, row


def pair() -> tuple[Any, Any]:
    first, second = run("baseline", 0, 0.2), run("+tl+gnn", 3, 0.5)
    told = second.settings.model_copy(
        update={"model": ModelSettings(width=64, gaps=False), "train": TrainSettings(seed=3)}
    )
    return first, replace(second, settings=told)


def test_only_settings_that_differ_are_shown_with_what_they_are() -> None:
    table = versus.differences(*pair()).set_index("Setting")
    assert sorted(table.index) == ["model.gaps", "model.width", "parts", "train.seed"]
    one, two = table.columns[:2]
    assert (table.loc["model.width", one], table.loc["model.width", two]) == ("128", "64")
    assert (table.loc["model.gaps", one], table.loc["model.gaps", two]) == ("yes", "no")
    assert table.loc["train.seed", "What it is"] == "of weights, batches and dropout"
    same = pair()[0]
    assert versus.differences(same, same).empty


def test_figures_have_both_and_the_difference() -> None:
    table = versus.figures(*pair()).set_index("Measure")
    assert table.loc["NDCG@5, R2"].tolist() == ["0.2000", "0.5000", "+0.3000"]
    assert table.loc["F1, P"].tolist() == ["0.2000", "0.5000", "+0.3000"]
    assert table.loc["Training, s"].tolist() == ["15.0", "45.0", "+30.0"]
    assert table.loc["Parameters"].tolist() == ["1,000", "1,000", "0"]
    assert "Coverage, R2" not in table.index, "what was not measured is not shown"


def test_names_are_as_short_as_they_can_be() -> None:
    first, second = pair()
    assert versus.labels(first, second) == ("Events", "Events + text + graph")
    other = run("baseline", 7, 0.2)
    assert versus.labels(first, other) == (
        "Events · standard · seed 0", "Events · standard · seed 7",
    )  # fmt: skip
    assert versus.labels(first, first) == (first.id, first.id)


def log(*valid: float) -> pd.DataFrame:
    lines = [{"event": "epoch", "stage": "choose", "epoch": i, "loss": 3.0 - i, "valid": v}
             for i, v in enumerate(valid)]  # fmt: skip
    return pd.DataFrame([{"event": "start"}, *lines])


def test_curves_of_both_share_axes() -> None:
    figure, words, table = versus.learning({"A <b>": log(0.1, 0.3), "B": log(0.2)})
    assert [t.name for t in figure.data if t.showlegend] == ["A &lt;b&gt;", "B"]
    assert list(figure.data[1].y) == [0.1, 0.3] and list(figure.data[3].y) == [0.2]
    assert len({t.line.dash for t in figure.data}) == 2, "told apart without colour"
    assert words == "A <b>: 2 passes, best 0.3000; B: 1 pass, best 0.2000."
    assert table["Model"].tolist() == ["A <b>", "A <b>", "B"]
    assert "No curves" in versus.learning({"A": pd.DataFrame()})[1]


def test_validation_names_its_measure_where_it_is_the_same() -> None:
    one, two = log(0.1).assign(metric="ndcg@3"), log(0.2).assign(metric="map@7")

    def titles(*logs: pd.DataFrame) -> list[str]:
        figure = versus.learning(dict(zip("AB", logs, strict=True)))[0]
        return [a.text for a in figure.layout.annotations]

    assert titles(one, one)[1] == "Validation NDCG@3"
    assert titles(one, two)[1] == "Validation"


def test_calibration_of_both() -> None:
    def block(found: float) -> dict[str, Any]:
        bins = {"told": [0.1, 0.4], "found": [0.1, found], "weight": [10, 5]}
        return {"variants": {"natural": {"reliability": bins, "ece": found / 10}}}

    figure, words, table = versus.calibration({"A": block(0.5), "B": block(0.3)}, "natural")
    assert [list(t.y) for t in figure.data[1:]] == [[0.1, 0.5], [0.1, 0.3]]
    assert words == "Probabilities are off on average by 5.00% (A); 3.00% (B)."
    assert table["Found"].tolist() == [0.1, 0.5, 0.1, 0.3]
    only = versus.calibration({"A": block(0.5), "B": {}}, "natural")[0]
    assert len(only.data) == 2, "one that was not measured has no line"
    assert "not measured" in versus.calibration({"B": {}}, "natural")[1]


def test_points_carry_costs_and_coverage() -> None:
    rows = pd.concat([
        OWN,
        pd.DataFrame([row("sasrec", 0, "coverage", 0.9), row("popularity", 0, "coverage", 0.1)]),
    ])  # fmt: skip
    points = scatter.of_rows(rows, "ndcg@3").set_index("method")
    assert points["quality"].to_dict() == pytest.approx(
        {"popularity": 0.5, "+tl+gnn": 0.4, "sasrec": 0.3}
    )
    assert points.loc["sasrec", "coverage"] == 0.9
    assert pd.isna(points.loc["+tl+gnn", "coverage"])
    assert scatter.kinds(points.reset_index()) == ["seconds_train", "parameters", "coverage"]
    same = scatter.of_summary(summary(OWN, "ndcg@3"), {"sasrec": 0.9, "popularity": 0.1}, {})
    pd.testing.assert_frame_equal(same.set_index("method"), points)
    runs = scatter.of_runs([run("baseline", 0, 0.2), run("+gnn", 1, 0.3)], "R2", "ndcg@5")
    assert runs["seconds_train"].tolist() == [15.0, 25.0]
    assert runs["name"].tolist() == ["Events", "Events + graph"]
    twice = scatter.of_runs([run("+gnn", 0, 0.2), run("+gnn", 1, 0.3)], "R2", "ndcg@5")
    assert twice["name"].tolist() == ["Events + graph · seed 0", "Events + graph · seed 1"]
    assert scatter.kinds(runs) == ["seconds_train", "parameters"]


def test_front_is_who_nobody_beats_for_the_price() -> None:
    points = pd.DataFrame(
        {
            "name": ["cheap", "dear", "wasteful", "twin"],
            "method": ["a", "+tl+gnn", "c", "d"],
            "quality": [0.1, 0.3, 0.2, 0.1],
            "seconds_train": [1.0, 9.0, 10.0, 1.0],
            "parameters": [0, 5, 5, 0],
            "coverage": [0.9, 0.5, 0.6, 0.1],
        }
    )
    assert scatter.front(points, "seconds_train").tolist() == [True, True, False, True]
    assert scatter.front(points, "coverage").tolist() == [True, True, True, False]
    figure, words, table = scatter.plot(points, "ndcg@3", "seconds_train")
    assert figure.layout.xaxis.type == "log"
    assert list(figure.data[0].y) == [0.1, 0.1, 0.3]
    assert "than cheap, twin, dear (connected)" in words
    assert table.columns.tolist()[:2] == ["Method", "NDCG@3"] and len(table) == 4
    assert scatter.plot(points, "ndcg@3", "parameters")[0].layout.xaxis.type == "linear"
    assert "Too few" in scatter.plot(points.head(1), "ndcg@3", "coverage")[1]
