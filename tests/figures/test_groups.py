"""Groups in pictures and words: what is drawn is what was measured."""

from __future__ import annotations

import pandas as pd
import pytest

from finrec.evaluation.groups import Gap
from finrec.figures import groups

FRAME = pd.DataFrame(
    {
        "group": ["under 25", "<b>25 to 34</b>"],
        "cases": [60, 80],
        "customers": [55, 70],
        "mean": [0.2, 0.3],
        "low": [0.15, 0.28],
        "high": [0.26, 0.33],
    }
)
COST = {
    "k": 5,
    "chance": 0.02,
    "strengths": [
        {"strength": 0.0, "ndcg": 0.4, "exposure_gap": 0.3, "quality_gap": 0.1},
        {"strength": 1.0, "ndcg": 0.36, "exposure_gap": 0.05, "quality_gap": 0.12},
    ],
}


def test_bars_carry_the_interval_and_the_mean_of_everybody() -> None:
    figure = groups.served_bars(FRAME, "ndcg@5", 0.25)
    bar = figure.data[0]
    assert list(bar.x) == [0.2, 0.3]
    assert list(bar.error_x.array) == pytest.approx([0.06, 0.03])
    assert list(bar.error_x.arrayminus) == pytest.approx([0.05, 0.02])
    assert "<b>" not in bar.y[1]
    assert figure.layout.shapes[0].x0 == 0.25
    assert groups.served_bars(FRAME.iloc[:0], "ndcg@5", 0.0).layout.annotations


def test_gap_in_words_says_whether_chance_would_do_it() -> None:
    real = groups.describe_served(Gap("a", "b", 0.1, 0.05, 0.15, 0.001), "ndcg@5")
    assert "highest for a and lowest for b" in real and "chance hardly explains it" in real
    assert "may be chance" in groups.describe_served(Gap("a", "b", 0.1, 0, 0.2, 0.4), "ndcg@5")
    assert "Fewer than two" in groups.describe_served(None, "ndcg@5")


def test_exposure_starts_with_what_differs_most() -> None:
    frame = pd.DataFrame(
        {
            "group": ["f", "f", "m", "m"],
            "product_id": ["P1", "P2", "P1", "P2"],
            "name": ["Card", "Card", "Card", "Card"],  # two products of one name stay two
            "share": [0.5, 0.1, 0.45, 0.9],
        }
    )
    wide = groups.exposure_wide(frame)
    assert wide["f"].tolist() == [0.1, 0.5]
    assert wide["m"].tolist() == [0.9, 0.45]
    figure = groups.exposure_map(frame)
    assert figure.data[0].z.tolist() == [[0.1, 0.9], [0.5, 0.45]]
    said = groups.describe_exposure(frame, 0.4, 0.05)
    assert "90.0%" in said.replace(" ", "").replace("\u00a0", "")
    assert list(groups.exposure_table(frame).columns) == ["Product", "f", "m"]
    none = frame.iloc[:0]
    assert groups.exposure_map(none).layout.annotations
    assert "Fewer than two" in groups.describe_exposure(none, 0.0, 0.0)


def test_cost_says_what_is_bought_and_lost() -> None:
    figure = groups.cost_curve(COST, 1.0)
    assert list(figure.data[0].x) == [0.3, 0.05]
    assert list(figure.data[0].y) == [0.4, 0.36]
    assert figure.data[0].marker.size == (10, 16)
    said = groups.describe_cost(COST, 1.0)
    assert "loses" in said and "0.4000" in said and "0.3600" in said
    assert "As the model ranks" in groups.describe_cost(COST, 0.0)
    assert groups.cost_table(COST)["Exposure gap"].tolist() == [0.3, 0.05]
