"""The command line: the main job from ingest to explanation, and one sentence on bad input."""

import json

import numpy as np
import pandas as pd
import pytest

from finrec import __main__ as cli
from finrec import datasets, snapshots
from finrec.commands import screen
from finrec.schema import FinrecError


@pytest.fixture(scope="module")
def trained(shared_home, small_dataset):
    """A snapshot and a run that all tests of this file share."""
    made = snapshots.write(small_dataset)
    code, out, _ = call(
        "train", made.ref, "--preset", "quick", "--parts", "+gnn", "--json",
        "--set", "model.width=16", "--set", "train.epochs=2",
    )  # fmt: skip
    assert code == 0
    return made, json.loads(out.splitlines()[-1])


def call(*arguments):
    """Exit code, stdout and stderr of a command, in this process."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.MonkeyPatch.context() as patch:  # fmt: skip  # noqa: E501
        patch.setattr("sys.argv", ["finrec", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()


def last_json(*arguments):
    code, out, err = call(*arguments, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


def test_train_names_its_run_and_evaluate_gives_metrics_by_protocol(trained, shared_home):
    made, run = trained
    assert (shared_home / "models" / run["run"] / "weights.safetensors").exists()
    found = last_json("evaluate", run["run"])
    assert 0 <= found["R2"]["masked"]["ndcg@3"] <= 1
    assert {"precision", "recall", "f1"} <= set(found["P"])
    assert [r["run"] for r in last_json("runs")["runs"]] == [run["run"]]
    assert [s["snapshot"] for s in last_json("snapshots")["snapshots"]] == [made.ref]


def test_a_setting_without_effect_is_said(trained, monkeypatch):
    monkeypatch.setattr("finrec.pipeline.start", lambda settings: "begun")
    given = ("train", trained[0].ref, "--parts", "baseline", "--background")
    assert "Without effect" not in call(*given)[2]
    code, out, err = call(*given, "--set", "model.graph_kind=gat")
    assert code == 0 and "Started begun" in out
    assert "Without effect here: model.graph_kind (baseline has no graph)" in err


def test_recommend_one_and_all(trained, tmp_path):
    run = trained[1]["run"]
    found = last_json("recommend", run, "--customer", "007", "-k", 3)["recommendations"]
    assert [r["rank"] for r in found] == [1, 2, 3] and found[0]["customer_id"] == "007"
    assert found[0]["probability"] >= found[1]["probability"] > 0
    twice = ("--customer", "007", "--customer", "007")
    assert last_json("recommend", run, *twice, "-k", 3)["recommendations"] == found
    out = tmp_path / "all.csv"
    assert last_json("recommend", run, "--all", "-k", 2, "--out", out)["rows"] > 100
    table = pd.read_csv(out, dtype=str, encoding="utf-8-sig")
    assert table["customer_id"].nunique() == 60 and "007" in set(table["customer_id"])


def test_a_device_that_is_not_there_is_one_sentence_and_no_job(trained, monkeypatch, shared_home):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, err = call("train", "small", "--preset", "quick", "--device", "cuda")
    assert code == 2 and "no CUDA device; choose device auto or cpu" in err
    assert not list((shared_home / "models" / "jobs").glob("small-*"))


def test_nothing_that_is_held_is_offered_again(trained, small_dataset, tmp_path):
    out = tmp_path / "all.parquet"
    call("recommend", trained[1]["run"], "--all", "-k", 12, "--out", out)
    offered = set(map(tuple, pd.read_parquet(out)[["customer_id", "product_id"]].to_numpy()))
    acquired = set(map(tuple, small_dataset.events[["customer_id", "product_id"]].to_numpy()))
    assert offered and not offered & acquired


def test_explain_adds_up_and_equals_the_fast_score(trained):
    run = trained[1]["run"]
    top = last_json("recommend", run, "--customer", "001", "-k", 1)["recommendations"][0]
    found = last_json("explain", run, "--customer", "001", "--product", top["product_id"])
    assert found["score"] == pytest.approx(found["fast_score"], abs=1e-4)
    assert found["score"] == pytest.approx(top["score"], abs=1e-4)
    assert found["rank"] == 1 and 1 <= len(found["sentences"]) <= 3
    assert len(found["attention"]["Rolled out"]) == len(found["events"]) + 1
    had = found["events"][-1]["product_id"]
    said = [call("explain", run, "--customer", "001", "--product", p)[1]
            for p in (had, top["product_id"])]  # fmt: skip
    assert ["the customer has it already" in out for out in said] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ingest", "nonsense", "."), "unknown"),
        (("ingest", "insurance", "no/such/folder"), "does not exist"),
        (("ingest", "insurance"), "give its path"),
        (("train", "nothing@here"), "is not a snapshot"),
        (("train", "small", "--preset", "huge"), "Preset 'huge' is unknown"),
        (("train", "small", "--set", "train.epochs=0"), "epochs"),
        (("train", "small", "--parts", "+magic"), "parts"),
        (("train", "small", "--device", "tpu"), "device"),
        (("evaluate", "nothing"), "is not a run"),
        (("recommend", "nothing", "--customer", "001"), "is not a run"),
        (("recommend", "{run}", "--customer", "ghost"), "Customer 'ghost' is not in"),
        (("recommend", "{run}", "--all", "--out", "x.exe"), "must end in"),
        (("recommend", "{run}"), "--customer ID"),
        (("explain", "{run}", "--customer", "001", "--product", "P99"), "Product 'P99' is not in"),
        (("explain", "{run}", "--customer", "ghost", "--product", "P01"), "Customer 'ghost'"),
        (("resume", "nothing"), "no job"),
        (("ingest", "uploaded"), "Name the files"),
        (("ingest", "uploaded", "x.csv"), "--auto takes the proposal"),
        (("ingest", "uploaded", "x.csv", "--auto"), "x.csv"),
        (("ingest", "uploaded", "x.csv", "--mapping", "none.json"), "none.json can't be read"),
        (("ingest", "demo", "a", "b"), "one folder or file"),
        (("ingest", "demo", "--set", "core=3"), "demo has no option 'core'"),
        (("ingest", "amazon", ".", "--set", "core=few"), "a whole number"),
        (("ingest", "amazon", ".", "--set", "core"), "NAME=VALUE"),
        (("propose", "x.csv"), "x.csv"),
        (("drift", "nothing", "small"), "is not a snapshot"),
        (("delete", "nothing", "--yes"), "is not a snapshot"),
        (("erase", "nobody-of-that-name", "--yes"), "knows that customer"),
    ],
)
def test_bad_input_is_one_clear_sentence_and_code_2(trained, arguments, says, shared_home):
    before = sorted(shared_home.rglob("*"))
    filled = [a.format(run=trained[1]["run"]) for a in arguments]
    code, out, err = call(*filled)
    assert code == 2 and says in err and "Traceback" not in err and out == ""
    assert sorted(shared_home.rglob("*")) == before


def test_an_empty_or_wrong_file_is_named_with_what_is_wrong(tmp_path):
    columns = {
        "purchase_events_train": "event_id,user_id,event_time,valid,item_id",
        "purchase_events_test": "event_id,user_id,event_time,item_id",
        "filter_test": "event_id,item_id",
    }
    rows = {
        "purchase_events_train": "1,7,2020-01-01,0,a",
        "purchase_events_test": "2,7,soon,a",
        "filter_test": "2,a",
    }
    for name, header in columns.items():
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{rows[name]}\n")
    with pytest.raises(FinrecError, match="purchase_events_test, row 1, column event_time: 'soon'"):
        datasets.load("insurance", tmp_path)
    (tmp_path / "filter_test.csv").write_text("event_id,item_id\n")
    with pytest.raises(FinrecError, match="filter_test.csv has no rows"):
        datasets.load("insurance", tmp_path)
    (tmp_path / "purchase_events_train.csv").write_text("")
    with pytest.raises(FinrecError, match="purchase_events_train.csv can't be read"):
        datasets.load("insurance", tmp_path)
    (tmp_path / "purchase_events_train.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FinrecError, match="lacks the column event_id"):
        datasets.load("insurance", tmp_path)


def test_what_is_not_known_is_a_dash_in_a_table(capsys):
    screen.table(pd.DataFrame({"x": [0.5, np.nan], "y": [None, "a"], "z": [pd.NaT, pd.NaT]}))
    told = capsys.readouterr().out
    assert "nan" not in told.lower() and "none" not in told.lower() and "nat" not in told.lower()
    assert "0.5000" in told and told.count("–") == 4


def test_what_is_no_number_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "a": float("nan"), "b": [np.float32("inf"), 1.5], "c": {"d": np.array([np.nan, 2.0])},
        "e": pd.DataFrame({"x": [1.0, np.nan]}), "f": (np.int64(3), "NaN", None, True),
    }  # fmt: skip
    screen.say(True, found, "")
    told = capsys.readouterr().out
    assert json.loads(told, parse_constant=lambda name: pytest.fail(name)) == {
        "a": None, "b": [None, 1.5], "c": {"d": [None, 2.0]},
        "e": [{"x": 1.0}, {"x": None}], "f": [3, "NaN", None, True],
    }  # fmt: skip
