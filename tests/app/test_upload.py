"""Own files through the page: proposed, corrected, previewed, brought in, accounted for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from finrec import pipeline
from tests.app.conftest import Screen, calm, texts

ROWS = [
    f"K{i % 40:02d};{20 + i % 40};P{(7 * i + i // 40) % 12:02d};{1 + i % 28:02d}.{1 + i // 28:02d}"
    ".2023;10,50"
    for i in range(300)
]
SALES = "\n".join(["client_id;age;product_code;purchase_date;amount", *ROWS]).encode()
BROKEN = SALES + b"\n;30;P01;05.01.2023;1,00\nK01;30;P02;never;1,00\n"


def give(app: Any, content: bytes, name: str = "sales.csv") -> Any:
    uploader = next(u for u in app.file_uploader if u.label.startswith("Customers, products"))
    return uploader.upload(name, content, "text/csv").run()


def boxes(app: Any) -> dict[str, str]:
    return {s.label: s.value for s in app.selectbox if str(s.key).startswith("role")}


def test_columns_are_proposed_and_previewed(screen: Screen) -> None:
    app = calm(give(screen("upload"), SALES))
    assert {re.sub(r"\\", "", k): v for k, v in boxes(app).items()} == {
        "client_id": "customer",
        "age": "attribute",
        "product_code": "product",
        "purchase_date": "date",
        "amount": "amount",
    }
    assert "took the product" in texts(app)
    assert app.button(key="bring in")


def test_broken_rows_are_rejected_with_a_reason_and_the_rest_is_kept(screen: Screen) -> None:
    app = give(screen("upload"), BROKEN)
    app = calm(app.button(key="bring in").click().run())
    shown = {m.label: m.value for m in app.metric}
    assert shown == {"Rows in the files": "302", "Loaded": "300", "Rejected": "2"}
    (made,) = pipeline.snapshots()
    assert made.rows["events"] == 300
    assert made.rows["customers"] == 40
    assert app.session_state["data"] == made.ref, "what was brought in is chosen"
    assert "Save rejected rows" in [b.label for b in app.download_button]


def test_correction_changes_what_is_read(screen: Screen) -> None:
    app = give(screen("upload"), SALES)
    box = next(s for s in app.selectbox if s.label == "age")
    app = calm(box.select("ignore").run())
    app = calm(app.button(key="bring in").click().run())
    (made,) = pipeline.snapshots()
    assert "age" not in made.load().customers


def test_files_and_corrections_are_still_here_after_another_screen(screen: Screen) -> None:
    app = give(screen("upload"), SALES)
    app = calm(next(s for s in app.selectbox if s.label == "age").select("ignore").run())
    app = calm(app.switch_page("pages/data.py").run())
    app = calm(app.switch_page("pages/upload.py").run())
    assert "Still here from before: sales.csv" in texts(app).replace("\\", "")
    assert boxes(app)["age"] == "ignore"
    app = calm(app.run())
    assert boxes(app)["age"] == "ignore", "at the next click, too"
    app = calm(next(b for b in app.button if b.label == "Put them away").click().run())
    assert boxes(app) == {} and "Still here" not in texts(app)
    app = calm(give(app, SALES))
    app = calm(app.button(key="bring in").click().run())
    assert len(pipeline.snapshots()) == 1


def test_mapping_without_products_is_refused_in_a_sentence(screen: Screen) -> None:
    app = give(screen("upload"), SALES)
    box = next(s for s in app.selectbox if "product" in s.label)
    app = box.select("ignore").run()
    assert not app.exception
    assert "no column is the product" in app.error[0].value
    assert "bring in" not in [b.key for b in app.button]
    assert pipeline.snapshots() == []


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\x03" * 100])
def test_what_is_no_table_is_one_sentence(screen: Screen, content: bytes) -> None:
    app = give(screen("upload"), content)
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.endswith(".")
    assert "bring in" not in [b.key for b in app.button]


def test_hostile_column_names_are_shown_letter_by_letter(screen: Screen) -> None:
    nasty = SALES.replace(b"amount", b"**Gold** [x](http://evil.example)", 1)
    app = calm(give(screen("upload"), nasty))
    label = next(k for k in boxes(app) if "Gold" in k)
    assert not re.search(r"(?<!\\)[*\[\]()]|http:/", label)
