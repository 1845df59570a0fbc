"""Nasty workbooks, Parquet files, files that are no tables, and nasty values."""

from __future__ import annotations

import io
import random

import pandas as pd

from tests.intake.nasty import CELLS, GOOD, HEAD, WIDE, Nasty, ids, parquet, workbook, zipped

VALUES = [
    # workbooks and Parquet
    Nasty("book.xlsx", workbook(CELLS), 2, check=ids("007", "8")),
    Nasty(
        "sheets.xlsx",
        workbook(CELLS, "Notes"),
        2,
        check=lambda r: any("not Notes" in n for n in r.receipt["notes"]),
    ),
    Nasty(
        "formula.xlsx",
        workbook([*CELLS, [9, "A", "2024-01-01", "=1+1"]]),
        2,
        1,
        reason="amount: a formula without a stored value",
    ),
    Nasty(
        "formula_text.csv",
        (GOOD + '10,"=cmd|calc",2024-01-01,1\n').encode(),
        4,
        check=lambda r: "=cmd|calc" in set(r.tables["products"]["product_id"]),
    ),
    Nasty(
        "rounded.xlsx",
        workbook([*CELLS, [12345678901234567890, "A", "2024-01-01", 1]]),
        2,
        1,
        reason="customer_id: a number too long",
    ),
    Nasty(
        "failed_formula.xlsx",
        workbook([*CELLS, [9, "A", "2024-01-01", "#DIV/0!"]]),
        2,
        1,
        reason="amount: a formula that failed",
    ),
    Nasty("empty.xlsx", workbook([]), says="no sheet with a table"),
    Nasty("cut.xlsx", workbook(CELLS)[:-200], says="can't be unpacked|damaged"),
    Nasty("old.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 600, says="old Excel file"),
    Nasty(
        "word.docx",
        zipped(("[Content_Types].xml", b""), ("word/document.xml", b"")),
        says="no workbook",
    ),
    Nasty("table.parquet", parquet(pd.read_csv(io.StringIO(GOOD), dtype="str")), 3),
    Nasty(
        "typed.parquet",
        parquet(
            pd.DataFrame(
                {
                    "customer_id": [7, 8],
                    "product": ["A", "B"],
                    "date": pd.to_datetime(["2024-01-01 00:00", "2024-01-02 10:00"]),
                    "amount": [1.0, None],
                }
            )
        ),
        2,
        check=ids("7", "8"),
    ),
    Nasty(
        "nested.parquet",
        parquet(pd.DataFrame({"customer_id": ["1"], "product": [["a"]]})),
        says="column product: holds list",
    ),
    Nasty("cut.parquet", parquet(pd.DataFrame({"a": [1]}))[:-20], says="damaged Parquet"),
    # not tables at all
    Nasty("page.csv", b"<!DOCTYPE html><html><table>", says="web page"),
    Nasty("data.csv", b'{"customer": 1}', says="is JSON"),
    Nasty("picture.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, says="a picture"),
    Nasty("noise.csv", random.Random(1).randbytes(5000), says="not text|can't be"),
    # values
    Nasty(
        "leading_zeros.csv",
        (HEAD + "000123,A,2024-01-01,1\n123,A,2024-01-01,1\n").encode(),
        2,
        check=ids("000123", "123"),
    ),
    Nasty(
        "scientific_ids.csv",
        (HEAD + "1.23E+15,A,2024-01-01,1\n1230000000000000,A,2024-01-01,1\n").encode(),
        2,
        check=lambda r: (
            ids("1.23E+15", "1230000000000000")(r)
            and any("1.23E+15" in n and "spreadsheet" in n for n in r.receipt["notes"])
        ),
    ),
    Nasty(
        "long_ids.csv",
        (HEAD + "12345678901234567890123,A,2024-01-01,1\n").encode(),
        1,
        check=ids("12345678901234567890123"),
    ),
    Nasty(
        "bad_dates.csv",
        (GOOD + "1,A,2024-02-30,1\n2,A,yesterday,1\n3,A,,1\n4,A,0024-01-01,1\n").encode(),
        3,
        4,
        reason="date: is no date",
    ),
    Nasty(
        "future.csv",
        (GOOD + "1,A,2099-01-01,1\n").encode(),
        3,
        1,
        reason="date: date is in the future",
    ),
    Nasty(
        "us_dates.csv",
        (HEAD + "1,A,01/31/2024,1\n2,A,02/01/2024,1\n").encode(),
        2,
        check=lambda r: r.tables["events"]["time"].min() == pd.Timestamp("2024-01-31"),
    ),
    Nasty(
        "uk_dates.csv",
        (HEAD + "1,A,31/01/2024,1\n2,A,01/02/2024,1\n").encode(),
        2,
        check=lambda r: r.tables["events"]["time"].max() == pd.Timestamp("2024-02-01"),
    ),
    Nasty(
        "mixed_dates.csv",
        (HEAD + "1,A,31/01/2024,1\n" * 3 + "2,A,2024-03-01,1\n").encode(),
        4,
        check=lambda r: r.tables["events"]["time"].max() == pd.Timestamp("2024-03-01"),
    ),
    Nasty(
        "zones.csv",
        (HEAD + "1,A,2024-01-01T10:00:00+02:00,1\n2,A,2024-01-01T10:00:00Z,1\n").encode(),
        2,
        check=lambda r: r.tables["events"]["time"].dt.hour.tolist() == [8, 10],
    ),
    Nasty(
        "seconds.csv",
        b"customer_id,product,timestamp\n1,A,1700000000\n2,A,1700000001\n",
        2,
        check=lambda r: r.tables["events"]["time"].dt.year.tolist() == [2023, 2023],
    ),
    Nasty(
        "bad_amount.csv",
        (GOOD + "1,A,2024-01-01,lots\n").encode(),
        3,
        1,
        reason="amount: is no number",
    ),
    Nasty(
        "odd_numbers.csv",
        (
            GOOD
            + "1,A,2024-01-01,1e400\n2,A,2024-01-01,NaN\n3,A,2024-01-01,inf\n4,A,2024-01-01,0x1F\n"
        ).encode(),
        4,
        3,
        reason="amount: is no number",
    ),
    Nasty(
        "missing_ids.csv",
        (GOOD + ",A,2024-01-01,1\nNULL,A,2024-01-01,1\n  ,A,2024-01-01,1\n").encode(),
        3,
        3,
        reason="customer_id: customer is empty",
    ),
    Nasty(
        "missing_products.csv",
        (GOOD + "1,,2024-01-01,1\n").encode(),
        3,
        1,
        reason="product: product is empty",
    ),
    Nasty(
        "rtl_and_emoji.csv",
        (HEAD + "1,حساب توفير,2024-01-01,1\n2,💳 card,2024-01-02,1\n").encode(),
        2,
        check=lambda r: {"حساب توفير", "💳 card"} == set(r.tables["products"]["product_id"]),
    ),
    Nasty("emoji_header.csv", "customer_id,product,date,💰\n1,A,2024-01-01,2\n".encode(), 1),
    Nasty(
        "sql.csv",
        (HEAD + '1\'; DROP TABLE events; --,"A\'""B",2024-01-01,1\n').encode(),
        1,
        check=ids("1'; DROP TABLE events; --"),
    ),
    Nasty(
        "sql_header.csv",
        b'customer_id,product,date,"x""); DROP TABLE y; --"\n1,A,2024-01-01,a\n',
        1,
    ),
    Nasty(
        "reserved_header.csv",
        b"customer_id,product,date,time,order,kind_of,name\n1,A,2024-01-01,x,y,z,Bo\n",
        1,
    ),
    Nasty(
        "wide.csv",
        (WIDE + "1,2024-01,1,0,\n1,2024-02,1,1,\n2,2024-01,0,0,1\n").encode(),
        3,
        check=lambda r: r.tables["events"]["kind"].tolist() == ["held", "acquired", "held"],
    ),
    Nasty(
        "wide_words.csv",
        (WIDE + "1,2024-01,yes,no,NO\n1,2024-02,YES,Yes,no\n").encode(),
        2,
        check=lambda r: r.tables["events"]["kind"].tolist() == ["held", "acquired"],
    ),
    Nasty(
        "wide_crosses.csv",
        (WIDE + "1,2024-01,x,,x\n2,2024-01,,x,\n3,2024-01,,x,x\n").encode(),
        3,
        check=lambda r: len(r.tables["events"]) == 5,
    ),
    Nasty(
        "wide_again.csv",
        (WIDE + "1,2024-01,1,0,1\n" * 2 + "2,2024-01,1,0,1\n").encode(),
        2,
        1,
        reason="customer_id: the same customer and month again",
    ),
]
