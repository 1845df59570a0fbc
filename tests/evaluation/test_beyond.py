"""Coverage, concentration, novelty and diversity of lists, by hand."""

import numpy as np
import pandas as pd
import pytest

from finrec.evaluation import beyond

PRODUCTS = pd.DataFrame({"product_id": list("abcd"), "name": list("abcd"), "description": "",
                         "kind": ["x", "x", "y", "y"], "risk": [1, 2, 1, 2]})  # fmt: skip


def test_figures_by_hand():
    lists = np.array([[0, 1], [0, 3]])
    found = beyond.figures(lists, np.array([4, 2, 1, 1]), PRODUCTS)
    assert found["coverage"] == 3 / 4
    assert found["gini"] == pytest.approx((-3 * 0 - 1 * 1 + 1 * 1 + 3 * 2) / (4 * 4))
    assert found["novelty"] == pytest.approx((1 + 1 + 2 + 3) / 4)
    assert found["diversity"] == pytest.approx((1 / 2 + 1) / 2)


def test_one_list_for_everybody_is_concentrated_and_equal_lists_are_not():
    popularity = np.ones(4)
    same = beyond.figures(np.zeros((9, 1), dtype=int), popularity, PRODUCTS)
    even = beyond.figures(np.arange(4)[:, None], popularity, PRODUCTS)
    assert same["gini"] == pytest.approx(3 / 4) and even["gini"] == 0
    assert np.isnan(even["diversity"]), "a list of one has no pair"
