"""A file in the exact layout of Kaggle's train_ver2.csv, of any length, generated.

Nothing in it is a customer. Calibrated on aggregates of the real file: 13.65 million rows over 17
months, 625,457 customers growing to 931,453, the number of products added a month, and the
holdings of January 2015. Where FINREC_REAL_DATA has the excerpts, attributes are drawn from their
rows and additions from their counts; else from the few values below.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from finrec.datasets.santander_panel import COLUMNS
from finrec.datasets.santander_products import ATTRIBUTES, PRODUCTS
from tests.datasets.santander_files import PERSON

REAL_ROWS = 13_647_309
MONTHS = pd.date_range("2015-01-01", periods=17, freq="MS") + pd.Timedelta(days=27)
FIRST, LAST, DISTINCT = 625_457, 931_453, 956_645  # customers in the first and last month, and ever
# Share of customers holding each product, and additions a month per million customers.
HELD = (
    1e-4, 2e-5, 0.655, 4e-4, 0.081, 0.0095, 0.0097, 0.129, 0.0433, 0.0018, 0.0017, 0.043, 0.0827,
    0.0185, 0.0059, 0.0092, 0.0026, 0.0525, 0.0444, 0.0256, 0.0039, 0.0547, 0.0594, 0.128,
)  # fmt: skip
ADDED = (
    0.1, 0.1, 3000, 15, 2400, 45, 400, 280, 170, 350, 20, 650, 1800, 330, 6, 40, 12, 500, 5300, 250,
    5, 6500, 7000, 12500,
)  # fmt: skip


def write(file: Path, rows: int, seed: int = 0) -> None:
    """Write ``rows`` rows below the header; a month after the other, as in the real file."""
    rng = np.random.default_rng(seed)
    share = np.linspace(FIRST, LAST, len(MONTHS))
    sizes = np.maximum((share / share.sum() * rows).astype(np.int64), 1)
    sizes[-1] += rows - sizes.sum()
    people = int(max(sizes.max(), rows / REAL_ROWS * DISTINCT))
    static = _people(rng, people)
    held = np.stack([rng.random(people) < p for p in HELD], axis=1)
    added = _additions()
    ids = pa.array([str(i) for i in rng.permutation(np.arange(15_889, 15_889 + people))])
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    comma = {n: n.replace(",", "\x01") for n in set(static["nomprov"].to_pylist()) if "," in n}
    marked = [comma.get(n, n) for n in static["nomprov"].to_pylist()]
    static["nomprov"] = pa.array(marked)
    with file.open("wb") as out:
        out.write((",".join(f'"{c}"' for c in COLUMNS) + "\n").encode())
        for number, (month, size) in enumerate(zip(MONTHS, sizes, strict=True)):
            if number:
                gain = rng.random((people, len(PRODUCTS))) < added / 1e6 * 1.3
                lose = rng.random((people, len(PRODUCTS))) < added / 1e6 / np.maximum(HELD, 1e-3)
                held = (held | gain) & ~(held & lose & (rng.random(people) < 0.5)[:, None])
            # People who left are those at the front; new ones come in at the end.
            start = int((people - sizes.max()) * number / (len(MONTHS) - 1))
            chosen = np.arange(start, start + size)
            table = _month(f"{month:%Y-%m-%d}", chosen, ids, static, held, number)
            buffer = io.BytesIO()
            pa_csv.write_csv(table, buffer, options)
            text = buffer.getvalue()
            for plain, with_mark in comma.items():  # only these cells are quoted in the real file
                text = text.replace(with_mark.encode(), f'"{plain}"'.encode())
            out.write(text)


def _folder() -> Path | None:
    named = os.environ.get("FINREC_REAL_DATA")
    folder = Path(named) / "santander_excerpts" if named else None
    return folder if folder and folder.is_dir() else None


def _additions() -> np.ndarray:
    """Additions a month per million customers, by product."""
    folder = _folder()
    if folder is None:
        return np.array(ADDED)
    counts = pd.read_csv(folder / "monthlyTransitionCounts.csv", index_col=0)
    return counts[list(PRODUCTS)].mean().to_numpy() / ((FIRST + LAST) / 2) * 1e6


def _people(rng: np.random.Generator, people: int) -> dict[str, pa.Array]:
    folder = _folder()
    if folder is not None:
        real = pd.read_parquet(folder / "train_ver2_first_rows.parquet")
        row = rng.integers(0, len(real), people)
        drawn = {c: pa.array(real[c]).take(pa.array(row)) for c in ATTRIBUTES}
    else:
        drawn = {c: pa.array([PERSON[c]] * people) for c in ATTRIBUTES}
    income = np.char.mod("%.2f", rng.lognormal(11.4, 0.6, people))
    unknown = rng.random(people) < 0.2
    drawn["renta"] = pa.array(np.where(unknown, "", income))
    drawn["age"] = pa.array(np.char.mod("%3d", rng.integers(18, 95, people)))
    joined = np.datetime64("1995-01-16") + rng.integers(0, 7_300, people)
    drawn["fecha_alta"] = pa.array(joined.astype(str))
    return drawn


def _month(
    month: str,
    chosen: np.ndarray,
    ids: pa.Array,
    static: dict[str, pa.Array],
    held: np.ndarray,
    number: int,
) -> pa.Table:
    rows = pa.array(chosen)
    columns = {
        "fecha_dato": pa.array([month]).take(pa.array(np.zeros(len(chosen), dtype=np.int64))),
        "ncodpers": ids.take(rows),
        **{c: values.take(rows) for c, values in static.items()},
    }
    for i, product in enumerate(PRODUCTS):
        late = product in ("ind_nomina_ult1", "ind_nom_pens_ult1")
        words = pa.array([" 0", " 1", "NA"] if late else ["0", "1"])
        index = held[chosen, i].astype(np.int8)
        if late and number < 6:
            index[::200] = 2
        columns[product] = words.take(pa.array(index))
    return pa.table({c: columns[c] for c in COLUMNS})
