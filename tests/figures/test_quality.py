"""Charts and tables of quality and drift say what the data say."""

from __future__ import annotations

import pandas as pd
import pytest

from finrec import snapshots
from finrec.figures import quality as drawn
from finrec.snapshots import Comparison, Erasure


@pytest.fixture
def found(home, small_dataset):
    return snapshots.quality(snapshots.write(small_dataset).path, "2026-01-01")


def test_events_by_month_and_balance_are_those_of_the_data(found, small_dataset):
    figure, words = drawn.months(found)
    per = small_dataset.events["time"].dt.to_period("M").value_counts().sort_index()
    assert list(figure.data[0].y) == per.tolist() and f"{per.max()}" in words
    figure, words = drawn.balance(found)
    counts = small_dataset.events["product_id"].value_counts()
    assert list(figure.data[0].x) == counts.tolist()
    assert f"{counts.max() / counts.sum():.1%}".rstrip("%") in words.replace(" ", "")


def test_gaps_are_drawn_widest_first_or_said_to_be_none(found):
    table = found.columns.assign(missing=0.0)
    none = snapshots.Quality(table, found.figures, (), found.months, found.products)
    assert drawn.missing(none)[1] == "No column has gaps."
    table = table.assign(missing=[0.25 if i == 1 else 0.1 * (i == 2) for i in range(len(table))])
    some = snapshots.Quality(table, found.figures, (), found.months, found.products)
    figure, words = drawn.missing(some)
    assert list(figure.data[0].x) == [0.25, 0.1] and "25.0" in words
    assert len(drawn.columns(some)) == len(table)


def test_drift_and_shares_of_a_comparison():
    bins = pd.DataFrame({"table": ["customers"] * 2, "column": ["segment"] * 2, "bin": ["a", "b"],
                         "before": [0.5, 0.5], "after": [0.9, 0.1]})  # fmt: skip
    drift = pd.DataFrame({"table": ["customers"], "column": ["segment"], "psi": [0.9],
                          "verdict": ["changed"], "missing_before": [0.0],
                          "missing_after": [0.0]})  # fmt: skip
    rows = pd.DataFrame({"table": ["events"], "before": [5], "after": [7]})
    one = Comparison("a@1", "a@2", pd.Series(["x"]), pd.Series([], dtype=str), 3, rows, drift, bins)
    figure, words = drawn.drift(one)
    assert list(figure.data[0].x) == [0.9] and "segment" in words
    assert drawn.moved(one) == ["customers: segment"]
    figure, _, table = drawn.shares(one, "customers: segment")
    assert [list(bar.y) for bar in figure.data] == [[0.5, 0.5], [0.9, 0.1]]
    assert table["After"].tolist() == [0.9, 0.1]
    assert drawn.rows(one)["Change"].tolist() == [2]
    assert drawn.customers(one).to_dict("records") == [{"customer_id": "x", "change": "new"}]


def test_an_erasure_says_what_is_left_to_do_by_hand():
    done = Erasure((("a@1", "a@2", 3),), ("run",), 9, ("data/inbox/x.csv",), ())
    said = " ".join(drawn.erasure(done))
    assert "3 rows" in said and "run" in said and "x.csv still mentions" in said
    assert "None mentions" not in said
