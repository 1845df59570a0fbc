"""Lists against a plain sort; files that no spreadsheet runs."""

import csv
import io

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finrec.schema import DataError
from finrec.serving import export
from finrec.topk import topk


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 9), st.sampled_from([9, 300, 1001]), st.booleans())
def test_topk_equals_a_stable_sort_of_what_is_allowed(seed, k, n, few_values):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(5, n)).astype(np.float32)
    if few_values:
        scores = scores.round()  # many ties, across place k too
    allowed = rng.random((5, n)) < rng.choice([0.005, 0.7])
    index, best = topk(scores, allowed, k)
    for row in range(5):
        order = sorted(np.flatnonzero(allowed[row]), key=lambda p: (-scores[row, p], p))[:k]
        expected = [*order, *[-1] * (k - len(order))]
        assert index[row].tolist() == expected
        assert np.isneginf(best[row, len(order) :]).all()
        assert best[row, : len(order)].tolist() == [scores[row, p] for p in order]


def test_topk_refuses_what_cannot_be_ranked():
    with pytest.raises(ValueError, match="finite"):
        topk(np.array([[np.nan, 1.0]], np.float32), np.ones((1, 2), bool), 1)
    with pytest.raises(ValueError, match="between 1 and 2"):
        topk(np.zeros((1, 2), np.float32), np.ones((1, 2), bool), 3)


NASTY = ["=1+1", "+A1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "fine", "7-8", ""]


def frame():
    return pd.DataFrame({"=name": NASTY, "amount": np.linspace(-5, 5, len(NASTY))})


def test_csv_cells_that_would_run_are_marked_and_numbers_stay_numbers():
    text = export.to_bytes(frame(), ".csv").decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["'=name", "amount"]
    cells = [row[0] for row in rows[1:]]
    assert all(not c.lstrip().startswith(("=", "+", "-", "@")) for c in cells)
    assert "fine" in cells and "7-8" in cells
    assert float(rows[1][1]) == -5.0


def test_xlsx_holds_no_formula_and_real_numbers(tmp_path):
    path = tmp_path / "out.xlsx"
    export.write(frame(), path)
    sheet = openpyxl.load_workbook(path).active
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert sheet["B2"].value == -5 and sheet["B2"].data_type == "n"


def test_parquet_round_trips(tmp_path):
    path = tmp_path / "out.parquet"
    export.write(frame(), path)
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame())


def test_a_file_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"must end in .csv, .xlsx, .parquet"):
        export.write(frame(), tmp_path / "out.txt")
    with pytest.raises(DataError, match="does not exist"):
        export.write(frame(), tmp_path / "nowhere" / "out.csv")
    path = tmp_path / "out.csv"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        export.write(frame(), path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
