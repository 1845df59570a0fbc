"""What is drawn of trust in evidence is what was measured."""

import numpy as np
import pandas as pd
import pytest

from finrec.figures import trust

CUTS = np.array([0, 2, 4])
CURVES = {"By attention": np.array([3.0, 2.5, 1.0]), "By effect": np.array([3.0, 0.5, 1.0])}
METHODS = [
    {"method": "attention", "label": "Attention", "area": 1.0, "low": 0.8, "high": 1.3,
     "random": 0.9, "p_random": 0.2, "p_attention": None},
    {"method": "effect", "label": "Measured effect", "area": 2.0, "low": 1.5, "high": 2.5,
     "random": 0.9, "p_random": 1e-9, "p_attention": 0.004},
]  # fmt: skip


def test_deletion_curves_are_drawn_at_their_cuts():
    figure = trust.deletion(CUTS, CURVES)
    assert [list(t.x) for t in figure.data] == [[0, 2, 4]] * 2
    assert list(figure.data[1].y) == [3.0, 0.5, 1.0]
    table = trust.deletion_table(CUTS, CURVES)
    assert table["By effect"].tolist() == [3.0, 0.5, 1.0]
    assert trust.describe_deletion(CURVES).startswith("Leaving events out by effect")


def test_report_has_intervals_and_p():
    figure = trust.report(METHODS)
    bar = figure.data[0]
    assert list(bar.x) == [1.0, 2.0]
    assert list(bar.error_x.array) == pytest.approx([0.3, 0.5])
    assert list(bar.error_x.arrayminus) == pytest.approx([0.2, 0.5])
    table = trust.report_table(METHODS)
    assert table["p against random"].tolist() == ["0.200", "< 0.001"]
    assert table["p against attention"].tolist() == ["–", "0.004"]
    assert "200 customers" in trust.describe_report({"sentence": "So.", "customers": 200})


def test_agreement_leaves_out_what_cannot_be_told():
    told = trust.agreement({"attention and effect": 0.5, "gradients and effect": float("nan")})
    assert "attention and measured effect +0.50" in told and "gradients" not in told
    assert trust.agreement({"attention and effect": float("nan")}) == ""


def test_paths_of_small_groups_are_not_counted_out_loud():
    paths = pd.DataFrame(
        {"name": ["Loan", "Card"], "customers": [0, 12], "share": [0.7, 0.3], "effect": [0.4, 0.1]}
    )
    said = trust.describe_paths(paths, "Fund")
    assert "This customer → Loan" in said and "too few" in said and "70%" in said
    assert trust.paths_table(paths)["Customers with both"].tolist() == ["too few to tell", "12"]
    assert "No path" in trust.describe_paths(paths.iloc[:0], "Fund")


def test_products_are_found_by_part_of_the_name_or_by_id():
    products = pd.DataFrame({"product_id": ["A1", "B2", "C3"], "name": ["Gold (1)", "gilt", "Car"]})
    assert trust.product_names(products, "G") == {"A1": "Gold (1)", "B2": "gilt"}
    assert trust.product_names(products, "(1") == {"A1": "Gold (1)"}
    assert trust.product_names(products, "C3") == {"C3": "Car"}
    assert len(trust.product_names(products, "", 2)) == 2
    assert trust.added(products, [2, 0]) == "Car and Gold (1)"


def test_evidence_is_shown_in_the_order_of_its_measured_effect():
    events = pd.DataFrame(
        {"name": ["Loan", "Card"], "time": pd.to_datetime(["2024-01-01", "2024-02-01"]),
         "attention": [0.1, 0.9], "effect": [2.0, -1.0], "gradients": [1.5, 0.0]}
    )  # fmt: skip
    attributes = pd.DataFrame({"column": ["age"], "value": ["40"], "effect": [0.5],
                               "gradients": [0.4]})  # fmt: skip
    table = trust.opinions(events, attributes)
    assert table["Score falls without it by"].tolist() == [2.0, 0.5, -1.0]
    assert table["What"].tolist() == ["Loan, 01 Jan 2024", "Age: 40", "Card, 01 Feb 2024"]
