"""Nasty files by how they are written, damaged or packed."""

from __future__ import annotations

import codecs
import gzip

from finrec.intake import Limits
from tests.intake.nasty import GOOD, HEAD, ROWS, Nasty, ids, quoted_zip, zipped

FORMS = [
    Nasty("plain.csv", GOOD.encode(), 3, check=ids("007", "8", "9")),
    # how it is written
    Nasty("bom.csv", GOOD.encode("utf-8-sig"), 3, check=ids("007", "8", "9")),
    Nasty("utf16.csv", GOOD.encode("utf-16"), 3, check=ids("007", "8", "9")),
    Nasty("utf16_no_bom.csv", GOOD.encode("utf-16-le"), 3, check=ids("007", "8", "9")),
    Nasty("utf16_big.csv", GOOD.encode("utf-16-be"), 3, check=ids("007", "8", "9")),
    Nasty("utf32.csv", codecs.BOM_UTF32_LE + GOOD.encode("utf-32-le"), 3),
    Nasty(
        "latin1.csv",
        GOOD.replace("Gold card", "Sparbüchse").encode("latin-1"),
        3,
        check=lambda r: "Sparbüchse" in set(r.tables["products"]["product_id"]),
    ),
    Nasty(
        "cp1252.csv",
        GOOD.replace("Gold card", "Card – €").encode("cp1252"),
        3,
        check=lambda r: "Card – €" in set(r.tables["products"]["product_id"]),
    ),
    Nasty(
        "one_bad_byte.csv",
        (GOOD + "10,Käse,2024-01-01,1\n").encode() + b"11,K\xe4se,2024-01-01,1\n",
        4,
        1,
        reason="product: holds bytes that are not utf-8",
    ),
    Nasty("tab.tsv", GOOD.replace(",", "\t").encode(), 3),
    Nasty("pipe.txt", GOOD.replace(",", "|").encode(), 3),
    Nasty(
        "semicolon.csv",
        GOOD.replace(".5", "@5").replace(",", ";").replace("@", ",").encode(),
        3,
        check=lambda r: (
            r.tables["events"]["amount"].max() == 30 and 10.5 in set(r.tables["events"]["amount"])
        ),
    ),
    Nasty(
        "thousands.csv",
        (HEAD + '1,A,2024-01-01,"1,234.50"\n2,A,2024-01-02,$2.00\n').encode(),
        2,
        check=lambda r: set(r.tables["events"]["amount"]) == {1234.5, 2.0},
    ),
    Nasty(
        "european.csv",
        "customer_id;product;date;amount\n1;A;31.01.2024;1.234,50 €\n2;A;01.02.2024;-2\n".encode(),
        2,
        check=lambda r: set(r.tables["events"]["amount"]) == {1234.5, -2.0},
    ),
    Nasty("crlf.csv", GOOD.replace("\n", "\r\n").encode(), 3),
    Nasty("old_mac.csv", GOOD.replace("\n", "\r").encode(), 3),
    Nasty(
        "mixed_ends.csv", (HEAD + ROWS.replace("\n", "\r\n", 1).replace("5\r\n", "5\r")).encode(), 3
    ),
    Nasty("no_last_end.csv", GOOD.rstrip("\n").encode(), 3),
    Nasty("blank_lines.csv", ("\n\n" + HEAD + "\n" + ROWS + "\n\n  \n").encode(), 3),
    Nasty(
        "no_header.csv",
        ROWS.encode(),
        says="no column is the customer|None of the files",
    ),
    # damaged structure
    Nasty(
        "ragged.csv",
        (GOOD + "10,A\n11,A,2024-01-01,1,extra\n").encode(),
        3,
        2,
        reason="has 2 cells",
    ),
    Nasty("trailing_commas.csv", "\n".join(f"{line},," for line in GOOD.splitlines()).encode(), 3),
    Nasty("longer_rows.csv", (HEAD + ROWS.replace("\n", ",,\n")).encode(), 3),
    Nasty(
        "unclosed_quote.csv",
        (HEAD + '1,"Gold,2024-01-01,1\n' + ROWS).encode(),
        3,
        1,
        reason="a quotation is not closed",
    ),
    Nasty(
        "unclosed_then_quoted.csv",
        (HEAD + '1,"Gold,2024-01-01,1\n2,"Fund A",2024-01-01,1\n' + ROWS).encode(),
        4,
        1,
        reason="a quotation is not closed",
    ),
    Nasty(
        "unclosed_last.csv", (GOOD + '10,"Gold').encode(), 3, 1, reason="a quotation is not closed"
    ),
    Nasty(
        "quote_inside.csv",
        (HEAD + '1,5" pipe,2024-01-01,1\n' + ROWS).encode(),
        4,
        check=lambda r: '5" pipe' in set(r.tables["products"]["product_id"]),
    ),
    Nasty(
        "doubled_quotes.csv",
        (HEAD + '1,"The ""best"" card",2024-01-01,1\n').encode(),
        1,
        check=lambda r: 'The "best" card' in set(r.tables["products"]["product_id"]),
    ),
    Nasty(
        "embedded_newline.csv",
        (HEAD + '1,"Gold\ncard",2024-01-01,1\n' + ROWS).encode(),
        4,
        check=lambda r: "Gold\ncard" in set(r.tables["products"]["product_id"]),
    ),
    Nasty("embedded_separator.csv", (HEAD + '1,"Card, gold",2024-01-01,1\n').encode(), 1),
    Nasty(
        "nul.csv", (GOOD + "10,A\0B,2024-01-01,1\n").encode(), 3, 1, reason="product: holds a NUL"
    ),
    Nasty("header_again.csv", (GOOD + GOOD).encode(), 6, 1, reason="is the header again"),
    Nasty(
        "duplicate_headers.csv",
        b"customer_id,product,date,amount,city,city\n1,A,2024-01-01,1,Rome,Oslo\n",
        1,
        check=lambda r: {"city", "city (2)"} <= {c.name for c in r.mapping.tables[0].columns},
    ),
    Nasty(
        "nameless_column.csv",
        b"customer_id,product,date,\n1,A,2024-01-01,x\n2,A,2024-01-02,y\n",
        2,
        check=lambda r: any("has no name" in n for n in r.receipt["notes"]),
    ),
    Nasty("empty.csv", b"", says="empty.csv is empty"),
    Nasty("only_blank.csv", b"\n\n \n", says="nothing but blank lines"),
    Nasty(
        "header_only.csv",
        HEAD.encode(),
        says="None of the files|has a header and no rows|no column",
    ),
    Nasty(
        "header_quote.csv",
        b'customer_id,"product,date\n1,2,3\n',
        says="header is not closed|no column|None",
    ),
    Nasty(
        "wide_as_a_house.csv",
        (",".join(f"c{i}" for i in range(10_000)) + "\n" + ",".join("1" * 10_000)).encode(),
        says="10,000 columns; at most 2,000",
    ),
    Nasty(
        "huge_cell.csv",
        (HEAD + f"1,{'x' * 200_000},2024-01-01,1\n" + ROWS).encode(),
        3,
        1,
        reason="product: cell has more than 100,000 characters",
    ),
    Nasty(
        "huge_line.csv",
        (GOOD + "x" * (2**24 + 100) + "\n10,A,2024-01-01,1\n").encode(),
        4,
        1,
        reason="has 1 cells",
    ),
    Nasty("too_many_rows.csv", GOOD.encode(), says="more than 2 rows", limits=Limits(rows=2)),
    Nasty("only_quotes.csv", (GOOD + '"\n' * 300).encode(), 3, 300, reason=""),
    # packed
    Nasty("packed.csv.gz", gzip.compress(GOOD.encode()), 3, check=ids("007", "8", "9")),
    Nasty("cut.csv.gz", gzip.compress(GOOD.encode())[:-12], says="cut.csv.gz can't be read"),
    Nasty("packed.zip", zipped(("deep/plain.csv", GOOD.encode())), 3),
    Nasty("two.zip", zipped(("a.csv", GOOD.encode()), ("b.csv", GOOD.encode())), 6),
    Nasty(
        "paths.zip",
        zipped(("../../../etc/passwd.csv", GOOD.encode())),
        3,
        check=lambda r: r.receipt["files"][0]["file"] == "passwd.csv",
    ),
    Nasty(
        "windows_path.zip",
        zipped(("C:\\temp\\..\\x\u202evsc.csv", GOOD.encode())),
        3,
        check=lambda r: r.receipt["files"][0]["file"] == "xvsc.csv",
    ),
    Nasty("bomb.csv.gz", lambda: gzip.compress(b"1,2\n" * 10_000_000), says="unpacks to far more"),
    Nasty("bomb.zip", lambda: zipped(("a.csv", b"0" * 50_000_000)), says="unpacks to far more"),
    Nasty(
        "many.zip", zipped(*((f"{i}.csv", b"a,b\n") for i in range(200))), says="holds 200 files"
    ),
    Nasty(
        "nested.zip", zipped(("in.zip", zipped(("a.csv", GOOD.encode())))), says="archive inside an"
    ),
    Nasty("nothing.zip", zipped(("__MACOSX/a.csv", b"x")), says="holds no file"),
    Nasty("secret.zip", quoted_zip, says="can't be unpacked"),
    Nasty("broken.zip", b"PK\x03\x04" + b"x" * 100, says="can't be unpacked"),
]
