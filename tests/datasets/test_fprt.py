"""Files in FPRT's schema: spellings, zip, and a clear sentence for every fault."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from finrec import datasets, schema
from finrec.datasets import demo, fprt

FILES = {
    "users.csv": "User ID, Age,GENDER,Income,Occupation,Education,Marital Status\n"
    "007,31,female,52000,engineer,master,single\n"
    "8,64,male,,retired,vocational,married\n",
    "Products.csv": "product id,Product Type,Term,Interest-Rate,Risk,Return\n"
    "01,deposit,12,3.4%,low,3.4%\n"
    "02,fund,60,0,high,6.2\n"
    "03,fund,60,0,high,5.1\n",
    "purchases.csv": "userID,productID,Purchase Time\n"
    "007,01,2024-01-31\n"
    "007,02,2024-03-01 10:15\n"
    "9,02,2024-02-01\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "fprt"
    made.mkdir()
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


def test_reads_a_folder_with_other_spellings(folder: Path) -> None:
    dataset = fprt.load(folder)
    assert list(dataset.customers) == ["customer_id", *demo.CUSTOMER_FEATURES]
    assert list(dataset.products) == ["product_id", "name", "description", *demo.PRODUCT_FEATURES]
    assert dataset.customers["customer_id"].tolist() == ["007", "8"]
    assert dataset.customers["income"].isna().tolist() == [False, True]
    assert dataset.products["return"].tolist() == [3.4, 6.2, 5.1]
    assert dataset.products["risk"].tolist() == ["low", "high", "high"]
    assert dataset.products["name"].tolist() == ["Deposit 01", "Fund 02", "Fund 03"]
    assert dataset.events["time"].tolist() == [
        pd.Timestamp("2024-01-31"),
        pd.Timestamp("2024-02-01"),
        pd.Timestamp("2024-03-01 10:15"),
    ]
    assert dataset.events["customer_id"].tolist() == ["007", "9", "007"]
    assert dataset.events["order"].tolist() == [0, 0, 1]
    assert set(dataset.events["kind"]) == {schema.ACQUIRED}
    assert not dataset.info.repeatable and not dataset.info.generated


def test_times_with_a_zone_become_utc(folder: Path) -> None:
    (folder / "purchases.csv").write_text("user,product,time\n8,01,2024-05-01T00:30:00+02:00\n")
    assert fprt.load(folder).events["time"].tolist() == [pd.Timestamp("2024-04-30 22:30")]


def test_is_a_source_of_its_own(folder: Path) -> None:
    assert "FPRT" in datasets.sources()["fprt"]
    assert len(datasets.load("fprt", folder).events) == 3


def test_reads_a_zip(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "fprt.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, f"release/{file.name}")
        archive.writestr("__MACOSX/release/._users.csv", "junk")
    whole = fprt.load(packed)
    pd.testing.assert_frame_equal(whole.events, fprt.load(folder).events)
    pd.testing.assert_frame_equal(whole.customers, fprt.load(folder).customers)


def test_a_product_taken_twice_may_be_offered_again(folder: Path) -> None:
    with (folder / "purchases.csv").open("a") as stream:
        stream.write("007,01,2024-05-01\n")
    assert fprt.load(folder).info.repeatable


def test_names_and_descriptions_are_kept_where_there_are_some(folder: Path) -> None:
    (folder / "Products.csv").write_text(
        "id,name,description,type,term,rate,risk,return\n01,Fixed,Safe.,deposit,12,3,1,3\n"
        "02,,,fund,60,0,4,6\n"
    )
    products = fprt.load(folder).products
    assert products["name"].tolist() == ["Fixed", "Fund 02"]
    assert products["description"].tolist() == ["Safe.", ""]


def _drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (_drop("users.csv"), "fprt has no users.csv"),
        (_replace("users.csv", "Marital Status", "Mood"), "users.csv has no column marital status"),
        (_replace("users.csv", "8,64", "007,64"), "users.csv, row 2, column User ID: '007' stands"),
        (_replace("users.csv", "8,64", ",64"), "users.csv, row 2, column User ID: empty"),
        (
            _replace("Products.csv", "02,fund,60", "02,fund,five years"),
            "Products.csv, row 2, column Term: 'five years' is no number",
        ),
        (
            _replace("purchases.csv", "2024-03-01 10:15", "2024-13-01"),
            "row 2, column Purchase Time: ",
        ),
        (
            _replace("purchases.csv", "2024-02-01", ""),
            "purchases.csv, row 3, column Purchase Time: ",
        ),
        (_replace("purchases.csv", "2024-02-01", "2024-02-01T00:00Z"), "zones are mixed"),
        (
            _replace("purchases.csv", "9,02", "9,99"),
            "row 3, column productID: product '99' is not in",
        ),
        (_replace("purchases.csv", "9,02", ",02"), "purchases.csv, row 3, column userID: empty"),
    ],
)
def test_faults_are_named(folder: Path, fault: Callable[[Path], None], sentence: str) -> None:
    fault(folder)
    with pytest.raises(schema.DataError) as caught:
        fprt.load(folder)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "users.csv can't be read as CSV"),
        (FILES["users.csv"].splitlines()[0].encode(), "users.csv has no rows"),
        ("Stra\u00dfe".encode("latin-1"), "users.csv is not UTF-8"),
    ],
)
def test_unreadable_files_are_named(folder: Path, content: bytes, sentence: str) -> None:
    (folder / "users.csv").write_bytes(content)
    with pytest.raises(schema.DataError) as caught:
        fprt.load(folder)
    assert sentence in str(caught.value)


def test_no_path_no_folder_and_two_candidates(folder: Path) -> None:
    with pytest.raises(schema.DataError, match="give its path"):
        fprt.load(None)
    with pytest.raises(schema.DataError, match="neither a folder nor a zip"):
        fprt.load(folder / "users.csv")
    (folder / "customers.csv").write_text(FILES["users.csv"])
    with pytest.raises(schema.DataError, match="keep one file of users"):
        fprt.load(folder)


def test_a_file_that_unpacks_too_large_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "fprt.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    monkeypatch.setattr(fprt, "MOST_BYTES", 50)
    for given in (folder, packed):
        with pytest.raises(schema.DataError, match="larger than"):
            fprt.load(given)


def test_the_demo_bank_survives_the_round_trip(tmp_path: Path) -> None:
    bank = demo.generate(seed=3, customers=300, products=40, purchases=500)
    demo.write_fprt(bank, tmp_path / "out")
    read = fprt.load(tmp_path / "out")
    kept = ["product_id", *demo.PRODUCT_FEATURES]
    pd.testing.assert_frame_equal(read.customers, bank.customers, check_dtype=False)
    pd.testing.assert_frame_equal(read.products[kept], bank.products[kept], check_dtype=False)
    columns = ["customer_id", "product_id", "time", "kind", "order"]
    pd.testing.assert_frame_equal(read.events[columns], bank.events[columns], check_dtype=False)
