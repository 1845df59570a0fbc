"""Nasty files: each gives a right result or a sentence that says where and why; nothing is lost."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from finrec.schema import DataError
from tests.intake import here
from tests.intake.nasty import HEAD, ROWS, Nasty
from tests.intake.nasty_forms import FORMS
from tests.intake.nasty_values import VALUES

FILES = [*FORMS, *VALUES]


def test_there_are_at_least_sixty() -> None:
    assert len(FILES) >= 60 and len({n.name for n in FILES}) == len(FILES)


@pytest.mark.parametrize("nasty", FILES, ids=lambda n: n.name)
def test_nasty_file(nasty: Nasty, tmp_path: Path) -> None:
    file = tmp_path / nasty.name
    file.write_bytes(nasty.content() if callable(nasty.content) else nasty.content)
    before = {p.name for p in tmp_path.iterdir()}
    if nasty.says:
        with pytest.raises(DataError, match=nasty.says) as caught:
            here.read([file], limits=nasty.limits)
        assert "Traceback" not in str(caught.value)
        return
    found = here.read([file], limits=nasty.limits)
    receipt = found.receipt
    assert receipt["rows_in"] == receipt["loaded"] + receipt["rejected"], "the count adds up"
    assert (receipt["loaded"], receipt["rejected"]) == (nasty.loaded, nasty.rejected)
    assert sum(receipt["reasons"].values()) == receipt["rejected"] == len(found.rejects)
    assert nasty.reason in " | ".join(receipt["reasons"])
    assert nasty.check is None or nasty.check(found)
    assert {p.name for p in tmp_path.iterdir()} == before, "nothing is written elsewhere"


def test_rejects_say_where(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(HEAD + '1,"A\nB",2024-01-01,1\n\n2,A,soon,1\n=3,A\n' + ROWS)
    found = here.read([file]).rejects
    rows = found[["file", "row", "line", "column", "reason", "content"]].to_numpy().tolist()
    assert ["a.csv", "2", "5", "date", "is no date", "2,A,soon,1"] in rows
    assert ["a.csv", "3", "6", "", "has 2 cells, the table 4 columns", "'=3,A"] in rows


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_never_loses_a_row(seed: int, tmp_path: Path) -> None:
    """Characters that matter are scattered over a good file; every line must be found again."""
    rng = random.Random(seed)
    lines = [f"c{i},p{i % 5},2024-01-{1 + i % 28:02d},{i}" for i in range(200)]
    for _ in range(rng.randint(1, 30)):
        at = rng.randrange(len(lines))
        place = rng.randrange(len(lines[at]) + 1)
        lines[at] = (
            lines[at][:place]
            + rng.choice(['"', ",", "\0", "\n", "'", ";", "\r"])
            + lines[at][place:]
        )
    file = tmp_path / "damaged.csv"
    file.write_text(HEAD + "\n".join(lines) + "\n", newline="")
    found = here.read([file])
    receipt = found.receipt
    assert receipt["rows_in"] == receipt["loaded"] + receipt["rejected"]
    assert sum(receipt["reasons"].values()) == receipt["rejected"] == len(found.rejects)
    whole = {
        f"c{i}" for i in range(200) if lines[i] == f"c{i},p{i % 5},2024-01-{1 + i % 28:02d},{i}"
    }
    kept = set(found.tables["customers"]["customer_id"])
    told = " ".join(found.rejects["content"])
    lost = [c for c in whole - kept if f"{c}," not in told]
    quoted = [c for c in lost if any(f"{c}," in p for p in found.tables["products"]["product_id"])]
    assert lost == quoted, "an undamaged line is loaded, listed, or visibly part of a quoted cell"
    assert len(lost) <= 4


def test_counts_agree_with_an_independent_reader(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rng = random.Random(5)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["customer_id", "product", "date", "note"])
        for i in range(3_000):
            note = rng.choice(["plain", 'a "quote"', "two\nlines", "comma, here", ""])
            writer.writerow([i, f"p{i % 7}", "2024-05-05", note])
    with file.open(newline="") as stream:
        expected = list(csv.reader(stream))[1:]
    found = here.read([file])
    assert found.receipt["loaded"] == len(expected) == 3_000
    assert len(found.tables["events"]) == 3_000
