"""The paper's Tables 1 to 4 beside our figures, cell by cell, with why they can't be compared."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent.parent.parent / "data" / "results"
COLUMNS = ["table", "dataset", "method", "metric", "value"]
OURS = {  # the paper's names: ours
    "SPR": "santander",
    "ARB": "amazon",
    "Quandl": "senate",
    "FPRT": "insurance",
    "Jung et al. (2018)": "robo_advisor",
    "Jiang et al. (2019)": "slope_one_trust",
    "Cui et al. (2020)": "time_cf_cuckoo",
    "Portugal et al. (2018)": "boosting",
    "Naumov et al. (2019)": "dlrm",
    "Zhang et al. (2019)": "sasrec",
    "ours": "+tl+gnn",
}
METRICS = {  # the paper's metric: ours, and what it is multiplied with
    "precision_percent": ("precision", 100.0),
    "recall_percent": ("recall", 100.0),
    "f1_percent": ("f1", 100.0),
    "seconds_train": ("seconds_train", 1.0),
    "seconds_inference": ("seconds_score", 1.0),
    "parameters_million": ("parameters", 1e-6),
}
WHY_DATA = {
    "SPR": "The paper's cut of Santander's file is not told; here the published additions of five "
    "months.",
    "ARB": "The paper's cut has 371,345 reviews and is not told; here the 5-core, 198,502 reviews.",
    "Quandl": "Quandl has prices and no customers; the paper does not say whose choices it "
    "predicts. Here trades that senators disclosed.",
    "FPRT": "The paper's data are not public; here real insurance purchases.",
}
WHY_PAIRS = "The paper does not say which negatives it took, nor how many; here one product drawn "\
    "at random beside each acquisition, the threshold chosen on validation."  # fmt: skip
WHY_COST = "The paper's machine and what it counts as training and inference are not told."


def tables() -> pd.DataFrame:
    """The paper's figures: table, dataset, method, metric, value; as printed there."""
    return pd.read_csv(RESULTS / "paper.csv")


def reference() -> pd.DataFrame:
    """Our measured figures as committed, in the columns of ``finrec compare --reference``."""
    file = RESULTS / "reference.csv"
    return pd.read_csv(file) if file.is_file() else pd.DataFrame()


def beside(ours: pd.DataFrame) -> pd.DataFrame:
    """Every cell of the paper beside ours.

    Args:
        ours: tidy rows, as from :func:`finrec.pipeline.compare.tidy` or :func:`reference`.

    Returns:
        table, dataset, method, metric, paper, ours (mean over seeds; NaN where not measured),
        measured_on, why.
    """
    paper = tables()
    rows = []
    for one in paper.to_dict("records"):
        dataset = OURS[one["dataset"]]
        method = OURS.get(one["method"], one["method"])
        name, scale = METRICS[one["metric"]]
        rows.append({
            **{k: one[k] for k in COLUMNS[:4]},
            "paper": one["value"],
            "ours": scale * _mean(ours, dataset, method, name),
            "measured_on": dataset,
            "why": f"{WHY_DATA[one['dataset']]} {WHY_PAIRS if scale == 100 else WHY_COST}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def _mean(ours: pd.DataFrame, dataset: str, method: str, metric: str) -> float:
    if ours.empty:
        return float("nan")
    mine = ours[(ours["dataset"] == dataset) & (ours["method"] == method)]
    if metric in mine:  # a cost stands in each row of a cell
        return float(mine.groupby("seed")[metric].first().mean()) if len(mine) else float("nan")
    mine = mine[(mine["protocol"] == "P") & (mine["metric"] == metric)]
    return float(mine.groupby("seed")["value"].mean().mean()) if len(mine) else float("nan")


__all__ = ["beside", "reference", "tables"]
