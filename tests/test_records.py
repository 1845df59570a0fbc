"""Records: nothing is lost or half written, nothing changes unseen, an erased customer is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pytest

from finrec import records
from finrec.records import database
from finrec.schema import ACQUIRED, DataError
from finrec.serving import export


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FINREC_HOME", str(tmp_path))
    return tmp_path


def entry(**given):
    return {"kind": "offered", "customer_id": "C1", "product_id": "P1", **given}


def add(*rows):
    return records.append(pd.DataFrame(list(rows)))


def test_nothing_recorded_is_an_empty_table_and_makes_no_file():
    assert list(records.find().columns) == [*records.COLUMNS, "undone"]
    assert records.find().empty
    assert records.verify() == records.Verification(0, 0, ())
    assert not records.path().exists()


def test_what_is_appended_is_found_with_its_defaults():
    before = datetime.now(UTC).replace(tzinfo=None)
    assert add(entry(rank=2, propensity=0.25, detail={"b": [1], "a": "ü"})) == 1
    (found,) = records.find().to_dict("records")
    assert found["customer_id"] == "C1" and found["rank"] == 2 and found["propensity"] == 0.25
    assert found["detail"] == '{"a": "\\u00fc", "b": [1]}'
    assert found["who"] and found["id"] and not found["undone"]
    assert before <= found["time"] <= before + timedelta(minutes=1)
    assert pd.isna(found["score"]) and found["campaign"] == ""


def test_search_by_text_kind_time_customer_and_limit():
    old = datetime(2020, 1, 1, tzinfo=UTC)
    add(
        entry(time=old, note="Asked about Gold 100%"),
        entry(customer_id="C2", kind="declined", reason_code="price"),
        entry(customer_id="C10", kind="accepted", campaign="spring"),
    )
    assert list(records.find(text="gold 100%")["customer_id"]) == ["C1"]
    assert list(records.find(text="PRICE")["customer_id"]) == ["C2"]
    assert list(records.find(kinds=("declined", "accepted"))["customer_id"]) == ["C10", "C2"]
    assert list(records.find(since=old + timedelta(1))["customer_id"]) == ["C10", "C2"]
    assert list(records.find(customer="C1")["customer_id"]) == ["C1"]
    assert list(records.find(campaign="spring")["customer_id"]) == ["C10"]
    assert list(records.find(limit=1)["customer_id"]) == ["C10"]
    assert records.find(text="'; DROP TABLE entries; --").empty
    assert len(records.find()) == 3


def test_undoing_adds_an_entry_and_can_not_be_repeated():
    add(entry(kind="accepted"))
    first = records.find()["id"].iloc[0]
    assert records.undo(first, who="Ann") == 1
    found = records.find()
    assert list(found["kind"]) == ["undone", "accepted"]
    assert list(found["undone"]) == [False, True]
    for which in (first, found["id"].iloc[0], "nonsense"):
        with pytest.raises(DataError):
            records.undo(which)
    assert len(records.find()) == 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kind": "sold"}, "kind"),
        ({"customer_id": ""}, "customer_id"),
        ({"probability": 1.5}, "probability"),
        ({"propensity": 0.0}, "propensity"),
        ({"rank": 0}, "rank"),
        ({"note": "x" * 4001}, "note"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(wrong, named):
    with pytest.raises(DataError, match=named):
        add(entry(), entry(**wrong))
    assert records.find().empty


def test_labels_are_accepted_offers_once_and_not_undone():
    day = datetime(2024, 5, 1)
    add(
        entry(kind="accepted", snapshot="demo@1", time=day),
        entry(kind="accepted", snapshot="demo@2", time=day + timedelta(1)),
        entry(kind="accepted", snapshot="demo@2", customer_id="C2", time=day),
        entry(kind="accepted", snapshot="other@1", customer_id="C3"),
        entry(kind="declined", snapshot="demo@1", customer_id="C4"),
    )
    records.undo(records.find(customer="C2")["id"].iloc[0])
    found = records.labels("demo@9")
    assert found[["customer_id", "product_id", "kind"]].values.tolist() == [["C1", "P1", ACQUIRED]]
    assert found["time"].iloc[0] == day
    assert str(found["time"].dtype) == "datetime64[us]"


def test_export_of_found_records_is_formula_safe(tmp_path):
    add(entry(note="=HYPERLINK(1)"))
    export.write(records.find(), tmp_path / "out.csv")
    assert "'=HYPERLINK(1)" in (tmp_path / "out.csv").read_text(encoding="utf-8-sig")


def test_a_change_behind_its_back_shows():
    add(*(entry(customer_id=f"C{i}", score=i / 7, rank=i + 1) for i in range(5)))
    assert records.verify().broken == ()
    with duckdb.connect(str(records.path())) as db:
        db.execute("UPDATE entries SET note = 'forged' WHERE seq = 2")
    assert records.verify().broken == (2,)
    with duckdb.connect(str(records.path())) as db:
        db.execute("DELETE FROM entries WHERE seq = 4")
    assert set(records.verify().broken) >= {2, 5}


def test_erasing_empties_entries_leaves_seals_and_no_trace_in_the_file(home):
    add(
        entry(customer_id="CUST-77", note="private-words"),
        entry(customer_id="CUST-770"),
        entry(note="asked for by CUST-77", customer_id="C2"),
        entry(detail={"with": "CUST-77"}, customer_id="C3"),
    )
    assert records.erase("CUST-77") == 3
    assert records.erase("CUST-77") == 0
    assert records.verify() == records.Verification(5, 3, ())
    assert list(records.find()["customer_id"]) == ["", "CUST-770"]
    content = b"".join(f.read_bytes() for f in records.path().parent.iterdir())
    assert b"private-words" not in content
    assert content.count(b"CUST-77") == content.count(b"CUST-770") > 0
    assert add(entry()) == 1 and records.verify().broken == ()


def test_killed_while_erasing_the_old_file_stays_and_erasing_again_works(home):
    add(*(entry(customer_id=f"C{i}", note="n" * 500) for i in range(20_000)))
    script = (
        "import os, signal; from finrec.records import database\n"
        "os.replace = lambda a, b: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from finrec import records; records.erase('C7')"
    )
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(records.find(customer="C7")) == 1
    assert records.erase("C7") == 1
    assert records.verify() == records.Verification(20_001, 1, ())
    assert [f.name for f in (home / "data").glob(".records*")] == []


WRITER = """
import sys, pandas as pd
from finrec import records
from finrec.records import database
who, n, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
for i in range(n):
    row = {"kind": "offered", "customer_id": "C1", "who": who, "note": f"{i}"}
    records.append(pd.DataFrame([row] * size))
    print(i, flush=True)
