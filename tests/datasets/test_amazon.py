"""Amazon: ratings CSV, reviews as JSON lines with metadata, k-core, and the real 5-core."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from finrec.datasets import amazon
from finrec.datasets.amazon_raw import filtered
from finrec.schema import DataError, validated

RATINGS = "A1,0001,5.0,1400000000\nA1,0002,3.0,1300000000\nA2,0001,1.0,1350000000\n"


def test_ratings_without_a_header(tmp_path: Path) -> None:
    file = tmp_path / "ratings_Beauty.csv"
    file.write_text(RATINGS)
    found = validated(amazon.load(file, core=0))
    rows = found.events[["customer_id", "product_id", "amount", "order"]].to_numpy().tolist()
    assert rows == [["A1", "0002", 3.0, 0], ["A1", "0001", 5.0, 1], ["A2", "0001", 1.0, 0]]
    assert found.events["time"].iloc[0] == pd.Timestamp("2011-03-13 07:06:40")
    assert set(found.events["kind"]) == {"rated"}
    file.write_text("user,item,rating,timestamp\n" + RATINGS)
    pd.testing.assert_frame_equal(amazon.load(file, core=0).events, found.events)


@pytest.mark.parametrize("form", ["json", "json.gz", "literal"])
def test_reviews_with_metadata(tmp_path: Path, form: str) -> None:
    review = {"reviewerID": "A1", "asin": "0001", "overall": 4.0, "unixReviewTime": 1400000000}
    meta = {
        "asin": "0001", "title": "Cream &amp; more", "categories": [["Beauty", "Skin", "Face"]],
        "description": "Soft.", "price": 3.5, "brand": "B",
    }  # fmt: skip
    write = repr if form == "literal" else json.dumps
    ending = ".json.gz" if form == "json.gz" else ".json"
    for name, record in (("reviews_Beauty", review), ("meta_Beauty", meta)):
        content = (write(record) + "\n").encode()
        packed = gzip.compress(content) if ending == ".json.gz" else content
        (tmp_path / (name + ending)).write_bytes(packed)
    found = validated(amazon.load(tmp_path, core=0))
    product = found.products.iloc[0]
    assert product["name"] == "Cream & more"
    assert product["description"] == "Beauty > Skin > Face. Soft."
    assert (product["category"], product["price"], product["brand"]) == ("Skin", 3.5, "B")


def test_core_is_a_fixed_point() -> None:
    pairs = [(f"c{i}", f"p{j}") for i in range(3) for j in range(3)]
    pairs += [("c9", "p0"), ("c9", "p9"), ("c8", "p9"), ("c8", "p1")]
    events = pd.DataFrame(pairs, columns=["customer_id", "product_id"])
    kept = filtered(events, 3)
    assert set(kept["customer_id"]) == {"c0", "c1", "c2"} and len(kept) == 9
    assert len(filtered(events, 0)) == 13


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("ratings_X.csv", "A,B,5\n", "has 3 columns"),
        ("ratings_X.csv", "A,B,5,1\nA,B,x,1\n", "row 2: 'x' is no rating"),
        ("ratings_X.csv", "A,B,5,1\nA,B,5,soon\n", "row 2: 'soon' is no timestamp"),
        ("ratings_X.csv", "", "can't be read"),
        ("ratings_X.csv", "A,B,5,1\n", "nobody is left of the 5-core"),
        ("reviews_X.json", "{", "row 1: not a JSON record"),
        ("reviews_X.json", "[1]\n", "row 1: not a JSON record"),
        ("reviews_X.json", "__import__('os').getcwd()\n", "row 1: not a JSON record"),
        ("reviews_X.json", '{"asin": "1"}\n', "row 1: no reviewerID"),
        ("reviews_X.json.gz", "not gzip", "can't be read to its end"),
        ("other.txt", "", "has no interactions"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=says):
        amazon.load(tmp_path)


@pytest.mark.realdata
def test_five_core(real_data: Path) -> None:
    found = validated(amazon.load(real_data / "amazon_beauty_5core"))
    sizes = (len(found.customers), len(found.products), len(found.events))
    assert sizes == (22_363, 12_101, 198_502)


@pytest.mark.realdata
def test_ratings_of_the_five_core_are_their_own_core(real_data: Path, tmp_path: Path) -> None:
    raw = pd.read_parquet(real_data / "amazon_beauty_5core" / "interactions.parquet")
    raw.assign(rating=5.0)[["user_id", "item_id", "rating", "timestamp"]].to_csv(
        tmp_path / "ratings_Beauty.csv", index=False, header=False
    )
    found = validated(amazon.load(tmp_path / "ratings_Beauty.csv", core=5))
    assert len(found.events) == 198_502


def test_the_core_is_an_option_of_the_command(home, tmp_path):
    from tests.test_cli import last_json

    rows = [f"A{c},P{p},5.0,{1_400_000_000 + 86_400 * (3 * c + p)}" for c in range(6) for p in range(3)]  # fmt: skip # noqa: E501
    file = tmp_path / "ratings_Beauty.csv"
    file.write_text("\n".join([*rows, "B,P0,1.0,1400000000"]) + "\n")
    assert last_json("ingest", "amazon", file, "--set", "core=3")["rows"]["events"] == 18
    assert last_json("ingest", "amazon", file, "--set", "core=1")["rows"]["events"] == 19
