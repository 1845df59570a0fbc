"""Protocol T in words: whether a customer takes anything at all, and who says it best.

What is read is the block ``T`` of a run's metrics (:mod:`finrec.evaluation.timing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from finrec.figures import formats

COLUMNS = {
    "log_loss": "Log-loss",
    "brier": "Brier score",
    "ece": "Calibration error",
    "roc_auc": "ROC AUC",
}
ROWS = {
    "network": "This model",
    "counted": "Counted: customers as recent and as frequent",
    "constant": "The same for everybody",
}


def table(block: Mapping[str, Any]) -> pd.DataFrame:
    """One row a way to say it, figures of the test period."""
    rows = []
    for name, words in ROWS.items():
        found = block if name == "network" else block["rivals"].get(name)
        if found is not None:
            rows.append({"Said by": words} | {c: found[m] for m, c in COLUMNS.items()})
    return pd.DataFrame(rows, columns=["Said by", *COLUMNS.values()])


def describe(block: Mapping[str, Any]) -> str:
    """Who was asked, how many took something, and what expected values rest on."""
    best = ROWS[block["best_on_validation"]]
    rests = (
        "so expected values rest on this model."
        if block["best_on_validation"] == "network"
        else "so expected values rest on counted rates, not on this model."
    )
    return (
        f"{formats.counted(block['customers'], 'customer')} with a past; "
        f"{formats.share(block['prevalence'])} took something within "
        f"{formats.counted(round(block['days']), 'day')}. Least log-loss on validation: "
        f"{best[0].lower()}{best[1:]}, {rests}"
    )
