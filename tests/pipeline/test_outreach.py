"""Offers from a trained run, through the policy, into records and back into training."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from finrec import pipeline, presets, records, snapshots
from finrec.datasets import demo
from finrec.pipeline import custody, foretold, outreach, standing
from finrec.schema import FOLD, DataError, PolicyError
from finrec.serving import rerank
from finrec.split import split

TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}


@pytest.fixture(scope="module")
def bank(shared_home):
    """A small bank and a tiny model of it, loaded."""
    snapshot = snapshots.write(demo.generate(3, 300, 100, 900), {"source": "tests", "files": []})
    settings = presets.settings(
        snapshot.info, snapshot.ref, "quick", "baseline", 0, "cpu", TINY, {"epochs": 2}
    )
    return pipeline.load(pipeline.train(settings).id)


@pytest.fixture(autouse=True)
def fresh(shared_home):
    """No records, no policy and no batches of an earlier test."""
    for name in ("records.duckdb", "policy.toml"):
        (shared_home / "data" / name).unlink(missing_ok=True)
    yield
    for one in outreach.batches():
        outreach.delete_batch(one.name)


def in_force(**changes):
    text = outreach.default_policy_text()
    for key, value in changes.items():
        line = next(x for x in text.splitlines() if x.startswith(f"{key} ="))
        text = text.replace(line, f"{key} = {value}")
    return outreach.save_policy(text, "tests")


def test_products_of_unknown_families_do_not_saturate_each_other(bank, monkeypatch):
    def value(saturation, family):
        in_force(saturation=saturation)
        every = np.full(len(bank.catalogue), family, dtype=object)
        monkeypatch.setattr(standing, "families", lambda *_: every)
        return standing.stand(bank, [str(i) for i in bank.training.ids[:40]]).value

    np.testing.assert_array_equal(value("0.5", ""), value("1.0", ""))
    assert (value("0.5", "loan") < value("1.0", "loan")).any()


def test_offers_stand_behind_the_policy_and_say_their_chances(bank):
    in_force(right="0.0")
    found = outreach.offers(bank, "C00001", 5)
    assert len(found.frame) == 5 and found.nothing == ""
    assert found.frame["probability"].is_monotonic_decreasing
    assert (found.frame["take_up"] <= found.frame["probability"]).all()
    assert (found.frame["state"] != "blocked").all()
    for product, state in zip(found.frame["product_id"], found.frame["state"], strict=True):
        assert outreach.verdict(bank, "C00001", product).state == state
    first = found.frame["product_id"].iloc[0]
    outreach.record("not_suitable", "C00001", first, bank, reason_code="too_long")
    again = outreach.offers(bank, "C00001", 5)
    assert first not in set(again.frame["product_id"]), "a refusal rests"
    assert "cooling_off_not_suitable" in {
        r.code for r in outreach.verdict(bank, "C00001", first).reasons
    }
    outreach.undo(records.find(kinds=("not_suitable",))["id"].iloc[0])
    assert first in set(outreach.offers(bank, "C00001", 5).frame["product_id"])
    with pytest.raises(DataError, match="no reason for not_suitable"):
        outreach.record("not_suitable", "C00001", first, bank, reason_code="nonsense")


def test_lists_weigh_worth_and_variety_as_the_policy_says(bank):
    def types(found):
        table = bank.catalogue.table.set_index("product_id")
        return table.loc[found.frame["product_id"], "type"].nunique()

    in_force(right="0.0")
    plain = outreach.offers(bank, "C00003", 6)
    text = outreach.policy_text()
    outreach.save_policy(text.replace("variety = 0.0 ", "variety = 1.0 "))
    varied = outreach.offers(bank, "C00003", 6)
    assert types(varied) > types(plain) or types(plain) == 6
    assert varied.frame["product_id"].iloc[0] == plain.frame["product_id"].iloc[0]
    outreach.save_policy(text.replace("\nvalue = 0.0 ", "\nvalue = 1.0 "))
    assert outreach.offers(bank, "C00003", 6).frame["value"].is_monotonic_decreasing


def test_abstention_says_why_there_is_no_offer(bank):
    in_force(right="0.99")
    found = outreach.offers(bank, "C00001", 3)
    assert found.nothing.startswith("No offer today") and len(found.frame) == 3


def test_what_the_policy_keeps_back_is_recorded_with_its_rule(bank):
    in_force(min_age="85")
    ids = sorted(bank.known)[:20]
    young = (bank.dataset.customers.set_index("customer_id")["age"] < 85)[ids]
    assert outreach.record_exclusions(bank, ids, 3) == 3 * int(young.sum())
    found = outreach.find_records(kinds=("excluded",))
    assert set(found["customer_id"]) == set(young.index[young])
    assert (found["note"].str.len() > 0).all()
    assert all("too_young" in json.loads(d)["rules"] for d in found["detail"])


def test_a_policy_is_checked_before_it_is_in_force_and_signed_off(bank):
    with pytest.raises(PolicyError):
        outreach.save_policy("title = 1")
    assert outreach.policy().title == "Built-in policy"
    outreach.save_policy('title = "Ours"', "Ann", "reviewed")
    assert outreach.policy().title == "Ours" and outreach.policy_text() == 'title = "Ours"'
    assert "consent of customers: the policy names no column, not checked." in (
        outreach.not_checked(bank.snapshot.ref)
    )
    outreach.reset_policy("Ann")
    told = outreach.not_checked(bank.snapshot.ref)
    assert told == outreach.gate(bank, ["C00001"]).not_checked
    assert any("risk tolerance" in t for t in told) and not any("income" in t for t in told)
    assert outreach.policy().title == "Built-in policy"
    found = outreach.find_records(kinds=("signed_off",))
    assert list(found["who"]) == ["Ann", "Ann"] and found["note"].iloc[1] == "reviewed"


def test_the_book_orders_calls_and_leaves_out_who_rests(bank):
    in_force(right="0.0", call_cost="0.0")
    found = outreach.book(bank, limit=1000)
    assert found.considered == 300 and found.nothing == ""
    assert found.frame["priority"].is_monotonic_decreasing
    assert found.frame["customer_id"].is_unique and (found.frame["reason"] != "").all()
    first, second, third = found.frame["customer_id"].iloc[:3]
    later = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    outreach.record("snoozed", first, run=bank, detail={"until": later})
    outreach.record("done", second, run=bank)
    outreach.record("snoozed", third, run=bank, detail={"until": "2020-01-01"})
    again = outreach.book(bank, limit=1000)
    assert again.resting == 2
    assert not {first, second} & set(again.frame["customer_id"])
    assert third in set(again.frame["customer_id"])
    assert set(outreach.book(bank, [third]).frame["customer_id"]) == {third}
    in_force(right="0.0", call_cost="1e9")
    empty = outreach.book(bank)
    assert empty.frame.empty and "Nothing is worth a call today" in empty.nothing


def test_a_campaign_from_plan_to_outcome(bank, tmp_path):
    women = outreach.segment(bank, {"gender": ("female",)}, {"age": (30, 60)})
    table = bank.dataset.customers.set_index("customer_id").loc[women]
    assert (table["gender"] == "female").all() and table["age"].between(30, 60).all()
    plan = outreach.plan(bank, ["P034", "P054"], women, {"P034": 10, "P054": 5}, total=12)
    assert plan.optimal and len(plan.frame) == 12
    assert plan.frame["customer_id"].is_unique and set(plan.frame["customer_id"]) <= set(women)
    assert set(plan.frame["state"]) <= {"ok", "warn"}
    for one in plan.frame.itertuples():
        said = outreach.verdict(bank, one.customer_id, one.product_id)
        assert one.state == said.state
        assert set(one.rules.split(".")) == set(
            " ".join(r.sentence for r in said.reasons).split(".")
        )
    assert plan.frame["reason"].str.match(r"Likelier to take .* than \d+% of the segment").all()
    assert not plan.frame["reason"].str.contains("100%").any(), "nobody is likelier than all"
    assert plan.forecast.expected == pytest.approx(plan.frame["take_up"].sum())
    told = []
    again = outreach.plan(
        bank, ["P034", "P054"], women, {"P034": 10, "P054": 5}, total=12,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told[-1] == (len(women), len(women)) and again.frame.equals(plan.frame)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outreach.plan(bank, ["P034"], women, progress=stop)
    poor = outreach.plan(bank, ["P034", "P054"], women, 10, total=12, least={"P034": 6, "P054": 6})
    assert poor.frame["product_id"].value_counts().to_dict() == {"P034": 6, "P054": 6}
    outreach.export_campaign(plan, tmp_path / "list.csv", "Ann")
    assert outreach.save_campaign(plan, "spring", "Ann") == 12
    with pytest.raises(DataError, match="already"):
        outreach.save_campaign(plan, "spring")
    (told,) = outreach.campaigns().to_dict("records")
    assert told["offers"] == 12 and told["expected"] == pytest.approx(plan.forecast.expected)
    for row in plan.frame.head(3).itertuples():
        outreach.record("accepted", row.customer_id, row.product_id, bank, campaign="spring")
    outreach.record("declined", plan.frame["customer_id"].iloc[3],
                    plan.frame["product_id"].iloc[3], bank)  # fmt: skip
    came = outreach.outcome("spring")
    assert (came.planned, came.made, came.taken) == (12, 4, 3)
    assert came.forecast.expected == pytest.approx(plan.forecast.expected)
    assert came.by_product["planned"].sum() == 12 and came.by_product["taken"].sum() == 3
    assert "above the 90% interval" in came.sentence
    with pytest.raises(DataError, match="no campaign"):
        outreach.outcome("autumn")


def test_the_forecast_is_held_against_what_happened(bank):
    found = outreach.backtest(bank)
    events = bank.dataset.events
    until = found.since + pd.Timedelta(days=found.window)
    later = events[(events["time"] >= found.since) & (events["time"] < until)]
    known = set(events.loc[events["time"] < found.since, "customer_id"])
    assert found.happened == len(set(later["customer_id"]) & known)
    assert found.frame["happened"].sum() == found.happened
    assert found.frame["expected"].sum() == pytest.approx(found.total.expected, rel=1e-3)
    inside = found.frame["happened"].between(found.frame["low"], found.frame["high"])
    assert (inside == found.frame["inside"]).all()
    assert found.spread >= 0 and f"{found.happened:,} did" in found.sentence


def test_the_forecast_is_made_with_the_links_between_customers(bank, monkeypatch):
    asked = []
    real = type(bank.scorer).score

    def score(self, customers):
        asked.append(customers.linked)
        return real(self, customers)

    monkeypatch.setattr(type(bank.scorer), "score", score)
    outreach.backtest(bank)
    assert asked and all(linked is not None for linked in asked)
    assert sum(len(linked.products) for linked in asked) > 0


def test_accepted_offers_are_learned_from_and_never_tested_on(bank):
    with pytest.raises(DataError, match="No accepted offer"):
        outreach.with_feedback(bank.snapshot.ref)
    held_out = split(bank.dataset).test.cases.customers.ids
    chosen = [str(held_out[0]), "C00002"]
    for customer in chosen:
        product = outreach.offers(bank, customer, 1).frame["product_id"].iloc[0]
        outreach.record("accepted", customer, product, bank)
    made = outreach.with_feedback(bank.snapshot.ref)
    assert made.ref != bank.snapshot.ref and made.lineage["feedback"]["labels"] == 2
    assert made.lineage["feedback"]["from"] == bank.snapshot.ref
    old, new = split(bank.dataset), split(made.load())
    assert len(made.load().events) == len(bank.dataset.events) + 2
    for fold in ("valid", "test"):
        before = set(old.fold(fold).cases.customers.ids)
        assert set(new.fold(fold).cases.customers.ids) == before - set(chosen)
    for customer in chosen:
        events = made.load().events
        assert (events.loc[events["customer_id"] == customer, FOLD] == "train").all()
    learned = new.test.train
    labels = records.labels(made.ref)
    pairs = pd.MultiIndex.from_frame(learned[["customer_id", "product_id"]])
    assert pd.MultiIndex.from_frame(labels[["customer_id", "product_id"]]).isin(pairs).all()
    last = bank.dataset.events["time"].max()
    assert made.load().events["time"].max() == last + pd.Timedelta(days=1)
    with pytest.raises(DataError, match="in it already"):
        outreach.with_feedback(made.ref)
    retrained = pipeline.train(
        presets.settings(made.info, made.ref, "quick", "baseline", 0, "cpu", TINY, {"epochs": 1})
    )
    assert retrained.settings.snapshot == made.ref


def test_a_run_is_judged_on_what_was_logged(bank):
    with pytest.raises(DataError, match="30 or more"):
        outreach.off_policy(bank)
    in_force(explore="0.5", right="0.0")
    rng = np.random.default_rng(0)
    for number, customer in enumerate(sorted(bank.known)[:80]):
        shown = outreach.offers(bank, customer, 5, seed=number)
        outreach.record_shown(bank, customer, shown)
        chance = (
            0.6 if shown.frame["probability"].iloc[0] == shown.frame["probability"].max() else 0
        )
        if rng.random() < chance:
            outreach.record("accepted", customer, shown.frame["product_id"].iloc[0], bank)
    found = outreach.off_policy(bank.run.id)
    by = {e.method: e for e in found.comparison.estimates}
    assert found.comparison.decisions == 80 and found.left_out == 0
    assert by["as logged"].value < 0.5, "exploration cost something"
    for name in ("IPS", "SNIPS", "DR"):
        assert by[name].low <= 0.6 <= by[name].high
    assert bank.run.id in found.sentence


def test_batch_command_killed_and_resumed_gives_everybodys_offers(bank, monkeypatch):
    from finrec.pipeline import nightly

    in_force(right="0.0")
    monkeypatch.setattr(nightly, "SIZE", 30)
    name = nightly.create_batch(bank, 3, ".csv", "night")
    command = [sys.executable, "-m", "finrec", "batch", "--work", name]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    first.stderr.readline()
    first.kill()
    first.wait()
    first.stderr.close()
    assert outreach.batches()[0].state in ("stopped", "done")
    if outreach.batches()[0].state == "stopped":
        outreach.resume_batch(name)
        until = time.monotonic() + 60
        while outreach.batches()[0].state != "done" and time.monotonic() < until:
            time.sleep(0.2)
    done = outreach.batches()[0]
    assert (done.state, done.done, done.message) == ("done", 300, "")
    frame = pd.read_csv(done.file, dtype={"customer_id": str}, encoding="utf-8-sig")
    assert set(frame["customer_id"]) == bank.known
    one = frame[(frame["customer_id"] == "C00001") & (frame["rank"] > 0)]
    expected = outreach.offers(bank, "C00001", 3).frame
    assert one["product_id"].tolist() == expected["product_id"].tolist()
    assert one["probability"].to_numpy() == pytest.approx(expected["probability"], rel=1e-4)


def test_trade_off_is_measured_on_what_the_run_never_saw(bank):
    frame = outreach.trade_off(bank, 5)
    assert frame["value"].tolist() == [w.value for w in rerank.grid()]
    assert frame["ndcg_loss"].iloc[0] == 0 and frame["front"].any()
    cases = split(bank.dataset).valid.cases
    told = foretold.kept(bank.run)
    assert told is not None and len(told) == len(cases)
    assert told.relevant.tolist() == cases.relevant.tolist()
    first = frame.iloc[0]
    assert first["ndcg@5"] == pytest.approx(bank.run.provenance["valid"], abs=1e-6), (
        "as the network before the refit did on the same cases"
    )
    (bank.run.path / "foretold.safetensors").rename(bank.run.path / "away")
    try:
        with pytest.raises(DataError, match="train it again"):
            outreach.trade_off(bank, 5)
    finally:
        (bank.run.path / "away").rename(bank.run.path / "foretold.safetensors")


def test_erasing_a_customer_empties_records_and_batches(shared_home):
    snapshots.write(demo.generate(9, 60, 20, 200), {"source": "tests", "files": []})
    outreach.record("offered", "C00007", "P001", note="C00007 called")
    outreach.record("offered", "C00008", "P001")
    found = custody.erase("C00007")
    assert found.left == () and records.find(text="C00007").empty
    assert len(records.find(customer="C00008")) == 1
    assert records.verify().broken == ()
    outreach.record("offered", "only-in-records", "P001")
    assert custody.erase("only-in-records").rewritten == ()
    with pytest.raises(DataError):
        custody.erase("nobody-at-all")
