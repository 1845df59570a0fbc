"""Mappings: what they refuse, what they can say, and what a person may change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finrec.intake import Column, Mapping, Table
from finrec.intake.formats import Format
from finrec.schema import DataError
from tests.intake import here


def test_a_person_says_that_a_row_is_something_else(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("customer_id,product,date,amount\n1,A,2024-01-01,5\n2,,,\n")
    events = here.propose([file])
    table = replace(events.tables[0], kind="customers")
    listed = tmp_path / "p.csv"
    listed.write_text("product,name\nA,Account\n")
    both = replace(events, tables=(table, *here.propose([listed]).tables))
    found = here.read([file, listed], both)
    assert found.receipt["loaded"] == 3 and found.tables["events"].empty
    people = found.tables["customers"].set_index("customer_id")
    assert people.loc["1", "date"] == pd.Timestamp("2024-01-01")
    assert people.loc["1", "amount"] == 5 and people.loc["1", "product"] == "A"
    assert people.loc["2"].isna().all()


def test_options_for_doubtful_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "customer_id,product,date,amount\n1,A,2024-01-01,5\n1,A,2024-01-01,5\n2,A,2030-01-01,-1\n"
    )
    base = here.propose([file])
    assert here.read([file], base).receipt["loaded"] == 2
    for option, value, loaded in (
        ("duplicates", "reject", 1),
        ("future", "keep", 3),
        ("negative", "reject", 2),
    ):
        change: dict[str, Any] = {option: value}
        changed = replace(base, **change)
        assert here.read([file], changed).receipt["loaded"] == loaded, option
    listed = tmp_path / "p.csv"
    listed.write_text("product,name\nB,Bond\n")
    both = replace(here.propose([file, listed]), unknown_products="reject")
    with pytest.raises(DataError, match="No row of a.csv can be used"):
        here.read([file, listed], both)
    listed.write_text("product,name\nA,Account\nB,Bond\n")
    assert here.read([file, listed], both).receipt["loaded"] == 4
    file.write_text(file.read_text() + "3,C,2024-01-01,1\n")
    last = here.read([file, listed], both)
    assert "product: product is not in the file of products" in last.receipt["reasons"]
    assert last.receipt["loaded"] == 4


def test_columns_can_be_coarsened_or_dropped(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("customer_id,age,born,postcode,product\n1,37,1987-05-14,81667,A\n")
    form = Format()
    columns = (
        Column("customer_id", "customer"),
        Column("age", "attribute", "number", coarsen="10"),
        Column("born", "attribute", "date", ("iso",), coarsen="year"),
        Column("postcode", "attribute", coarsen="first 2"),
        Column("product", "product"),
    )
    mapping = Mapping("x", (Table("people.csv", "events", columns, form),))
    person = here.read([file], mapping).tables["customers"].iloc[0]
    assert (person["age"], person["postcode"]) == (30, "81")
    assert person["born"] == pd.Timestamp("1987-01-01")
    dropped = mapping.with_role("people.csv", "postcode", "ignore")
    assert "postcode" not in here.read([file], dropped).tables["customers"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "can't be read"),
        ("[]", "can't be read"),
        ('{"version": 9, "tables": []}', "version 9"),
        ('{"version": 1, "name": "../x", "tables": []}', "no name of a data set"),
        ('{"version": 1, "name": "x", "tables": []}', "which products there are"),
        ('{"version": 1, "name": "x", "tables": [], "future": "maybe"}', "future of the mapping"),
        ('{"version": 1, "name": "x", "tables": [], "spare": 1}', "can't be read"),
    ],
)
def test_bad_mappings_are_refused(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        Mapping.from_json(text)


def test_a_mapping_must_make_sense() -> None:
    columns = (Column("a", "customer"), Column("b", "product"), Column("c", "product"))
    good = Mapping("x", (Table("f.csv", "events", columns[:2]),))
    assert Mapping.from_json(good.to_json()) == good
    for table, says in (
        (Table("f.csv", "events", columns), "b and c are both the product"),
        (Table("f.csv", "events", columns[:1]), "no column is the product"),
        (Table("f.csv", "odd", columns[:2]), "no kind of table"),  # type: ignore[arg-type]
        (Table("f.csv", "events", (Column("a", "boss"),)), "is unknown"),  # type: ignore[arg-type]
        (Table("f.csv", "events", (Column("a", "customer", coarsen="0"),)), "no way to coarsen"),
    ):
        with pytest.raises(DataError, match=says):
            Mapping.from_json(Mapping("x", (table,)).to_json())


def test_names_that_differ_in_case_or_are_taken(tmp_path: Path) -> None:
    file, listed = tmp_path / "a.csv", tmp_path / "p.csv"
    file.write_text("Customer_ID,product,date,City,CITY,name\n1,A,2024-01-01,Rome,Oslo,Bo\n")
    listed.write_text("PRODUCT,Name,name,description,rate\nA,Account,x,y,z\n")
    found = here.read([file, listed])
    assert [c.name for c in found.mapping.tables[0].columns][3:5] == ["City", "CITY (2)"]
    person = found.tables["customers"].iloc[0]
    assert (person["City"], person["CITY (2)"], person["name"]) == ("Rome", "Oslo", "Bo")
    product = found.tables["products"].iloc[0]
    assert (product["product_id"], product["name"]) == ("A", "Account")
    assert found.tables["products"].columns.str.lower().is_unique
