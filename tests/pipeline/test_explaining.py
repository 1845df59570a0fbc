"""Explanations through the verbs: second opinion, why not behind the policy, briefs, exports."""

import json

import numpy as np
import pandas as pd
import pytest

from finrec import pipeline, presets, snapshots
from finrec.datasets import demo
from finrec.explain import brief as briefs
from finrec.pipeline import explaining, outreach
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
