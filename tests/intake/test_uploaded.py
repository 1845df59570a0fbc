"""The verbs of intake, as a page uses them: propose, correct, preview, keep, use again."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finrec import intake, snapshots
from finrec.intake import Column, Limits, Mapping, Table
from finrec.schema import DataError
from finrec.split import split
from tests.intake import here

SALES = (
    "client_no;product;bought on;amount;city\n"
    "007;Gold card;31.01.2024;1.000,50;Zürich\n"
    "8;Fund A;01.02.2024;20,00;Bern\n"
    ";Fund A;01.02.2024;20,00;Bern\n"
    "8;Gold card;15.03.2024;-3,00;Bern\n"
)
PEOPLE = "client_no,age,joined\n007,37,2019-05-01\n8,164,2020-01-01\n12,50,\n"
PRODUCTS = "product,name,description,rate\nGold card,Gold,A card with lounges and a limit.,17.9\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, content in (("sales", SALES), ("people", PEOPLE), ("products", PRODUCTS)):
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
    return [tmp_path / f"{n}.csv" for n in ("sales", "people", "products")]


def test_several_files_are_joined_by_their_keys(files: list[Path]) -> None:
    mapping = intake.propose(files, "bank")
    assert [t.kind for t in mapping.tables] == ["events", "customers", "products"]
    assert Mapping.from_json(mapping.to_json()) == mapping
    assert "took the product in product on the day in bought on" in mapping.meaning()[0]
    dataset, receipt = intake.read(files, mapping)
    assert (receipt.rows_in, receipt.loaded, receipt.rejected) == (8, 7, 1)
    assert receipt.reasons == {"client_no: customer is empty": 1}
    assert receipt.rejects[["file", "row", "line"]].to_numpy().tolist() == [["sales.csv", 3, 4]]
    people = dataset.customers.set_index("customer_id")
    assert list(people.index) == ["007", "12", "8"]
    assert people.loc["007", "age"] == 37 and people.loc["007", "city"] == "Zürich"
    assert pd.isna(people.loc["8", "age"]), "nobody is 164"
    assert any("1 cell is no believable age" in note for note in receipt.notes)
    products = dataset.products.set_index("product_id")
    assert products.loc["Gold card", "name"] == "Gold"
    assert str(products.loc["Gold card", "description"]).startswith("A card")
    assert products.loc["Gold card", "rate"] == 17.9 and products.loc["Fund A", "name"] == "Fund A"
    assert dataset.events["amount"].tolist() == [1000.5, 20.0, -3.0]
    assert receipt.profile["figures"]["cold_customers"] == 1
    assert receipt.profile["figures"]["negative_amounts"] == 1


def test_ingest_keeps_receipt_mapping_and_rejects(files: list[Path]) -> None:
    told: list[dict[str, Any]] = []
    made, receipt = intake.ingest_uploaded(files, progress=told.append)
    assert made.attachments == ("mapping.json", "receipt.json", "rejected.csv")
    assert made.lineage["receipt"]["rows_in"] == receipt.rows_in == 8
    assert [f["file"] for f in made.lineage["files"]] == ["sales.csv", "people.csv", "products.csv"]
    assert json.loads((made.path / "receipt.json").read_text())["loaded"] == 7
    assert "customer is empty" in (made.path / "rejected.csv").read_text()
    again = Mapping.from_json((made.path / "mapping.json").read_text())
    same, _ = intake.ingest_uploaded(files, again)
    assert same.ref == made.ref, "the same files and mapping are one snapshot"
    assert not list(made.path.parent.parent.glob(".staging-*")), "nothing is left behind"


def test_next_months_file_has_its_columns_elsewhere(files: list[Path], tmp_path: Path) -> None:
    mapping = intake.propose(files[:1], "bank")
    later = tmp_path / "sales_april.csv"
    later.write_text(
        "extra;amount;bought on;client_no;product;city\nx;2,50;01.04.2024;9;Fund B;Köln\n",
        encoding="cp1252",
    )
    dataset, receipt = intake.read([later], mapping)
    assert dataset.events[["customer_id", "amount"]].to_numpy().tolist() == [["9", 2.5]]
    assert dataset.customers["city"].tolist() == ["Köln"]
    later.write_text("client_no;bought on;amount\n9;01.04.2024;2\n")
    with pytest.raises(DataError, match="sales_april.csv has no column product"):
        intake.read([later], mapping)


def test_preview_shows_the_first_rows(files: list[Path]) -> None:
    shown = intake.preview(files, intake.propose(files, "bank"), rows=2)
    assert len(shown.tables["events"]) == 2 and shown.receipt.rows_in == 5
    assert len(shown.meaning) == 3


def test_a_person_corrects_the_proposal(tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("wer,was,wann\n1,A,03/04/2024\n2,B,04/04/2024\n")
    mapping = intake.propose([file], "odd")
    with pytest.raises(DataError, match="no column is the|None of the files"):
        intake.read([file], mapping)
    table = replace(mapping.tables[0], kind="events")
    mapping = replace(mapping, tables=(table,))
    for column, role in (("wer", "customer"), ("was", "product"), ("wann", "date")):
        mapping = mapping.with_role("odd.csv", column, role)  # type: ignore[arg-type]
    dataset, _ = intake.read([file], mapping)
    assert len(dataset.events) == 2 and dataset.events["time"].dt.year.eq(2024).all()


def test_wide_holdings_become_what_was_acquired(tmp_path: Path) -> None:
    file = tmp_path / "holdings.csv"
    rows = ["customer_id,month,age,has_card,has_loan,has_fund,has_plan"]
    for i in range(30):
        for m in range(1, 6):
            flags = [int(m > 1), int(m > 2 + i % 3), int(i % 2), 0]
            rows.append(f"{i:03d},2024-{m:02d},{20 + i},{','.join(map(str, flags))}")
    file.write_text("\n".join(rows) + "\n")
    mapping = intake.propose([file], "wide")
    assert "4 columns look like products held" in mapping.meaning()[0]
    dataset, receipt = intake.read([file], mapping)
    kinds = dataset.events["kind"].value_counts().to_dict()
    assert kinds == {"acquired": 60, "held": 15} and receipt.loaded == 150
    assert dataset.products["name"].tolist() == ["Card", "Fund", "Loan", "Plan"]
    assert dataset.customers.set_index("customer_id").loc["003", "age"] == 23
    parts = split(dataset)
    fund = int(parts.catalogue.index(["has_fund"])[0])
    assert fund not in set(parts.test.cases.relevant), "what was held at first is no case"


def test_wide_without_a_month_is_what_everybody_has(tmp_path: Path) -> None:
    file = tmp_path / "now.csv"
    file.write_text(
        "customer_id,card,loan,fund\n" + "".join(f"{i},1,{i % 2},1\n" for i in range(9))
    )
    dataset, _ = intake.read([file], intake.propose([file], "now"))
    assert set(dataset.events["kind"]) == {"held"} and dataset.info.protocol == "R1"
    assert any("No dates were given" in note for note in dataset.info.notes)


def test_price_series_long_and_wide(files: list[Path], tmp_path: Path) -> None:
    long = tmp_path / "prices.csv"
    long.write_text("isin,date,close\nFund A,2024-01-01,5\nFund A,2024-01-02,6\nX,2024-01-01,1\n")
    wide = tmp_path / "wide.csv"
    wide.write_text(
        "date,Fund A,Fund B\n2024-01-03,7.5,\n2024-01-04,8,2\n2024-01-05,x,2\n2024-01-05,9,3\n"
    )
    mapping = intake.propose([files[0], long, wide], "priced")
    assert [t.kind for t in mapping.tables] == ["events", "prices", "prices"]
    assert "2 columns are price series" in mapping.meaning()[2]
    dataset, receipt = intake.read([files[0], long, wide], mapping)
    known = dataset.extra["prices"].groupby("product_id")["price"].apply(list)
    assert known["Fund A"] == [5, 6, 7.5, 8, 9] and known["Fund B"] == [2, 3]
    assert receipt.reasons["Fund A: is no number"] == 1
    assert set(dataset.products["product_id"]) == {"Gold card", "Fund A", "Fund B", "X"}


def test_pseudonyms_leave_no_id_in_the_snapshot(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINREC_KEY_FILE", str(tmp_path / "keys" / "k"))
    canary = "canary-4711-person"
    with files[0].open("a", encoding="utf-8") as out:
        out.write(f"{canary};Fund A;05.02.2024;1,00;Bern\n{canary};Fund A;soon;1,00;Bern\n")
    mapping = replace(intake.propose(files, "hidden"), pseudonymise=True)
    made, receipt = intake.ingest_uploaded(files, mapping)
    assert receipt.rejected == 2
    scanned, left, unread = snapshots.mentions(canary)
    assert scanned >= 8 and left == () and unread == ()
    assert len(made.load().customers["customer_id"].iloc[0]) == 24
    assert stat.S_IMODE((tmp_path / "keys" / "k").stat().st_mode) == 0o600
    clear, _ = intake.read(files, replace(mapping, pseudonymise=False))
    assert canary in set(clear.customers["customer_id"])


def test_customer_values_stay_out_of_logs(
    files: list[Path], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    canary = "canary-4712-person"
    with files[0].open("a", encoding="utf-8") as out:
        out.write(f"{canary};Fund A;soon;1,00;Bern\n")
    intake.ingest_uploaded(files)
    said = capfd.readouterr()
    assert canary not in caplog.text + said.out + said.err


def test_the_parser_is_another_process_with_bounds(tmp_path: Path) -> None:
    file = tmp_path / "big.csv"
    rng = random.Random(0)
    with file.open("w") as out:
        out.write("customer_id,product,date,note\n")
        for i in range(300_000):
            out.write(f"{i},p{i % 9},2024-01-01,{rng.random()}\n")
    mapping = Mapping(
        "big",
        (
            Table(
                "big.csv",
                "events",
                (
                    Column("customer_id", "customer"),
                    Column("product", "product"),
                    Column("date", "date", "date", ("iso",)),
                    Column("note", "attribute"),
                ),
            ),
        ),
    )
    with pytest.raises(DataError, match="more than 150 MiB of memory"):
        intake.read([file], mapping, Limits(memory_mib=150))
    with pytest.raises(DataError, match="more than 1 seconds"):
        intake.read([file], mapping, Limits(seconds=1))


def test_a_dying_worker_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[Path]
) -> None:
    real = subprocess.Popen

    def dies(command: list[str], **how: Any) -> Any:
        return real([command[0], "-c", "import os; os.abort()"], **how)

    monkeypatch.setattr("finrec.intake.sandbox.subprocess.Popen", dies)
    with pytest.raises(DataError, match="ended early"):
        intake.propose(files)


def test_the_system_ending_it_for_time_reads_as_taking_too_long(
    monkeypatch: pytest.MonkeyPatch, files: list[Path]
) -> None:
    real = subprocess.Popen
    ended = "import os, signal; os.kill(os.getpid(), signal.SIGXCPU)"

    def dies(command: list[str], **how: Any) -> Any:
        return real([command[0], "-c", ended], **how)

    monkeypatch.setattr("finrec.intake.sandbox.subprocess.Popen", dies)
    with pytest.raises(DataError, match="more than 3600 seconds"):
        intake.propose(files)


def test_a_planted_module_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "csv.py").write_text("raise SystemExit('planted')")
    (tmp_path / "a.csv").write_text("customer_id,product\n1,A\n")
    monkeypatch.chdir(tmp_path)
    assert intake.propose([Path("a.csv")]).tables[0].kind == "events"
    assert os.getcwd() == str(tmp_path)


@pytest.mark.realdata
def test_real_files_with_the_proposal(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "bruun_insurance" / "purchase_events_train.parquet"
    found = here.read([source])
    assert found.receipt["loaded"] == 55_619 and len(found.tables["products"]) == 16
    rows = pd.read_parquet(real_data / "santander_excerpts" / "train_ver2_first_rows.parquet")
    rows.to_csv(tmp_path / "train.csv", index=False)
    found = here.read([tmp_path / "train.csv"])
    assert found.receipt["loaded"] == 9_999 and len(found.tables["events"]) == 11_999
    assert found.tables["products"]["product_id"].nunique() == 24
    trades = here.propose([real_data / "senate_trades" / "all_transactions.parquet"])
    trades = trades.with_role(trades.tables[0].file, "senator", "customer")
    found = here.read([real_data / "senate_trades" / "all_transactions.parquet"], trades)
    assert found.receipt["rows_in"] == 8_350
    assert found.receipt["loaded"] + found.receipt["rejected"] == 8_350
