"""Santander: holdings by month become events, every row is accounted for, dirt is understood."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finrec.datasets import santander
from finrec.datasets.santander_products import ATTRIBUTES, PRODUCTS
from finrec.schema import DataError, Dataset, validated
from finrec.split import split
from tests.datasets.santander_files import column, content, row

JAN, FEB, MAR, APR = "2015-01-28", "2015-02-28", "2015-03-28", "2015-04-28"


def load(folder: Path, rows: list[dict[str, str]], name: str = "train_ver2.csv") -> Dataset:
    (folder / name).write_text(content(rows), encoding="utf-8")
    return validated(santander.load(folder / name))


def events(dataset: Dataset) -> list[tuple[str, str, str, str]]:
    known = dataset.events
    days = known["time"].dt.strftime("%Y-%m-%d")
    return list(zip(known["customer_id"], days, known["product_id"], known["kind"], strict=True))


def test_changes_between_months_become_events(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        [
            row("7", JAN, "cco tjcr"),
            row("8", JAN),
            row("7", FEB, "cco recibo"),
            row("8", FEB),
            row("7", MAR, "cco recibo tjcr"),
            row("8", MAR, "nomina"),
        ],
    )
    assert events(found) == [
        ("7", JAN, column("cco"), "held"),
        ("7", JAN, column("tjcr"), "held"),
        ("7", FEB, column("tjcr"), "dropped"),
        ("7", FEB, column("recibo"), "acquired"),
        ("7", MAR, column("tjcr"), "acquired"),
        ("8", MAR, column("nomina"), "acquired"),
    ]
    assert list(found.events["order"]) == list(range(6))


def test_an_unknown_flag_is_neither_a_loss_nor_a_gain(tmp_path: Path) -> None:
    unknown = {column("nomina"): "NA", column("nom_pens"): ""}
    found = load(
        tmp_path,
        [
            row("1", JAN, "nomina cco"),
            row("1", FEB, "cco", **unknown),
            row("1", MAR, "nomina cco tjcr"),
            row("2", JAN, **unknown),
            row("2", FEB, "nomina"),
            row("2", MAR),
        ],
    )
    assert events(found) == [
        ("1", JAN, column("cco"), "held"),
        ("1", JAN, column("nomina"), "held"),
        ("1", MAR, column("tjcr"), "acquired"),
        ("2", FEB, column("nomina"), "held"),
        ("2", MAR, column("nomina"), "dropped"),
    ]


def test_months_in_any_order_and_a_gap(tmp_path: Path) -> None:
    found = load(tmp_path, [row("1", APR, "cco"), row("1", JAN), row("2", MAR, "hip")])
    assert events(found) == [
        ("1", APR, column("cco"), "acquired"),
        ("2", MAR, column("hip"), "held"),
    ]


def test_attributes_are_those_of_the_last_month_and_typed(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        [
            row("1", FEB, renta="100.5", indrel_1mes="P", fecha_alta="1/16/1995", age="36.0"),
            row("1", JAN, renta="99"),
            row("2", JAN, age=" NA", antiguedad="-999999", renta="         NA", sexo=""),
            row("3", JAN, age="164"),
        ],
    )
    people = found.customers.set_index("customer_id")
    assert set(ATTRIBUTES_OURS) | {"known_at"} == set(people.columns)
    first = people.loc["1"]
    assert first["household_income"] == 100.5
    assert (first["relation_type"], first["age"], first["active"]) == ("P", 36.0, "1")
    assert first["joined"] == pd.Timestamp("1995-01-16")
    assert first["known_at"] == pd.Timestamp(FEB)
    assert first["province"] == "CORUÑA, A"
    assert people.loc["2", "relation_type"] == "1", "1.0 and 1 are one code"
    unknown = people.loc["2", ["age", "months_with_bank", "household_income", "sex"]]
    assert unknown.isna().all()
    assert np.isnan(people.loc["3", "age"]), "nobody is 164"


def test_models_are_tested_with_attributes_of_before(tmp_path: Path) -> None:
    def months(person: str, *incomes: str) -> list[dict[str, str]]:
        owned = ("", "cco", "cco nomina", "cco nomina tjcr")
        every = zip((JAN, FEB, MAR, APR), incomes, owned, strict=True)
        return [row(person, month, held, renta=income, sexo="V") for month, income, held in every]

    found = load(tmp_path, [*months("1", "1", "2", "3", "4"), row("2", APR, renta="9")])
    assert found.info.split == ("2015-03-01", "2015-04-01")
    assert found.customers.set_index("customer_id")["household_income"].tolist() == [4, 9]
    told = split(found).customers.set_index("customer_id")
    assert told["household_income"].tolist() == [2, 9], "of February; of the first month known"
    assert told["sex"].tolist()[0] == "V"
    history = found.extra["profiles"]
    assert {"sex", "province", "age"}.isdisjoint(history.columns)


ATTRIBUTES_OURS = [ours for ours, _ in ATTRIBUTES.values()]


def test_every_line_is_loaded_or_rejected_with_a_reason(tmp_path: Path) -> None:
    good = content([row("1", JAN), row("", JAN), row("2", "soon"), row("1", JAN, "cco")])
    (tmp_path / "train_ver2.csv").write_text(good + "3,2015-01-28\n" + '"4,2015\n5,x\n')
    staging = tmp_path / "out"
    staging.mkdir()
    staged = santander.stage(tmp_path, staging)
    assert staged is not None
    receipt = staged.receipt
    assert receipt["rows_in"] == 7
    assert receipt["loaded"] == 1
    assert receipt["loaded"] + sum(receipt["reasons"].values()) == receipt["rows_in"]
    assert receipt["rejected"] == 6
    assert receipt["reasons"]["ncodpers is empty"] == 1
    assert receipt["reasons"]["fecha_dato is no date"] == 1
    assert receipt["reasons"]["the same customer and month again"] == 1
    assert "6" not in pd.read_parquet(staging / "customers.parquet")["customer_id"].tolist()
    assert any("rejected" in note for note in staged.info.notes)


@pytest.mark.parametrize("kind", ["csv.gz", "csv.zip", "parquet", "bom", "crlf", "latin-1"])
def test_the_same_from_any_wrapping(tmp_path: Path, kind: str) -> None:
    text = content([row("1", JAN, "cco"), row("1", FEB, "cco tjcr")])
    file = tmp_path / f"train_ver2.{kind if kind[0] in 'cp' and kind != 'crlf' else 'csv'}"
    if kind == "csv.gz":
        file.write_bytes(gzip.compress(text.encode()))
    elif kind == "csv.zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("../train_ver2.csv", text)
    elif kind == "parquet":
        rows = [row("1", JAN, "cco"), row("1", FEB, "cco tjcr")]
        pd.DataFrame(rows).to_parquet(file)
    elif kind == "latin-1":
        file.write_bytes(text.encode("latin-1"))
    else:
        file.write_bytes(
            text.encode("utf-8-sig") if kind == "bom" else text.replace("\n", "\r\n").encode()
        )
    found = santander.load(file)
    assert [e[2:] for e in events(found)] == [
        (column("cco"), "held"),
        (column("tjcr"), "acquired"),
    ]
    assert found.customers["province"].tolist() == ["CORUÑA, A"]


def test_the_test_file_brings_later_attributes_and_no_holdings(tmp_path: Path) -> None:
    (tmp_path / "train_ver2.csv").write_text(content([row("1", JAN, "cco")]))
    later = [row("1", "6/28/2016", age="36"), row("9", "6/28/2016")]
    (tmp_path / "test_ver2.csv").write_text(content(later, test=True))
    found = validated(santander.load(tmp_path))
    assert events(found) == [("1", JAN, column("cco"), "held")]
    assert found.customers["age"].tolist() == [36.0, 35.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "no column fecha_dato"),
        (content([]), "no row that can be used"),
        ("", "no column fecha_dato"),
        (content([row("1", "soon")]), "no row that can be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "train_ver2.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        santander.load(tmp_path)


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither train_ver2"):
        santander.load(tmp_path)
    with pytest.raises(DataError, match="give its path"):
        santander.load(None)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "train_ver2.csv.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_ver2.csv", b"0" * 200_000_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        santander.load(file)


def test_products_are_named_and_described() -> None:
    table = santander.products()
    assert tuple(table["product_id"]) == PRODUCTS
    assert table["name"].is_unique
    assert (table["description"].str.len() > 20).all()


def test_additions_alone_are_a_data_set(tmp_path: Path) -> None:
    months = ["2016-01-28", "2016-03-28", "2016-04-28", "2016-05-28"]
    added = pd.DataFrame(
        {"month": months, "ncodpers": [7, 7, 8, 7], "product": [column("cco")] * 4}
    )
    added.to_parquet(tmp_path / "new_products_2016.parquet")
    june = pd.DataFrame([row("7", "6/28/2016", age="40")])
    june[[c for c in june.columns if c not in PRODUCTS]].to_parquet(tmp_path / "test_ver2.parquet")
    found = validated(santander.load(tmp_path))
    assert set(found.events["kind"]) == {"acquired"}
    person = found.customers.set_index("customer_id").loc["7"]
    assert person["age"] == 40 and person["joined_through"] == "KHE"
    assert pd.isna(person["active"]), "what May could change is not taken from June"
    parts = split(found)
    assert parts.repeatable
    assert list(parts.valid.cases.customers.ids) == ["8"]
    assert list(parts.test.cases.customers.ids) == ["7"]
    assert list(parts.test.cases.customers.lengths) == [2]
    added.loc[2, "product"] = "ind_x"
    added.to_parquet(tmp_path / "new_products_2016.parquet")
    with pytest.raises(DataError, match=r"row 3, column product: 'ind_x'"):
        santander.load(tmp_path)


@pytest.mark.realdata
def test_excerpts(real_data: Path) -> None:
    found = validated(santander.load(real_data / "santander_excerpts"))
    assert (len(found.events), len(found.customers)) == (134_964, 87_365)
    counts = pd.read_csv(real_data / "santander_excerpts" / "monthlyTransitionCounts.csv")
    counts = counts.set_index(counts.columns[0])
    for month, ours in found.events.groupby("time"):
        published = counts.loc[f"{month:%Y-%m-%d}"]
        ours = ours["product_id"].value_counts().reindex(published.index, fill_value=0)
        assert (ours == published.astype(int)).all()
    assert found.customers["sex"].notna().sum() > 3_600
    parts = split(found)
    assert len(parts.test.cases) == 27_875
    assert (parts.test.cases.customers.lengths > 0).sum() == 9_621


@pytest.mark.realdata
def test_first_rows_of_the_full_file(real_data: Path, tmp_path: Path) -> None:
    rows = pd.read_parquet(real_data / "santander_excerpts" / "train_ver2_first_rows.parquet")
    rows.to_csv(tmp_path / "train_ver2.csv", index=False)
    (tmp_path / "out").mkdir()
    staged = santander.stage(tmp_path, tmp_path / "out")
    assert staged is not None
    assert staged.receipt == {"rows_in": 9_999, "loaded": 9_999, "rejected": 0, "reasons": {}}
    found = validated(santander.load(tmp_path))
    assert len(found.events) == 11_999 and set(found.events["kind"]) == {"held"}
    people = found.customers
    assert people["age"].isna().sum() == 50, "50 rows lack nearly everything"
    assert people["household_income"].isna().sum() == 1_899
    assert (people["province"] == "CORUÑA, A").sum() == 579
    given = pd.to_datetime(rows["fecha_alta"], errors="coerce")
    assert people["joined"].notna().sum() == given.notna().sum()


@pytest.mark.realdata
def test_test_file_excerpt(real_data: Path) -> None:
    found = santander.load(real_data / "santander_excerpts" / "test_ver2_excerpt.parquet")
    assert len(found.customers) == 38_171 and found.events.empty
    assert found.customers["joined"].notna().all(), "dates as M/D/YYYY"
    assert found.customers["household_income"].isna().sum() == 7_658
