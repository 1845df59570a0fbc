"""Protocol T in words and as a table."""

from __future__ import annotations

import pytest

from finrec.figures import anything

FIGURES = {"brier": 0.1, "log_loss": 0.3, "ece": 0.02, "roc_auc": 0.7}


def block(best: str) -> dict:
    """As a run keeps it."""
    worse = {**FIGURES, "log_loss": 0.4}
    return {
        "customers": 1, "days": 30.0, "prevalence": 0.25, "best_on_validation": best,
        "rivals": {"constant": worse, "counted": worse}, **FIGURES,
    }  # fmt: skip


def test_each_way_is_a_row_with_its_own_figures():
    found = anything.table(block("network"))
    assert found["Said by"].tolist() == list(anything.ROWS.values())
    assert found["Log-loss"].tolist() == [0.3, 0.4, 0.4]
    assert found["ROC AUC"].tolist() == [0.7] * 3


@pytest.mark.parametrize(
    ("best", "words"),
    [("network", "rest on this model."), ("counted", "counted rates, not on this model.")],
)
def test_words_say_what_expected_values_rest_on(best: str, words: str):
    said = anything.describe(block(best))
    assert said.startswith("1 customer with a past") and "30 days" in said
    assert words in said