"""


def writer(who, n, size):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, who, str(n), str(size)],
        stdout=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip


def test_two_processes_and_threads_of_this_one_write_at_once():
    others = [writer(name, 15, 2) for name in ("a", "b")]
    threads = [
        threading.Thread(target=lambda: [add(entry(who="t")) for _ in range(10)]) for _ in range(2)
    ]
    for other in others:
        assert other.stdout.readline() == "ready\n"
    for thread in threads:
        thread.start()
    while any(o.poll() is None for o in others):
        records.find(limit=5)
    for thread in threads:
        thread.join()
    assert [o.wait() for o in others] == [0, 0]
    for other in others:
        other.stdout.close()
    counts = records.find(limit=None)["who"].value_counts()
    assert dict(counts) == {"a": 30, "b": 30, "t": 20}
    assert records.verify() == records.Verification(80, 0, ())


def test_killed_while_writing_leaves_whole_batches_and_a_file_that_works():
    for attempt in range(4):
        process = writer(f"k{attempt}", 1000, 40)
        assert process.stdout.readline() == "ready\n"
        process.stdout.readline()
        time.sleep(0.037 * (attempt + 1))
        os.kill(process.pid, signal.SIGKILL)
        told = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        mine = records.find(text=f"k{attempt}", limit=None)
        batches = mine["note"].astype(int).value_counts()
        assert (batches == 40).all(), "a batch was cut in two"
        last = int(told[-1]) if told else 0
        assert set(batches.index) >= set(range(last + 1)), "what was acknowledged is lost"
        assert records.verify().broken == ()
        assert add(entry(who="after")) == 1


def test_a_file_held_by_another_program_is_said(monkeypatch):
    add(entry())
    hold = "import duckdb,sys,time;d=duckdb.connect(sys.argv[1]);print('held',flush=True);"
    process = subprocess.Popen(
        [sys.executable, "-c", hold + "time.sleep(60)", str(records.path())],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "held\n"
        monkeypatch.setattr(database, "PATIENCE", 0.3)
        with pytest.raises(DataError, match="in use by another program"):
            add(entry())
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert add(entry()) == 1


def test_what_was_shown_is_written_once_and_changes_no_decision():
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = pd.DataFrame(
        [entry(kind="shown", who="ann", run="r1", product_id=p) for p in ("P1", "P2", "P1")]
    )
    assert records.decided() == "none"
    assert records.append_once(rows, day) == 2
    before, written = records.decided(), records.written()
    assert records.append_once(rows, day) == 0
    assert records.append_once(rows.assign(who="bob"), day) == 2
    assert records.append_once(rows.assign(run="r2"), day) == 2
    assert records.append_once(rows.assign(customer_id="C2"), day) == 2
    assert records.append_once(rows, datetime.now(UTC) + timedelta(hours=1)) == 2, "another day"
    assert records.decided() == before and records.written() != written
    assert records.verify() == records.Verification(10, 0, ())
    add(entry())
    assert records.decided() != before
    assert records.erase("C2") == 2
    assert records.verify().broken == () and records.find(customer="C2").empty


def test_nothing_asked_for_has_the_columns_of_what_is_found(tmp_path):
    records.append(pd.DataFrame([entry(), entry(kind="shown", customer_id="C9")]))
    found, nothing = records.find(), records.find(limit=0)
    assert len(nothing) == 0 and nothing.dtypes.to_dict() == found.dtypes.to_dict()
    assert records.customers(("shown",)) == {"C9"}
    assert "C9" not in records.customers(("offered", "declined"))
