"""Ownership in words: persistence stands beside every figure."""

import numpy as np
import pytest

from finrec.figures import holding

AS_NOW = {"accuracy": 0.997, "precision": 0.83, "recall": 0.97, "f1": 0.894}
NEVER = {"accuracy": 0.987, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def block(f1: float) -> dict[str, object]:
    return {
        "pairs": 39312, "changed": 0.0031, **AS_NOW, "f1": f1, "persistence": AS_NOW,
        "never": NEVER, "taken": {"pairs": 38693, "precision": 0.1, "recall": 0.2, "f1": 0.13},
    }  # fmt: skip


def test_persistence_and_what_was_not_held_stand_beside_the_model() -> None:
    table = holding.table(block(0.9)).set_index("Said by")
    assert table["F1"].tolist() == [0.9, 0.894, 0.0, 0.13]
    assert np.isnan(table.loc["This model, of what was not held", "Accuracy"])


@pytest.mark.parametrize(
    ("f1", "said"), [(0.894, "says nothing better than that"), (0.904, "the model adds 0.0100")]
)
def test_it_says_what_the_model_adds_to_persistence(f1: float, said: str) -> None:
    words = holding.describe(block(f1))
    assert said in words and "accuracy 0.9970" in words and "0.31%" in words.replace(" %", "%")
