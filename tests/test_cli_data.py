"""The command line on files of one's own: proposed, brought in, compared, deleted, erased."""

import json

import pytest

from finrec import snapshots
from tests.test_cli import call, last_json

HEAD = "client,prod,date,amount"
PRODUCTS = ("Savings", "Card", "Loan", "Fund")


def month(folder, name, customers, broken=0):
    rows = [
        f"C-{i % customers:03d},{PRODUCTS[(i + i // customers) % 4]},2024-{1 + i % 6:02d}-10,{i}"
        for i in range(3 * customers)
    ]
    rows += [",Card,2024-01-10,1"] * broken
    file = folder / name
    file.write_text("\n".join([HEAD, *rows]) + "\n")
    return file


def test_own_files_from_proposal_to_erasure(home, tmp_path):
    first = month(tmp_path, "january.csv", 40, broken=2)
    edited = tmp_path / "mapping.json"
    proposed = last_json("propose", first, "--out", edited)["mapping"]
    assert {c["name"]: c["role"] for c in proposed["tables"][0]["columns"]} == {
        "client": "customer", "prod": "product", "date": "date", "amount": "amount"
    }  # fmt: skip
    assert json.loads(edited.read_text()) == proposed

    auto = last_json("ingest", "uploaded", first, "--auto")
    assert auto["rows_in"] == 122 == auto["loaded"] + auto["rejected"]
    assert auto["rejected"] == 2 == sum(auto["reasons"].values())
    assert auto["mapping"]["tables"][0]["kind"] == "events"
    again = last_json("ingest", "uploaded", first, "--mapping", edited)
    assert again["snapshot"] == auto["snapshot"]

    second = month(tmp_path, "february.csv", 45)
    newer = last_json("ingest", "uploaded", second, "--mapping", edited)["snapshot"]
    found = last_json("drift", auto["snapshot"], newer)
    assert found["new"] == [f"C-{i:03d}" for i in range(40, 45)] and found["lost"] == []
    code, out, _ = call("drift", auto["snapshot"], newer)
    assert code == 0 and "psi" in out

    done = last_json("erase", "C-001", "--yes")
    assert len(done["rewritten"]) == 2 and done["left"] == [] and done["scanned"] > 0
    kept = snapshots.snapshots()
    assert len(kept) == 2
    assert all("C-001" not in set(s.load().events["customer_id"]) for s in kept)
    assert call("delete", kept[0].ref, "--yes")[0] == 0
    assert [s.ref for s in snapshots.snapshots()] == [kept[1].ref]


def test_erasing_reaches_batches_and_records_as_in_the_app(home, tmp_path):
    last_json("ingest", "uploaded", month(tmp_path, "a.csv", 20), "--auto")
    batch = home / "data" / "batches" / "night"
    batch.mkdir(parents=True)
    (batch / "job.json").write_text(
        '{"run": "r", "snapshot": "a@0", "suffix": ".csv", "k": 1, "customers": 2, "size": 2,'
        '"created": "2024-01-01T00:00:00+00:00"}'
    )
    (batch / "results.csv").write_text("customer_id,rank\nC-001,1\nC-002,1\n")
    code, out, _ = call("erase", "C-001", "--yes")
    left = (batch / "results.csv").read_text()
    assert code == 0 and "C-002" in left and "C-001" not in left
    assert "was rewritten without" in out and "None mentions the customer." in out


def test_deleting_asks_first(home, tmp_path, monkeypatch):
    ref = last_json("ingest", "uploaded", month(tmp_path, "a.csv", 20), "--auto")["snapshot"]
    monkeypatch.setattr("typer.confirm", lambda question: False)
    assert call("delete", ref)[0] == 0 and call("erase", "C-001")[0] == 0
    assert [s.ref for s in snapshots.snapshots()] == [ref]
    assert "C-001" in set(snapshots.find(ref).load().events["customer_id"])


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "x"}', '{"tables": 3}'])
def test_a_broken_mapping_is_one_sentence(home, tmp_path, content):
    file = month(tmp_path, "a.csv", 20)
    broken = tmp_path / "broken.json"
    broken.write_text(content)
    code, out, err = call("ingest", "uploaded", file, "--mapping", broken)
    assert code == 2 and "Traceback" not in err and err.startswith("Error: ")
    assert snapshots.snapshots() == []
