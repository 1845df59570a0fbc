"""Commands that compare: mistakes are refused at once, in a sentence, and leave nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from finrec import schema, snapshots
from finrec.evaluation import asof, metrics
from finrec.pipeline import compare as verbs
from finrec.pipeline import comparing, published, rolling, tuning
from tests.test_cli import call


@pytest.fixture
def ref(home: Path, small_dataset: schema.Dataset) -> str:
    return snapshots.write(small_dataset).ref


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--budget", "-1"], "'--budget'"),
        (["--budget", "nan"], "'--budget'"),
        (["--preset", "nosuch"], "Preset 'nosuch' is unknown"),
        (["--protocols", "R3"], "Protocol 'R3' is unknown"),
        (["--metric", "customer"], "'customer' is unknown; choose one of"),
        (["--metric", "warm"], "'warm' is unknown; choose one of"),
        (["--set", "markov.weight=heavy"], "markov.weight can't be 'heavy'"),
        (["--set", "markov.weight=-5"], "markov.weight can't be -5"),
        (["--set", "markov.weight=true"], "markov.weight can't be True"),
        (["--set", "markov.weight=null"], "markov.weight can't be None"),
        (["--set", "markov.weight=NaN"], "markov.weight can't be nan"),
        (["--set", "markov.magic=1"], "no setting 'magic'; it has weight, days"),
        (["--set", "ease.penalty=3"], "ease.penalty is a setting of ease, which is not compared"),
        (["--set", "train.epochs=3"], "a setting of our network, which is not compared"),
        (["--methods", "+gnn", "--set", "train.epochs=many"], "Setting train.epochs"),
        (["--methods", "+gnn", "--set", "train.magic=1"], "Setting train.magic"),
        (["--methods", "+gnn", "--set", "train.seed=1"], "leave out train.seed"),
        (["--methods", "sasrec", "--set", "sasrec.epochs=2.5"], "sasrec.epochs can't be 2.5"),
        (["--methods", "sasrec", "--set", "sasrec.epochs=0"], "sasrec.epochs can't be 0"),
        (["--reference", "/"], "/ can't be written"),
    ],
)
def test_a_mistake_is_refused_before_anything_starts(
    ref: str, monkeypatch: pytest.MonkeyPatch, given: list[str], said: str
) -> None:
    monkeypatch.setattr(comparing, "work", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr(tuning, "tune", lambda *_, **__: pytest.fail("it tuned"))
    given = given if "--methods" in given else ["--methods", "markov,popularity", *given]
    budget = [] if "--budget" in given else ["--budget", "1"]
    code, _, err = call("compare", ref, *given, *budget)
    assert code == 2 and said in " ".join(err.split()), err
    assert verbs.comparisons() == [], "nothing dead is left"


def test_what_may_be_null_may_be_set_so_and_names_twice_count_once(ref: str) -> None:
    with pytest.raises(schema.DataError, match="A budget of nan minutes can't be"):
        verbs.plan(ref, ["markov"], budget=float("nan"))
    made = verbs.plan(
        ref, ["markov", "markov", "popularity"], ["R1", "R1"],
        given={"markov": {"days": None, "weight": 7}},
    )  # fmt: skip
    assert [(c.protocol, c.method) for c in made.cells] == [("R1", "markov"), ("R1", "popularity")]
    assert made.cells[0].settings == {"days": None, "weight": 7}


def test_options_beside_the_name_of_a_comparison_are_refused(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = verbs.plan(ref, ["popularity"])
    with monkeypatch.context() as patch:
        patch.setattr(comparing, "work", lambda *_: pytest.fail("it began"))
        code, _, err = call("compare", made.name, "--seeds", 5, "--set", "ease.penalty=3")
        assert code == 2 and "leave out --seeds, --set" in err
    code, _, err = call("compare", made.name, "--metric", "hr@3", "--json")
    assert code == 0, err


def test_several_snapshots_are_measured_one_after_the_other_and_tabled(
    ref: str, small_dataset: schema.Dataset, tmp_path: Path
) -> None:
    info = replace(small_dataset.info, name="other", ks=(2, 5))
    other = snapshots.write(replace(small_dataset, info=info)).ref
    file = tmp_path / "table.csv"
    code, _, err = call("compare", f"{ref},nosuch", "--methods", "popularity")
    assert code == 2 and "'nosuch' is not a snapshot" in err and verbs.comparisons() == []
    code, _, err = call("compare", f"{ref},{other}", "--methods", "popularity", "--metric", "hr@3")
    assert code == 2 and "'hr@3' is unknown" in err and verbs.comparisons() == []
    how = ("--methods", "popularity,markov", "--reference", file, "--json")
    code, out, err = call("compare", f"{ref}, {other},{ref}", *how)
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])["comparisons"]
    assert [(c["done"], c["of"], len(c["summary"])) for c in told] == [(2, 2, 2)] * 2
    code, _, err = call("report", file, "--out", tmp_path / "table.md")
    assert code == 0, err
    written = (tmp_path / "table.md").read_text()
    assert {f"## {small_dataset.info.name}", "## other"} <= set(written.splitlines())
    assert "| NDCG@3 |" in written and "| NDCG@2 |" in written
    code, _, err = call("report", tmp_path / "none.csv", "--out", tmp_path / "table.md")
    assert code == 2 and "none.csv can't be read" in err


def test_committed_figures_are_measured_again_with_their_own_settings(
    ref: str, small_dataset: schema.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    how = ("--as-reference", "--reference", tmp_path / "reference.csv", "--seeds", 1, "--json")
    code, _, err = call("compare", ref, "--methods", "markov", *how)
    assert code == 2 and "no committed figures of markov on small under R2" in err
    cells = (
        verbs.Cell(ref, "R2", "markov", 0, {"days": None, "weight": 7.5}),
        verbs.Cell(ref, "R2", "+gnn", 0, {"model": {"width": 8}, "train": {"epochs": 1}}, "quick"),
    )
    verbs.run(first := verbs.Comparison("first", cells, ""), apart=False)
    verbs.refer(first, tmp_path / "reference.csv")
    code, _, err = call("compare", ref, "--methods", "markov", *how, "--budget", 1)
    assert code == 2 and "leave out --budget" in err
    before = published.reference()
    code, _, err = call("compare", ref, "--methods", "markov,+gnn", *how, "--preset", "best")
    assert code == 0, err
    (made,) = verbs.comparisons()
    found = {c.method: (c.settings, c.preset) for c in made.cells}
    assert found == {c.method: (c.settings, c.preset) for c in cells}
    pd.testing.assert_frame_equal(before, published.reference())


def test_every_method_named_is_tuned(ref: str) -> None:
    code, out, err = call("tune", ref, "markov,itemcf", "--trials", 1)
    assert code == 0, err
    assert [line.partition(":")[0] for line in out.splitlines()] == ["markov", "itemcf"]
    code, out, _ = call("tune", ref, "markov,repeat", "--trials", 1, "--json")
    assert list(json.loads(out.splitlines()[-1])["settings"]) == ["markov", "repeat"]
    for name in ("markov", "itemcf", "repeat"):
        assert tuning.tuned(ref, "R2", name) is not None


def test_a_report_that_can_not_be_written_is_told_in_a_sentence(ref: str, tmp_path: Path) -> None:
    made = verbs.plan(ref, ["popularity"])
    verbs.run(made, apart=False)
    code, _, err = call("report", made.name, "--out", tmp_path / "nodir" / "x.md")
    assert code == 2 and "x.md can't be written (No such file or directory)" in err


def test_backtest_refuses_an_unknown_metric_before_it_learns(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "backtest", lambda *_: pytest.fail("it learned"))
    code, _, err = call("backtest", ref, "--metric", "zzz")
    assert code == 2 and "Metric 'zzz' is unknown; choose one of" in err
    code, _, err = call("backtest", ref, "--seed", -1)
    assert code == 2 and "'--seed'" in err


def test_names_of_metrics_are_those_that_are_measured(small_dataset: schema.Dataset) -> None:
    from finrec.baselines.popularity import Popularity

    found = asof.backtest(
        small_dataset, lambda cut: Popularity().fit(cut.test, cut), asof.months(small_dataset, 1)
    )
    assert metrics.names(small_dataset.info.ks) == found["metric"].tolist()
