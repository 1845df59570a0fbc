"""Labelled tables: how they are read, and that a table too small for a split is told so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from finrec.schema import DataError
from finrec.training import corpus, finetune
from finrec.training.corpus import Labelled
from finrec.training.finetune import FinetuneSettings

SENTENCES = [f"{word} account" for word in "open close move block find lose".split()]


def write(file: Path, rows: Sequence[tuple[str, str]]) -> Path:
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(file, index=False)
    return file


def folds(train: Path, test: Path | None = None) -> tuple[Labelled, Labelled, Labelled]:
    return finetune._folds(train, ["text"], "label", test, FinetuneSettings())


def test_a_class_with_too_few_texts_is_named_with_what_it_needs(tmp_path: Path) -> None:
    many = [(s, "b") for s in SENTENCES]
    alone = write(tmp_path / "alone.csv", [("one text", "a"), *many])
    with pytest.raises(
        DataError,
        match=r"alone.csv, column label: too few texts of the class 'a', 1 of the 3 needed",
    ):  # noqa: E501
        folds(alone)
    merged = write(
        tmp_path / "merged.csv", [*[(t, "a") for t in ("Hi you", "hi, you!", "x", "")], *many]
    )  # noqa: E501
    with pytest.raises(DataError, match=r"'a', 2 of the 3.*1 without text and 1 the same"):
        folds(merged)
    blank = write(tmp_path / "blank.csv", [(" ", "a"), ("", "a"), ("", "a"), *many])
    with pytest.raises(DataError, match=r"'a', 0 of the 3.*3 without text"):
        folds(blank)
    each = write(tmp_path / "each.csv", [(f"text {i}", f"c{i}") for i in range(30)])
    with pytest.raises(DataError, match="'c0', 1 of the 3"):
        folds(each)
    enough = write(tmp_path / "enough.csv", [("one", "a"), ("two", "a"), ("three", "a"), *many])
    assert all(set(part.labels) == {0, 1} for part in folds(enough))


def test_a_test_table_that_takes_texts_from_training_is_told(tmp_path: Path) -> None:
    rows = [(s, "ab"[i % 2]) for i, s in enumerate(SENTENCES)]
    train = write(tmp_path / "train.csv", rows)
    with pytest.raises(DataError, match=r"Every text of train.csv is in the test table train.csv"):
        folds(train, train)
    test = write(tmp_path / "test.csv", rows[:4:2])
    with pytest.raises(DataError, match=r"'a', 1 of the 2 .*2 in the test table"):
        folds(train, test)


def test_a_test_table_may_have_one_class_but_none_of_its_own(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", [(s, "ab"[i % 2]) for i, s in enumerate(SENTENCES)])
    one = write(tmp_path / "one.csv", [("what is it", "b"), ("", "b")])
    known, valid, held = folds(train, one)
    assert held.labels.tolist() == [1] and held.names == known.names == ("a", "b")
    other = write(tmp_path / "other.csv", [("what is it", "c")])
    with pytest.raises(DataError, match=r"other.csv, column label: the class 'c' is not in"):
        folds(train, other)
    empty = write(tmp_path / "empty.csv", [("", "b")])
    with pytest.raises(DataError, match="empty.csv, column text: no row holds text"):
        folds(train, empty)


def test_a_header_alone_has_no_rows_and_a_class_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "head.csv").write_text("text,label\n")
    with pytest.raises(DataError, match="head.csv has a header but no rows"):
        corpus.labelled(tmp_path / "head.csv", ["text"], "label")
    train = write(tmp_path / "train.csv", [("a", "x"), ("b", "y")])
    with pytest.raises(DataError, match="label can't be both text and class"):
        corpus.labelled(train, ["text", "label"], "label")


def test_only_case_and_punctuation_make_texts_the_same() -> None:
    texts = [
        "\N{THUMBS UP SIGN}", "\N{THUMBS DOWN SIGN}", "good \N{THUMBS UP SIGN}",
        "good \N{THUMBS DOWN SIGN}", "\u5f00\u6237", "\u9500\u6237", "\u0915\u093f", "\u0915\u0941",
        "???", "!!!", "Good day", "good, day!",
    ]  # fmt: skip
    assert finetune._distinct(texts).tolist() == list(range(11))


def test_words_for_nothing_are_classes_and_texts(tmp_path: Path) -> None:
    rows = [("NA", "None"), ("null", "NA"), ("nan", "null")]
    found = corpus.labelled(write(tmp_path / "t.csv", rows), ["text"], "label")
    assert found.texts == ["NA", "null", "nan"] and found.names == ("NA", "None", "null")
    (tmp_path / "gap.csv").write_text("text,label\na,x\nb,\n")
    with pytest.raises(DataError, match="row 2, column label: no class"):
        corpus.labelled(tmp_path / "gap.csv", ["text"], "label")


@pytest.mark.parametrize("separator", list(corpus.SEPARATORS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_tables_are_read_however_they_are_written(
    tmp_path: Path, separator: str, encoding: str
) -> None:
    frame = pd.DataFrame({"text": ["Gebühr, hoch; sehr", "Zins\ttief|neu"], "label": ["ä", "b"]})
    file = tmp_path / "t.csv"
    frame.to_csv(file, index=False, sep=separator, encoding=encoding)
    found = corpus.labelled(file, ["text"], "label")
    assert found.texts == ["Gebühr, hoch; sehr", "Zins tief|neu"] and set(found.names) == {"ä", "b"}


def test_workbooks_and_western_text_are_read(tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["die Gebühr ist hoch", "NA"], "label": ["x", "None"]})
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        pd.DataFrame().to_excel(book, sheet_name="blank", index=False)
        rows.to_excel(book, sheet_name="texts", index=False)
    found = corpus.labelled(tmp_path / "book.xlsx", ["text"], "label")
    assert found.texts == rows["text"].tolist() and found.names == ("None", "x")
    (tmp_path / "~$book.xlsx").write_bytes(b"lock")
    (tmp_path / "lines.txt").write_bytes("der Zins fällt\n".encode("cp1252"))
    assert corpus.read([tmp_path], ["text"]) == ["die Gebühr ist hoch", "NA", "der Zins fällt"]
    (tmp_path / "torn.xlsx").write_bytes((tmp_path / "book.xlsx").read_bytes()[:900])
    (tmp_path / "odd.csv").write_bytes(b"text,label\na\x81,b\n")
    for name in ("torn.xlsx", "odd.csv"):
        with pytest.raises(DataError, match=f"{name} can't be read"):
            corpus.read([tmp_path / name])
