"""Comparisons: each cell measured once, killed and taken up, summed up with intervals and tests."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest

from finrec import locks, presets, snapshots
from finrec.evaluation import significance
from finrec.pipeline import compare, comparing, tuning
from finrec.schema import DataError
from tests.test_cli import call

METHODS = ["popularity", "markov", "itemcf"]


@pytest.fixture
def made(home, small_dataset):
    snapshots.write(small_dataset)
    return compare.plan("small", METHODS)


def test_names_of_methods_and_groups():
    assert compare.chosen("ablation") == ["baseline", "+tl", "+gnn", "+tl+gnn"]
    assert compare.chosen("itemcf, ablation")[0] == "itemcf"
    assert set(compare.chosen("all")) > set(compare.chosen("baselines"))
    with pytest.raises(DataError, match="'magic' is unknown"):
        compare.chosen("itemcf,magic")


def test_cells_are_measured_once_and_summed_up(made):
    told = []
    assert compare.run(made, told.append, apart=False) == []
    assert [e["event"] for e in told] == ["cell", "measured"] * 3 + ["done"]
    stamps = {c.key: (c.folder / "cell.json").stat().st_mtime_ns for c in made.cells}
    again = compare.plan("small", METHODS)
    assert compare.run(again, told.append, apart=False) == [] and len(again.done) == 3
    assert stamps == {c.key: (c.folder / "cell.json").stat().st_mtime_ns for c in again.cells}

    table = compare.summary(made, "ndcg@3")
    assert table["mean"].is_monotonic_decreasing and set(table["method"]) == set(METHODS)
    cell = made.cells[0]
    row = table.set_index("method").loc[cell.method]
    frame = cell.per_case()
    assert row["mean"] == pytest.approx(cell.result()["metrics"]["R2"]["masked"]["ndcg@3"])
    interval = significance.bootstrap(frame["ndcg@3"].to_numpy(), frame["customer"].to_numpy())
    assert (row["low"], row["high"]) == (interval.low, interval.high)
    assert row["p"] != row["p"], "there is nothing of ours to test against"
    with pytest.raises(DataError, match="was not measured"):
        compare.summary(made, "magic")

    rows = compare.tidy(made)
    assert list(rows.columns) == list(compare.TIDY)
    one = rows[(rows["method"] == cell.method) & (rows["metric"] == "ndcg@3") & rows["masked"]]
    assert set(one["slice"]) >= {"all"} and one["command"].str.contains("finrec compare").all()


def test_ours_is_tested_against_each_with_holm(made, monkeypatch):
    compare.run(made, apart=False)
    monkeypatch.setattr(compare, "OURS", "itemcf")
    table = compare.summary(made, "ndcg@3").set_index("method")
    frames = {c.method: c.per_case() for c in made.cells}
    plain = {
        name: significance.paired(
            frames["itemcf"]["ndcg@3"].to_numpy(),
            frames[name]["ndcg@3"].to_numpy(),
            frames[name]["customer"].to_numpy(),
        )
        for name in ("popularity", "markov")
    }
    assert table["p"].drop("itemcf").to_dict() == pytest.approx(significance.holm(plain))
    assert np.isnan(table.loc["itemcf", "p"])


def test_reference_rows_replace_older_ones(made, tmp_path):
    compare.run(made, apart=False)
    file = tmp_path / "reference.csv"
    compare.refer(made, file)
    first = pd.read_csv(file)
    compare.refer(made, file)
    pd.testing.assert_frame_equal(first, pd.read_csv(file))
    assert first.groupby(["method", "seed", "metric", "slice", "masked", "protocol"]).size().max() == 1  # fmt: skip  # noqa: E501


def test_a_killed_comparison_goes_on_and_keeps_what_is_done(made, home):
    child = subprocess.Popen(
        [sys.executable, "-m", "finrec", "compare", made.name],
        env={**os.environ, "FINREC_HOME": str(home)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 90
    while not made.done and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    kept = {c.key: (c.folder / "cell.json").stat().st_mtime_ns for c in made.done}
    assert kept
    code, out, err = call("compare", made.name, "--json")
    assert code == 0, err
    found = json.loads(out.splitlines()[-1])
    assert found["done"] == found["of"] == 3 and found["failed"] == []
    for cell in made.cells:
        if cell.key in kept:
            assert (cell.folder / "cell.json").stat().st_mtime_ns == kept[cell.key]


def test_a_failing_cell_is_told_and_the_others_go_on(made):
    broken = compare.Cell(made.cells[0].snapshot, "R2", "markov", 0, {"weight": "heavy"})
    both = compare.Comparison("x", (broken, made.cells[0]), made.created)
    (sentence,) = compare.run(both, apart=False)
    assert sentence.startswith("markov, seed 0") and both.done == [made.cells[0]]


def test_tuning_keeps_the_best_on_validation_and_compare_uses_it(made, monkeypatch):
    ref = made.cells[0].snapshot
    settings = tuning.tune("small", "markov", trials=6)
    assert settings == tuning.tuned(ref, "R2", "markov").settings
    assert set(settings) == {"weight", "days"}
    (cell,) = compare.plan("small", ["markov"]).cells
    assert cell.settings == settings
    monkeypatch.setattr(tuning.protocols, "ranking", None)  # nothing is tried
    assert tuning.tune("small", "markov", trials=6) == settings, "all trials are done already"


def test_the_first_try_of_ours_is_the_preset_itself(home, small_dataset, monkeypatch):
    asked = []

    def fused(settings, parts, metric, trial):
        asked.append(settings)
        return 1.0 if settings.train.rate == 5e-4 else 0.1

    monkeypatch.setattr(tuning, "_fused", fused)
    snapshots.write(small_dataset)
    found = tuning.tune("small", "+gnn", preset="quick", trials=12)
    plain = presets.settings(small_dataset.info, asked[0].snapshot, "quick", "+gnn", tuning.SEED)
    assert asked[0] == plain
    assert len({s.model_dump_json() for s in asked}) > 4, "others are tried after it"
    assert found.get("train", {}).get("rate") == 5e-4 or all(s.train.rate != 5e-4 for s in asked)
    first = tuning._nested("+gnn", {n: v[0] for n, v in tuning._space("+gnn").items()})
    assert first == {}, "the preset is left as it is"


def test_a_variant_of_ours_is_a_run_that_is_used_again(home, small_dataset, monkeypatch):
    from finrec.pipeline import cells

    ref = snapshots.write(small_dataset).ref
    tiny = {"model": {"width": 16}, "train": {"epochs": 1}}
    cell = compare.Cell(ref, "R2", "+gnn", 0, tiny, "quick")
    cells.measure(cell)
    found = cell.result()
    assert found["parameters"] > 0 and found["seconds_train"] > 0 and found["run"]
    import shutil

    shutil.rmtree(cell.folder)
    monkeypatch.setattr(cells.learning, "train", lambda *_: pytest.fail("trained again"))
    cells.measure(cell)
    assert cell.result()["run"] == found["run"]


def test_settings_of_a_method_are_measured_and_stand_in_its_command(home, small_dataset):
    snapshots.write(small_dataset)
    made = compare.plan("small", ["itemcf", "popularity"], given={"itemcf": {"shrinkage": 30.0}})
    (cell,) = [c for c in made.cells if c.method == "itemcf"]
    assert cell.settings["shrinkage"] == 30.0
    told = compare.command(cell)
    assert told == "finrec compare small --methods itemcf --seeds 1 --set itemcf.shrinkage=30.0"
    with pytest.raises(DataError, match="no setting 'magic'; it has shrinkage"):
        compare.plan("small", ["itemcf"], given={"itemcf": {"magic": 1}})
    code, out, _ = call(*told.split()[1:], "--json")
    assert code == 0
    same = compare.comparisons()[0].cells
    assert [c.key for c in same] == [cell.key], "the command measures the same cell"


def test_a_comparison_behind_another_says_so(made, home):
    told = []
    with locks.held(comparing._folder("") / "turn") as free:
        assert free
        waiting = threading.Thread(target=comparing.work, args=(made, told.append))
        waiting.start()
        until = time.monotonic() + 30
        while {"event": "behind"} not in told and time.monotonic() < until:
            time.sleep(0.05)
        comparing.cancel(made.name)
        waiting.join(30)
    assert [e["event"] for e in told].count("behind") == 1 and not made.done
