"""Explanations through the verbs: second opinion, why not behind the policy, briefs, exports."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from finrec import __main__ as command_line
from finrec import pipeline, presets, snapshots
from finrec.datasets import demo
from finrec.explain import brief as briefs
from finrec.pipeline import explaining, outreach, reasons
from finrec.schema import DataError

TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}


@pytest.fixture(scope="module")
def bank(shared_home):
    """A small bank and a tiny model of it, loaded."""
    snapshot = snapshots.write(demo.generate(3, 300, 100, 900), {"source": "tests", "files": []})
    settings = presets.settings(
        snapshot.info, snapshot.ref, "quick", "+gnn", 0, "cpu", TINY, {"epochs": 2}
    )
    return pipeline.load(pipeline.train(settings).id)


def busiest(bank, count=3):
    order = np.argsort(-bank.training.lengths, kind="stable")[:count]
    return [str(i) for i in bank.training.ids[order]]


def test_a_second_opinion_holds_together(bank):
    customer = busiest(bank, 1)[0]
    product = str(bank.recommend([customer], 3)["product_id"].iloc[0])
    found = explaining.explain(bank, customer, product)
    told = explaining.second_opinion(bank, customer, product, 3, found)
    assert len(told.events) == len(found.events) and told.complete
    assert {"column", "value", "effect", "gradients"} <= set(told.attributes)
    assert set(told.attributes["column"]) == set(found.attributes["column"])
    assert told.badge.sentence and told.badge.shown_first in ("attention", "effect")
    removed = len(told.counterfactual.places) + len(told.counterfactual.attributes)
    assert len(told.without) == removed
    assert told.counterfactual.verified == (told.counterfactual.rank > 3)
    assert set(told.agreement) == {
        "attention and effect", "gradients and effect", "attention and gradients"
    }  # fmt: skip


def test_why_not_names_the_policys_rules_by_part(bank):
    customers = busiest(bank, 25)
    gate = outreach.gate(bank, customers)
    parts = set()
    for row, customer in enumerate(customers):
        for index in range(0, len(bank.catalogue), 9):
            rules = gate.reasons(row, index)
            if not rules or {r.part for r in rules} <= parts:
                continue
            product = str(bank.catalogue.ids[index])
            found = explaining.why_not(bank, customer, product, 5, with_addition=False)
            parts |= {r.part for r in rules}
            for part in ("eligibility", "suitability"):
                said = {r.sentence for r in rules if r.part == part}
                assert set(getattr(found, part)) == said
            assert not found.offered
    assert "suitability" in parts
    with pytest.raises(DataError, match="no-such"):
        explaining.why_not(bank, customers[0], "no-such")


def test_reason_codes_of_a_campaign_cite_what_exists(bank):
    offers = bank.recommend(busiest(bank, 6), 2)
    seen = []
    table = explaining.reason_codes(bank, offers, progress=lambda *done: seen.append(done))
    assert seen[-1] == (len(offers), len(offers))
    assert table.groupby(["customer_id", "product_id"]).ngroups == len(offers)
    assert table["reason"].between(1, 3).all()
    for row in table.to_dict("records"):
        found = explaining.explain(bank, row["customer_id"], row["product_id"])
        for evidence in row["evidence"].split(";"):
            briefs.opened(found, evidence)
    safe = explaining.reason_codes(bank, offers.head(3), safe=True)
    assert not safe["text"].str.contains("customers who|score").any()
    with pytest.raises(DataError, match="product_id"):
        explaining.reason_codes(bank, offers[["customer_id"]])
    assert json.loads(explaining.codes_file(table, "json"))[0]["code"] == table["code"][0]
    evil = table.head(1).assign(name="=1+1", text="<b>x</b>")
    assert b"'=1+1" in explaining.codes_file(evil, "csv")
    assert b"&lt;b&gt;x" in explaining.codes_file(evil, "html")


def test_topics_of_the_installation_are_never_reasons(bank, shared_home):
    customer = busiest(bank, 1)[0]
    product = str(bank.recommend([customer], 1)["product_id"].iloc[0])
    before = explaining.explain(bank, customer, product)
    columns = [str(c) for c in before.attributes["column"]]
    words = sorted({w for c in columns for w in c.split("_")} | {
        w.strip("(),%.").casefold() for n in before.events["name"] for w in n.split()
    } - {""})  # fmt: skip
    file = shared_home / "data" / "topics.toml"
    file.write_text("everything = " + json.dumps(words), encoding="utf-8")
    try:
        told = explaining.brief(bank, customer, product)
        assert not {s.code for s in told.sentences} & {"event", "attribute"}
    finally:
        file.unlink()


def test_a_brief_is_printed_and_saved(bank):
    customer = busiest(bank, 1)[0]
    product = str(bank.recommend([customer], 1)["product_id"].iloc[0])
    page = explaining.as_html(bank, explaining.brief(bank, customer, product)).decode()
    assert customer in page and "generated" in page and bank.run.id in page
    safe = explaining.as_html(bank, explaining.brief(bank, customer, product, safe=True)).decode()
    assert customer not in safe and bank.run.id not in safe
    found = explaining.explain(bank, customer, product)
    told = json.loads(explaining.as_json(found, explaining.brief(bank, customer, product)))
    assert told["customer"] == customer


def test_a_models_faithfulness_is_measured_once_and_kept(bank):
    assert explaining.faithful(bank.run.id) is None
    told = explaining.measure_faithfulness(bank, 12)
    assert explaining.faithful(bank.run.id) == told
    assert [m["method"] for m in told["methods"]] == ["attention", "effect", "gradients"]
    assert told["customers"] <= 12 and told["sentence"]
    assert len(snapshots.snapshots()) == 1  # what is kept is not taken for data
    assert pd.DataFrame(told["methods"])["area"].notna().all()


@pytest.fixture
def campaign(bank, shared_home):
    """A small campaign, saved."""
    (shared_home / "data" / "records.duckdb").unlink(missing_ok=True)
    products = [str(p) for p in bank.catalogue.ids[:6]]
    plan = outreach.plan(bank, products, sorted(bank.known)[:40], budgets=2, strictest="blocked")
    assert outreach.save_campaign(plan, "Autumn") >= 4
    yield plan
    (shared_home / "data" / "records.duckdb").unlink(missing_ok=True)


def test_reason_codes_of_a_saved_campaign_cover_every_offer(bank, campaign, tmp_path):
    seen = []
    found = reasons.campaign_reasons("Autumn", progress=lambda done, of: seen.append((done, of)))
    pairs = set(zip(campaign.frame["customer_id"], campaign.frame["product_id"], strict=True))
    assert found.run == bank.run.id and found.offers == len(pairs) and found.gone == 0
    assert set(zip(found.frame["customer_id"], found.frame["product_id"], strict=True)) == pairs
    assert seen[-1] == (len(pairs), len(pairs))
    alone = explaining.reason_codes(bank, campaign.frame[:1])
    mine = found.frame[found.frame["customer_id"] == campaign.frame["customer_id"][0]]
    assert mine["text"].tolist() == alone["text"].tolist()
    reasons.write(found, tmp_path / "why.csv")
    read = pd.read_csv(tmp_path / "why.csv", dtype=str)
    assert read["customer_id"].tolist() == found.frame["customer_id"].tolist()
    reasons.write(found, tmp_path / "why.json")
    assert len(json.loads((tmp_path / "why.json").read_text())) == len(found.frame)
    gone = outreach.find_records(kinds=("exported",))
    assert sorted(json.loads(d)["file"] for d in gone["detail"]) == ["why.csv", "why.json"]


def test_reason_codes_ask_for_a_campaign_and_a_kind_of_file_that_exist(bank, campaign, tmp_path):
    with pytest.raises(DataError, match="no campaign 'Winter'; saved are: Autumn"):
        reasons.campaign_reasons("Winter")
    found = reasons.campaign_reasons("Autumn", safe=True, recommender=bank)
    with pytest.raises(DataError, match="ends in .csv, .json, .html"):
        reasons.write(found, tmp_path / "why.docx")
    with pytest.raises(DataError, match="does not exist"):
        reasons.write(found, tmp_path / "nowhere" / "why.csv")


def test_offers_to_customers_no_longer_here_are_left_out_and_counted(bank, campaign, monkeypatch):
    absent = str(campaign.frame["customer_id"][0])
    fewer = SimpleNamespace(run=bank.run, catalogue=bank.catalogue, known=bank.known - {absent})
    kept = []
    monkeypatch.setattr(
        reasons.explaining, "reason_codes", lambda r, offers, safe, tell: kept.append(offers)
    )
    found = reasons.campaign_reasons("Autumn", recommender=fewer)
    theirs = int((campaign.frame["customer_id"] == absent).sum())
    assert found.gone == theirs and absent not in set(kept[0]["customer_id"])
    assert f"{theirs} left out" in found.sentence


def test_reason_codes_by_command(bank, campaign, tmp_path, monkeypatch, capsys):
    file = tmp_path / "why.csv"
    monkeypatch.setattr("sys.argv", ["finrec", "reasons", "Autumn", "--out", str(file), "--json"])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["offers"] == len(campaign.frame) and told["rows"] == len(pd.read_csv(file))
