"""Policy, campaign, batch, records and trade-off from the command line."""

import json
import sys

import pandas as pd
import pytest

from finrec import __main__ as command_line
from finrec import pipeline, presets, snapshots
from finrec.datasets import demo
from finrec.pipeline import outreach

TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}


@pytest.fixture(scope="module")
def run(shared_home):
    snapshot = snapshots.write(demo.generate(5, 200, 50, 600), {"source": "tests", "files": []})
    settings = presets.settings(
        snapshot.info, snapshot.ref, "quick", "baseline", 0, "cpu", TINY, {"epochs": 1}
    )
    return pipeline.train(settings).id


@pytest.fixture
def finrec(monkeypatch, capsys):
    """Run the command line; returns exit code, stdout and stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["finrec", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call


def last(said):
    return json.loads(said.strip().splitlines()[-1])


def test_policy_is_checked_shown_saved_and_reset(finrec, run, tmp_path):
    code, out, _ = finrec("policy", "default")
    assert code == 0
    own = tmp_path / "own.toml"
    own.write_text(out.replace('"Built-in policy"', '"Ours"'))
    assert last(finrec("policy", "check", own, "--json")[1])["title"] == "Ours"
    assert last(finrec("policy", "check", "--json")[1])["title"] == "Built-in policy"
    assert last(finrec("policy", "save", own, "--json")[1])["title"] == "Ours"
    assert '"Ours"' in finrec("policy", "show")[1]
    own.write_text('title = "Ours"\n[eligibility]\nmin_age = "x"\n')
    code, _, err = finrec("policy", "save", own)
    assert code == 2 and err.startswith("Error: own.toml, line 3, eligibility.min_age")
    assert finrec("policy", "reset", "--json")[0] == 0
    assert last(finrec("policy", "check", "--json")[1])["title"] == "Built-in policy"


def test_campaign_is_planned_saved_exported_and_compared(finrec, run, tmp_path):
    file = tmp_path / "list.csv"
    code, out, _ = finrec(
        "campaign", run, "--product", "P001", "--where", "gender=female", "--budget", 7,
        "--save", "spring", "--out", file, "--json",
    )  # fmt: skip
    found = last(out)
    assert code == 0 and found["offers"] == 7 and found["optimal"] is True
    assert len(pd.read_csv(file, encoding="utf-8-sig")) == 7
    assert last(finrec("campaign", "list", "--json")[1])["campaigns"][0]["campaign"] == "spring"
    assert "0 of 7 offers were taken up" in finrec("campaign", run, "--outcome", "spring")[1]
    code, _, err = finrec("campaign", run, "--product", "P999")
    assert code == 2 and "P999" in err
    code, _, err = finrec("campaign", run, "--product", "P001", "--where", "colour=red")
    assert code == 2 and "no column 'colour'" in err


def test_batch_writes_everybodys_offers(finrec, run):
    found = last(finrec("batch", run, "-k", 2, "--name", "night", "--json")[1])
    assert (found["state"], found["done"]) == ("done", 200)
    assert pd.read_parquet(found["file"])["customer_id"].nunique() == 200
    assert "night: done, 200 of 200" in finrec("batch", "list")[1]
    assert finrec("batch")[0] == 2
    code, _, err = finrec("batch", "--work", "../else")
    assert code == 2 and "no name of a batch" in err


def test_records_are_found_verified_exported_and_undone(finrec, run, tmp_path):
    outreach.record("accepted", "C00001", "P001", run, snapshot="demo")
    found = last(finrec("records", "C00001", "--kind", "accepted", "--json")[1])["records"]
    assert [r["product_id"] for r in found] == ["P001"]
    file = tmp_path / "records.parquet"
    assert last(finrec("records", "--out", file, "--json")[1])["records"] == len(
        pd.read_parquet(file)
    )
    made = last(finrec("records", "--feedback", "demo", "--json")[1])
    assert made["labels"] == 1 and made["snapshot"].startswith("demo@")
    assert finrec("records", "--undo", found[0]["id"])[0] == 0
    code, out, _ = finrec("records", "--verify")
    assert code == 0 and "All seals hold" in out
    code, _, err = finrec("records", "--off-policy", run)
    assert code == 2 and "30 or more" in err


def test_trade_off_is_listed(finrec, run):
    rows = last(finrec("tradeoff", run, "-k", 3, "--json")[1])["settings"]
    assert rows[0]["ndcg_loss"] == 0 and {"coverage", "ndcg@3", "front"} <= set(rows[0])
