"""Protocol O in words: whether a product is held a month later, beside who says "as now".

What is read is the block ``O`` of a run's metrics (:mod:`finrec.evaluation.ownership`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from finrec.figures import formats

COLUMNS = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}
ROWS = {
    "model": "This model",
    "persistence": "Persistence: what is held now",
    "never": "Never: nobody holds anything",
    "taken": "This model, of what was not held",
}


def table(block: Mapping[str, Any]) -> pd.DataFrame:
    """One row a way to say it, figures of the test month; NaN where a figure is not defined."""
    rows = [
        {"Said by": words} | {c: found.get(m, float("nan")) for m, c in COLUMNS.items()}
        for name, words in ROWS.items()
        if (found := block if name == "model" else block.get(name)) is not None
    ]
    return pd.DataFrame(rows, columns=["Said by", *COLUMNS.values()])


def describe(block: Mapping[str, Any]) -> str:
    """How little a high figure means, and what the model adds to saying "as now"."""
    gain = block["f1"] - block["persistence"]["f1"]
    adds = (
        "and the model says nothing better than that"
        if gain <= 0
        else f"to whose F1 the model adds {formats.metric(gain)}"
    )
    return (
        f"All {formats.counted(block['pairs'], 'pair')} of customer and product; "
        f"{formats.share(block['changed'], 2)} of them change within the month. Saying that all "
        f"stays as it is has accuracy {formats.metric(block['persistence']['accuracy'])} and F1 "
        f"{formats.metric(block['persistence']['f1'])}, {adds}. A high figure here says little "
        "about recommendations."
    )
