"""The paper's Tables 1 to 4 beside our figures, cell by cell, with why they can't be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from finrec.figures.reference import RANKING
from finrec.pipeline import origins
from finrec.schema import DataError

RESULTS = Path(__file__).parent.parent.parent / "data" / "results"
REFERENCE = "reference.csv"
WORDS = ("dataset", "snapshot", "protocol", "split", "slice", "method", "metric", "commit",
         "machine", "command")  # fmt: skip
COSTS = ("seconds_train", "seconds_score", "parameters")
INTERVAL = ("low", "high")
NUMBERS = (*COSTS, "peak_mib", "seed", "value")
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


def digest() -> str:
    """Names the committed figures as they are now, for caches; empty where there are none."""
    file = RESULTS / REFERENCE
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


def reference() -> pd.DataFrame:
    """Our measured figures as committed; none where they are not there.

    Raises:
        DataError: when the file is there and can't be read as such.
    """
    file = RESULTS / REFERENCE
    return read(file) if file.is_file() else pd.DataFrame()


def read(file: Path) -> pd.DataFrame:
    """Measured figures from a file that ``finrec compare --reference`` wrote.

    Raises:
        DataError: when it can't be read as such.
    """
    remedy = f"make {file.name} again with `finrec compare --reference`"
    try:
        rows = pd.read_csv(file, dtype=dict.fromkeys(WORDS, "str"))
    except OSError as error:
        raise DataError(f"{file} can't be read: {error.strerror or error}.") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{file.name}: {str(error).splitlines()[0]}; {remedy}.") from error
    if "protocol" in rows and "dataset" in rows:
        rows = with_split(rows)
    missing = [c for c in (*WORDS, *NUMBERS, "masked") if c not in rows]
    if missing:
        raise DataError(f"{file.name} lacks {', '.join(missing)}; {remedy}.")
    for name in INTERVAL:  # a file from before there were intervals
        rows[name] = rows.get(name, float("nan"))
    for name in (*NUMBERS, *INTERVAL):
        numbers = pd.to_numeric(rows[name], errors="coerce")
        wrong = numbers.isna() & rows[name].notna()
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise DataError(
                f"{file.name}, row {row + 2}, {name}: {rows[name].iloc[row]!r} is no number; "
                f"{remedy}."
            )
        rows[name] = numbers
    if rows["masked"].dtype != bool:
        raise DataError(f"{file.name}: masked is not always True or False; {remedy}.")
    return rows.dropna(subset=["value", "parameters"])


def with_split(rows: pd.DataFrame) -> pd.DataFrame:
    """Tidy rows with the column ``split``, which files of an earlier version lack.

    There it is the one protocol of lists that each data set was measured by.
    """
    if "split" in rows:
        return rows
    lists = rows[rows["protocol"].isin(RANKING)]
    known = dict(zip(lists["dataset"], lists["protocol"], strict=True))
    return rows.assign(split=[known.get(name, "") for name in rows["dataset"]])


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as each data set is read: history masked where it can be; pairs as they are."""
    best = rows.groupby(["dataset", "protocol"], observed=True)["masked"].transform("max")
    return rows[rows["masked"] == best]


def beside(ours: pd.DataFrame) -> pd.DataFrame:
    """Every cell of the paper beside ours.

    Args:
        ours: tidy rows, as from :func:`finrec.pipeline.compare.tidy` or :func:`reference`.

    Returns:
        table, dataset, method, metric, paper, ours (mean over seeds; NaN where not measured),
        measured_on, here (the method that stands for the paper's), why.
    """
    paper, means = tables(), _means(ours)
    rows = []
    for one in paper.to_dict("records"):
        dataset = OURS[one["dataset"]]
        method = OURS.get(one["method"], one["method"])
        here = origins.title(method) + (", a stand-in" if origins.stands_in_for(method) else "")
        name, scale = METRICS[one["metric"]]
        rows.append({
            **{k: one[k] for k in COLUMNS[:4]},
            "paper": one["value"],
            "ours": scale * means.get((dataset, method, name), float("nan")),
            "measured_on": dataset,
            "here": here,
            "why": f"{WHY_DATA[one['dataset']]} {WHY_PAIRS if scale == 100 else WHY_COST}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def _means(ours: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """Mean over seeds by data set, method and metric or cost."""
    if ours.empty:
        return {}
    ours = with_split(ours)
    by_time = ours.groupby("dataset", observed=True)["split"].transform("max")
    ours = ours[ours["split"] == by_time]  # R2 where a data set was held out both ways
    cell, long = ["dataset", "method", "seed"], ["dataset", "method", "seed", "metric", "value"]
    wanted = [m for m, _ in METRICS.values()]
    pairs = ours[(ours["protocol"] == "P") & ours["metric"].isin(wanted)]
    if "slice" in pairs:  # the other ways of drawing are harder, or of another question
        pairs = pairs[pairs["slice"] == "all"]
    pairs = pairs[long]
    costs = ours[[*cell, *(c for c in COSTS if c in ours)]].drop_duplicates(cell)  # same in a cell
    every = pd.concat([pairs, costs.melt(cell, var_name="metric")])
    seeds = every.groupby(["dataset", "method", "metric", "seed"], as_index=False)["value"].mean()
    means = seeds.groupby(["dataset", "method", "metric"], as_index=False)["value"].mean()
    keys = zip(means["dataset"], means["method"], means["metric"], strict=True)
    return dict(zip(keys, means["value"].tolist(), strict=True))


__all__ = ["beside", "digest", "headline", "read", "reference", "tables", "with_split"]
