"""Protocol P in pictures: the figures of the metrics, none left out."""

from __future__ import annotations

from typing import Any

import pytest

from finrec.baselines.popularity import Popularity
from finrec.evaluation import protocols
from finrec.figures import reliability
from finrec.schema import Dataset
from finrec.split import split


@pytest.fixture(scope="module")
def block(small_dataset: Dataset) -> Any:
    """Protocol P of popularity."""
    cut = split(small_dataset)
    popular = Popularity().fit(cut.test, cut)
    return protocols.evaluate(lambda fold: popular, cut, small_dataset.info, {}).metrics["P"]


def test_table_has_every_variant_beside_its_two_references(block: Any) -> None:
    table = reliability.table(block)
    assert len(table) == 9
    own = table[table["Answers"] == "This model"]
    assert own["F1"].tolist() == [block["variants"][v]["f1"] for v in reliability.VARIANT_WORDS]
    always = table[table["Answers"] == "Always yes"]
    assert (always["Recall"] == 1).all()
    assert always["ROC AUC"].isna().all(), "a constant answer has no order to measure"
    assert reliability.table({}).empty


@pytest.mark.parametrize("variant", list(reliability.VARIANT_WORDS))
def test_plot_and_words_carry_the_bins(block: Any, variant: str) -> None:
    bins = block["variants"][variant]["reliability"]
    figure = reliability.plot(block, variant)
    assert list(figure.data[1].x) == bins["told"]
    assert list(figure.data[1].y) == bins["found"]
    assert reliability.points(block, variant)["Found"].tolist() == bins["found"]
    assert "off by" in reliability.describe(block, variant)


def test_a_run_of_before_says_that_nothing_was_measured() -> None:
    old = {"f1": 0.7}
    assert reliability.variants(old) == []
    assert reliability.plot(old, "uniform").layout.annotations
    assert "not measured" in reliability.describe(old, "uniform")
