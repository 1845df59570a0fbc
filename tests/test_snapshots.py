"""Snapshots: whole or not at all, compared, deleted, erased from with proof, pseudonymous."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from finrec import config, schema, snapshots
from finrec.schema import DataError, Dataset, DatasetInfo, Staged
from finrec.snapshots import pseudonyms, querying
from finrec.snapshots.compare import psi

INFO = DatasetInfo("tiny", "Tiny")


def tiny(people: int = 3, **changes: pd.DataFrame) -> Dataset:
    """Customer cust-1 … with an attribute each, one event each, and links in a ring."""
    ids = [f"cust-{i}" for i in range(1, people + 1)]
    tables = {
        "customers": pd.DataFrame({"customer_id": ids, "age": np.arange(20.0, 20.0 + people)}),
        "products": pd.DataFrame(
            {"product_id": ["p1", "p2"], "name": ["One", "Two"], "description": ["", ""]}
        ),
        "events": pd.DataFrame(
            {
                "customer_id": ids,
                "product_id": "p1",
                "time": pd.to_datetime("2024-01-01") + pd.to_timedelta(range(people), "D"),
                "kind": "acquired",
                "amount": 1.0,
                "order": range(people),
                "basket": [f"b{i}" for i in range(people)],
            }
        ),
        "links": pd.DataFrame(
            {"source": ids, "target": ids[1:] + ids[:1], "kind": "family", "weight": 1.0}
        ),
        "candidates": pd.DataFrame(
            {"basket": [f"b{i}" for i in range(people)], "product_id": "p2"}
        ),
    }
    return Dataset(INFO, **{**tables, **changes})


def staged(dataset: Dataset, folder: Path) -> Staged:
    folder.mkdir(exist_ok=True)
    for name, frame in dataset.tables().items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return Staged(dataset.info, folder, {"rows_in": 3, "loaded": 3, "rejected": 0})


def test_a_snapshot_reads_back_and_tells_its_lineage() -> None:
    made = snapshots.write(tiny(), {"files": ["a.csv"]}, {"receipt.json": b"{}"})
    again = snapshots.write(tiny(), {"files": ["b.csv"]})
    assert again == made, "the same content is one snapshot"
    assert made.lineage["files"] == ["a.csv"] and made.lineage["who"]
    assert made.attachments == ("receipt.json",)
    assert (made.path / "receipt.json").read_bytes() == b"{}"
    found = snapshots.find("tiny").load()
    pd.testing.assert_frame_equal(found.customers, tiny().customers)
    assert found.candidates is not None and len(found.candidates) == 3
    assert [s.ref for s in snapshots.snapshots()] == [made.ref]


def test_staged_tables_make_the_same_promises(tmp_path: Path) -> None:
    made = snapshots.write(staged(tiny(), tmp_path / "a"))
    assert made.lineage["receipt"]["rows_in"] == 3
    assert made.rows["events"] == 3 and len(made.load().links) == 3
    bad = {
        "stands twice": {"customers": pd.DataFrame({"customer_id": ["a", "a"]})},
        "must be text": {"customers": pd.DataFrame({"customer_id": [1]})},
        "product 'p1' is not": {"products": tiny().products.iloc[1:]},
        "column time must hold dates": {"events": tiny().events.assign(time="2024")},
        "customer_id is empty in 1 rows": {
            "events": tiny().events.assign(customer_id=["a", None, "b"])
        },
        "links: weight None": {"links": tiny().links.assign(weight=[1.0, np.nan, 0.0])},
        "links: weight -1.0": {"links": tiny().links.assign(weight=-1.0)},
        "has no column kind": {"events": tiny().events.drop(columns="kind")},
        "no products": {"products": tiny().products.iloc[:0], "events": tiny().events.iloc[:0]},
    }
    for number, (says, change) in enumerate(bad.items()):
        with pytest.raises(DataError, match=says):
            snapshots.write(staged(tiny(**change), tmp_path / str(number)))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no table customers"):
        snapshots.write(Staged(INFO, tmp_path / "none"))
    assert len(snapshots.snapshots()) == 1


def test_unfinished_and_damaged_folders_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    made = snapshots.write(tiny())
    unfinished = made.path.with_name(".writing-x")
    unfinished.mkdir()
    (unfinished / "snapshot.json").write_text((made.path / "snapshot.json").read_text())
    damaged = made.path.with_name("0" * 12)
    damaged.mkdir()
    (damaged / "snapshot.json").write_text('{"info": {')
    assert [s.ref for s in snapshots.snapshots()] == [made.ref]
    assert "passed over" in caplog.text
    os.utime(unfinished, (0, 0))
    snapshots.write(tiny(4))
    assert not unfinished.exists(), "what a killed process left is swept away"
    with pytest.raises(DataError, match="not a readable snapshot"):
        snapshots.read(damaged)


def test_staging_is_removed_whatever_happens() -> None:
    with pytest.raises(RuntimeError), snapshots.staging() as folder:
        (folder / "x").write_text("x")
        raise RuntimeError
    assert not folder.exists()


def test_a_full_disk_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("finrec.snapshots.store.publish", full)
    with pytest.raises(DataError, match="No space left on device"):
        snapshots.write(tiny())
    assert snapshots.snapshots() == []
    assert list((config.data_dir() / "tiny").iterdir()) == []


def test_a_query_can_read_nothing_else(tmp_path: Path) -> None:
    made = snapshots.write(tiny())
    (tmp_path / "secret.csv").write_text("a\n1\n")
    found = made.query("SELECT age FROM customers WHERE customer_id = ?", ["cust-2"])
    assert found["age"].tolist() == [21.0]
    for sql in (
        f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')",
        f"COPY customers TO '{tmp_path / 'out.csv'}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ):
        with pytest.raises(Exception, match="(?i)permission|disabled|locked|configuration|cannot"):
            made.query(sql)


def test_a_database_that_stays_open_knows_nothing_of_what_is_deleted() -> None:
    made = snapshots.write(tiny())
    asked = "SELECT count(*) AS n FROM customers"
    with ThreadPoolExecutor(8) as many:  # each thread has a connection of its own
        counts = list(many.map(lambda _: int(made.query(asked)["n"].iloc[0]), range(40)))
    assert counts == [made.rows["customers"]] * 40
    lengths, values = made.lists("SELECT [1, 2] UNION ALL SELECT [7]")
    assert sorted(lengths.tolist()) == [1, 2] and sorted(values.tolist()) == [1, 2, 7]
    snapshots.delete(made)
    with pytest.raises(duckdb.Error):
        made.query(asked)
    for n in range(querying.KEPT + 2):
        snapshots.write(tiny(n + 4)).query(asked)
    assert len(querying._open) <= querying.KEPT
    assert snapshots.write(tiny()).query(asked)["n"].tolist() == [made.rows["customers"]]


def test_delete_and_find() -> None:
    first, second = snapshots.write(tiny()), snapshots.write(tiny(4))
    with pytest.raises(DataError, match="is not a snapshot"):
        snapshots.find("nothing")
    snapshots.delete(first)
    assert [s.ref for s in snapshots.snapshots()] == [second.ref]
    assert not first.path.exists()
    with pytest.raises(DataError):
        snapshots.delete(first)


def test_psi_by_hand() -> None:
    same = np.array([0.5, 0.5])
    assert psi(same, same) == 0
    by_hand = (0.75 - 0.5) * np.log(0.75 / 0.5) + (0.25 - 0.5) * np.log(0.25 / 0.5)
    assert psi(same, np.array([0.75, 0.25])) == pytest.approx(by_hand)
    assert np.isfinite(psi(np.array([1.0, 0.0]), np.array([0.0, 1.0])))


def test_compare_finds_people_and_drift() -> None:
    rng = np.random.default_rng(0)
    n = 2_000
    ids = [f"c{i}" for i in range(n)]
    before = pd.DataFrame(
        {
            "customer_id": ids,
            "age": rng.normal(40, 10, n),
            "income": rng.normal(0, 1, n),
            "region": rng.choice(["north", "south"], n),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, n), "D"),
        }
    )
    after = before.assign(
        age=before["age"] + 15,
        region=np.where(np.arange(n) < n // 4, None, before["region"]),
        customer_id=[*ids[:-2], "new1", "new2"],
    )
    events = tiny().events.iloc[:0].astype({"customer_id": "str", "product_id": "str"})
    pair = [
        snapshots.write(tiny(customers=c.astype({"customer_id": "str"}), events=events))
        for c in (before, after)
    ]
    found = snapshots.compare(*pair)
    assert (found.new.tolist(), found.lost.tolist()) == (
        ["new1", "new2"],
        [f"c{n - 2}", f"c{n - 1}"],
    )
    assert found.kept == n - 2
    drift = found.drift.set_index("column")
    assert drift.loc["age", "verdict"] == "changed" and drift.loc["income", "psi"] == 0
    assert drift.loc["joined", "psi"] == 0
    assert drift.loc["region", "missing_after"] == pytest.approx(0.25)
    assert found.drift["psi"].is_monotonic_decreasing
    sums = found.bins.groupby(["table", "column"])[["before", "after"]].sum()
    assert np.allclose(sums, 1)
    parts = found.bins[found.bins["column"] == "age"]
    assert psi(parts["before"].to_numpy(), parts["after"].to_numpy()) == pytest.approx(
        drift.loc["age", "psi"]
    )


def test_erase_rewrites_flags_and_proves() -> None:
    first = snapshots.write(
        tiny(),
        attachments={"rejected.csv": b'row,reason,line\r\n3,"no date","cust-2;x"\r\n4,bad,y\r\n'},
    )
    second = snapshots.write(tiny(2))
    other = snapshots.write(replace(tiny(), info=replace(INFO, name="other")))
    run = config.models_dir() / "run-1"
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"snapshot": first.ref}))
    for name, begun in (("run-2", "run-1"), ("run-0", "run-2"), ("run-3", ""), (".writing-x", "")):
        folder = config.models_dir() / name
        folder.mkdir()
        ref = first.ref if name == ".writing-x" else "elsewhere@0"
        told = {"snapshot": ref, "train": {"start_from": begun}}
        (folder / "config.json").write_text(json.dumps(told))
    assert len(snapshots.mentions("cust-2")[1]) >= 6
    done = snapshots.erase("cust-2")
    assert {old for old, _, _ in done.rewritten} == {first.ref, second.ref, other.ref}
    assert {old: n for old, _, n in done.rewritten}[first.ref] == 4
    assert done.runs == ("run-1", "run-2", "run-0"), "and those that began with it"
    assert done.proven and done.scanned > 10
    assert snapshots.mentions("cust-2")[1:] == ((), ())
    flag = json.loads((run / "flags.json").read_text())[0]
    assert flag["snapshot"] == first.ref and "train it again" in flag["message"]
    successor = snapshots.find(first.ref)
    assert successor.ref != first.ref, "an old name leads to the successor"
    kept = successor.load()
    assert kept.customers["customer_id"].tolist() == ["cust-1", "cust-3"]
    assert kept.links[["source", "target"]].to_numpy().tolist() == [["cust-3", "cust-1"]]
    assert kept.candidates is not None
    assert kept.candidates["basket"].tolist() == ["b0", "b2"], "what was offered to them too"
    rejected = (successor.path / "rejected.csv").read_text()
    assert "cust-2" not in rejected and "4,bad,y" in rejected
    with pytest.raises(DataError, match="knows that customer"):
        snapshots.erase("cust-2")


def test_erase_says_where_it_may_not_write() -> None:
    snapshots.write(tiny())
    inbox = config.data_dir() / "inbox"
    inbox.mkdir()
    (inbox / "old.csv").write_text("customer\ncust-1\n")
    (inbox / "packed.zip").write_bytes(b"PK")
    done = snapshots.erase("cust-1")
    assert done.left == ("data/inbox/old.csv",) and done.unread == ("data/inbox/packed.zip",)
    assert not done.proven


def test_a_short_id_is_not_found_in_everything() -> None:
    frame = tiny(3).customers.assign(customer_id=["1", "2", "3"]).astype({"customer_id": "str"})
    events = tiny(3).events.assign(customer_id=["1", "2", "3"]).astype({"customer_id": "str"})
    snapshots.write(tiny(customers=frame, events=events))
    (config.data_dir() / "tiny" / "log.jsonl").write_text('{"epoch": 2, "customer": "3"}\n')
    assert snapshots.erase("2").proven
    assert not snapshots.erase("3").proven, "the log names customer 3"


def test_erasing_does_not_disturb_the_rest() -> None:
    made = snapshots.write(tiny(3))
    snapshots.erase("cust-2")
    kept = snapshots.find(made.ref).load()
    expected = tiny(3).events.drop(1).reset_index(drop=True)
    pd.testing.assert_frame_equal(kept.events, expected, check_dtype=False)


def test_pseudonyms_hide_ids_everywhere_the_same(tmp_path: Path) -> None:
    key = pseudonyms.read_key(tmp_path / "k" / "key")
    extra = {"trades": pd.DataFrame({"customer_id": ["cust-1"], "x": [1]})}
    hidden = schema.validated(snapshots.pseudonymised(replace(tiny(), extra=extra), key))
    text = " ".join(frame.to_csv() for frame in hidden.tables().values())
    assert "cust-" not in text
    first = hidden.customers["customer_id"].iloc[0]
    assert len(first) == 24 and hidden.customers["customer_id"].is_unique
    assert hidden.events["customer_id"].iloc[0] == first
    assert hidden.links["source"].iloc[0] == first == hidden.extra["trades"]["customer_id"].iloc[0]
    assert pseudonyms.pseudonym("cust-1", key) == first
    assert pseudonyms.pseudonym("cust-1", b"x" * 32) != first


def test_the_key_is_private_and_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys" / "key"
    monkeypatch.setenv(pseudonyms.KEY_FILE, str(file))
    key = pseudonyms.read_key()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert pseudonyms.read_key() == key and len(key) == 32
    file.chmod(0o644)
    with pytest.raises(DataError, match="chmod 600"):
        pseudonyms.read_key()
    file.chmod(0o600)
    file.write_text("00")
    with pytest.raises(DataError, match="cut short"):
        pseudonyms.read_key()
    with pytest.raises(DataError, match="beside what it protects"):
        pseudonyms.read_key(config.data_dir() / "key")


def test_quality_is_checked_and_told() -> None:
    people = [f"c{i}" for i in range(100)]
    ages = np.r_[np.full(98, 40.0) + np.arange(98) % 7, 900.0, np.nan]
    customers = pd.DataFrame({"customer_id": people, "age": ages, "city": ["x", None] * 50})
    rows = [("c0", "p1", "2024-01-01", 1.0)] * 2 + [("c1", "p1", "2099-01-01", -1.0)]
    rows += [(f"c{i}", "p1", "2024-02-02", np.nan) for i in range(2, 50)]
    events = pd.DataFrame(rows, columns=["customer_id", "product_id", "time", "amount"])
    events = events.assign(time=pd.to_datetime(events["time"]), kind="acquired", order=range(51))
    made = snapshots.write(tiny(customers=customers, events=events, candidates=None))  # type: ignore[arg-type]
    found = snapshots.quality(made.path, "2026-01-01")
    age = found.columns.set_index("column").loc["age"]
    assert (age["type"], age["outliers"], age["max"]) == ("number", 1, 900)
    assert age["missing"] == pytest.approx(0.01)
    figures = found.figures
    assert figures["cold_customers"] == 50 and figures["products_without_events"] == 1
    assert figures["sparsity"] == pytest.approx(1 - 50 / 200)
    assert (figures["repeated_events"], figures["future_events"]) == (1, 1)
    assert (figures["negative_amounts"], figures["unknown_amounts"]) == (1, 48)
    assert figures["gini"] == pytest.approx(0.5) and figures["largest_product_share"] == 1
    told = " ".join(found.findings)
    assert "city is unknown in 50.0% of rows" in told and "Ages reach from 40 to 900" in told
    assert "1 event is dated after today." in told and "1 event repeats an event" in told
    assert "50 customers have no event." in told and "1 product has no event." in told
    assert json.loads(json.dumps(found.to_json()))["figures"]["events"] == 51
