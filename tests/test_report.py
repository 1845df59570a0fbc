"""Reports, and the paper's tables beside our figures."""

import numpy as np
import pandas as pd
import pytest

from finrec import snapshots
from finrec.pipeline import compare, published
from finrec.schema import DataError
from tests.test_cli import call


def test_the_papers_tables_are_there_whole():
    paper = published.tables()
    assert paper.groupby("table").size().tolist() == [84, 84, 48, 48]
    assert paper.groupby(["table", "dataset"]).ngroups == 16
    one = paper.set_index(["table", "dataset", "method", "metric"])["value"]
    assert one[1, "ARB", "ours", "f1_percent"] == 92.60
    assert one[2, "SPR", "Zhang et al. (2019)", "seconds_inference"] == 118.98
    assert one[3, "FPRT", "baseline", "recall_percent"] == 62.45
    assert one[4, "Quandl", "+tl+gnn", "parameters_million"] == 200.15
    f1 = paper[paper["table"] == 1].pivot_table(
        index=["dataset", "method"], columns="metric", values="value"
    )
    harmonic = 2 / (1 / f1["precision_percent"] + 1 / f1["recall_percent"])
    assert (harmonic - f1["f1_percent"]).abs().max() < 0.02, "as printed, up to rounding"


def test_beside_means_seeds_and_says_why():
    fixed = {"dataset": "amazon", "method": "sasrec", "protocol": "P", "metric": "f1"}
    ours = pd.DataFrame([
        {**fixed, "seed": 0, "value": 0.7, "seconds_train": 10.0, "seconds_score": 1.0,
         "parameters": 2_000_000},
        {**fixed, "seed": 1, "value": 0.8, "seconds_train": 20.0, "seconds_score": 1.0,
         "parameters": 2_000_000},
    ])  # fmt: skip
    found = published.beside(ours)
    assert len(found) == 264 and (found["why"].str.len() > 50).all()
    mine = found[(found["dataset"] == "ARB") & (found["method"] == "Zhang et al. (2019)")]
    mine = mine.set_index("metric")["ours"]
    assert mine["f1_percent"] == pytest.approx(75.0) and mine["seconds_train"] == 15.0
    assert mine["parameters_million"] == 2.0 and np.isnan(mine["recall_percent"])
    assert published.beside(pd.DataFrame())["ours"].isna().all()


def test_a_report_holds_figures_provenance_and_no_address(home, small_dataset, tmp_path):
    ref = snapshots.write(small_dataset).ref
    made = compare.plan("small", ["popularity", "itemcf"])
    with pytest.raises(DataError, match="no finished cell"):
        from finrec.pipeline import report

        report.write(made, tmp_path / "x.html")
    compare.run(made, apart=False)
    for name in ("r.html", "r.md"):
        code, out, err = call("report", made.name, "--out", tmp_path / name, "--metric", "hr@3")
        assert code == 0, err
        text = (tmp_path / name).read_text(encoding="utf-8")
        mean = compare.summary(made, "hr@3")["mean"].max()
        assert ref in text and f"{mean:.4f}" in text and "itemcf" in text and "By time" in text
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<caption>" in page and "<script src" not in page and "<link" not in page
    code, _, err = call("report", made.name, "--out", tmp_path / "x.pdf")
    assert code == 2 and ".html or .md" in err
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["r.html", "r.md"]
