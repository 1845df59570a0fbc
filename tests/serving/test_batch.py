"""Batches: whole files, resumed where they stopped, safe to open, one worker at a time."""

import pandas as pd
import pytest

from finrec.schema import DataError
from finrec.serving import batch

IDS = [f"C{i:02}" for i in range(25)]


def told(suffix=".parquet"):
    return {"suffix": suffix, "size": 10, "run": "r", "k": 1, "created": "now"}


def score(ids):
    return pd.DataFrame({"customer_id": ids, "name": ["=1+1"] * len(ids), "value": 0.5})


def test_a_batch_holds_everybody_once_in_order(tmp_path):
    folder, steps = tmp_path / "b", []
    batch.create(folder, told(), IDS)
    assert batch.read(folder)["state"] == "waiting"
    file = batch.work(folder, IDS, score, lambda done, total: steps.append((done, total)))
    assert steps == [(10, 25), (20, 25), (25, 25)]
    assert pd.read_parquet(file)["customer_id"].tolist() == IDS
    found = batch.read(folder)
    assert (found["state"], found["done"], found["file"]) == ("done", 25, str(file))
    assert not (folder / "parts").exists()


def test_csv_has_one_heading_and_no_formula(tmp_path):
    batch.create(tmp_path / "b", told(".csv"), IDS)
    lines = batch.work(tmp_path / "b", IDS, score).read_text("utf-8-sig").splitlines()
    assert lines[0] == "customer_id,name,value" and len(lines) == 26
    assert all("'=1+1" in line for line in lines[1:])


def test_what_stopped_goes_on_where_it_was(tmp_path):
    folder, seen = tmp_path / "b", []
    batch.create(folder, told(), IDS)

    def until_broken(ids):
        seen.append(ids[0])
        if len(seen) == 2:
            raise DataError("The power went out.")
        return score(ids)

    with pytest.raises(DataError):
        batch.work(folder, IDS, until_broken)
    found = batch.read(folder)
    assert (found["state"], found["done"]) == ("failed", 10)
    assert found["message"] == "The power went out."
    assert not list(folder.glob("results*"))
    (folder / "parts" / ".writing-x").write_text("half")  # what a kill leaves
    batch.resume(folder)
    assert batch.read(folder)["state"] == "stopped"
    file = batch.work(folder, IDS, until_broken)
    assert seen == ["C00", "C10", "C10", "C20"]
    assert pd.read_parquet(file)["customer_id"].tolist() == IDS


def test_cancelling_keeps_what_is_done(tmp_path):
    folder = tmp_path / "b"
    batch.create(folder, told(), IDS)

    def stop_after_first(done, total):
        assert batch.read(folder)["state"] == "running"
        batch.cancel(folder)

    with pytest.raises(batch.Cancelled):
        batch.work(folder, IDS, score, stop_after_first)
    assert batch.read(folder)["state"] == "cancelled" and batch.read(folder)["done"] == 10
    batch.resume(folder)
    batch.work(folder, IDS, score)
    with pytest.raises(DataError, match="nothing to resume"):
        batch.resume(folder)


def test_only_one_works_on_it_and_only_on_the_same_customers(tmp_path):
    folder = tmp_path / "b"
    batch.create(folder, told(), IDS)
    with pytest.raises(DataError, match="already"):
        batch.create(folder, told(), IDS)
    with pytest.raises(DataError, match="have changed"):
        batch.work(folder, IDS[1:], score)

    def intrude(ids):
        with pytest.raises(DataError, match="Another process"):
            batch.work(folder, IDS, score)
        with pytest.raises(DataError, match="running"):
            batch.delete(folder)
        return score(ids)

    batch.work(folder, IDS, intrude)
    batch.delete(folder)
    with pytest.raises(DataError, match="no batch"):
        batch.read(folder)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_an_erased_customer_leaves_the_files(tmp_path, suffix):
    folder = tmp_path / "b"
    batch.create(folder, told(suffix), IDS)
    file = batch.work(folder, IDS, score)
    assert batch.forget(folder, "C07") and not batch.forget(folder, "C07")
    left = pd.read_parquet(file) if suffix == ".parquet" else pd.read_csv(file)
    assert left["customer_id"].tolist() == [c for c in IDS if c != "C07"]
    with pytest.raises(DataError, match="writes"):
        batch.create(tmp_path / "c", told(".xlsx"), IDS)
