"""Forms that banks' own exports have: titles above tables, balances, days as spreadsheets count."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from finrec.intake import Mapping
from finrec.intake.convert import pretty
from finrec.intake.formats import above
from finrec.intake.mapping import checked
from finrec.schema import DataError
from tests.intake import here

ROWS = [("C1", "Card", "2024-01-05"), ("C2", "Loan", "2024-02-06"), ("C1", "Fund", "2024-03-07"),
        ("C3", "Card", "2024-03-08")] * 5  # fmt: skip


@pytest.mark.parametrize("title", [[], ["Sales report 2024"], ["Sales report", "confidential"]])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_what_stands_above_the_header_is_left_out_and_told(
    tmp_path: Path, title: list[str], kind: str
) -> None:
    file = tmp_path / f"sales.{kind}"
    frame = pd.DataFrame(ROWS, columns=["customer", "product", "date"])
    if kind == "csv":
        body = frame.to_csv(index=False)
        file.write_text("".join(f"{t}\n" for t in title) + ("\n" if title else "") + body)
    else:
        with pd.ExcelWriter(file, engine="openpyxl") as book:
            frame.to_excel(book, index=False, startrow=len(title) + bool(title))
            for i, text in enumerate(title, start=1):
                book.sheets["Sheet1"].cell(i, 1, text)
    found = here.read([file])
    assert found.receipt["rows_in"] == found.receipt["loaded"] == 20
    assert set(found.tables["products"]["product_id"]) == {"Card", "Loan", "Fund"}
    notes = " ".join(found.receipt["notes"])
    assert ("above the header" in notes) == bool(title)
    assert all(t in notes for t in title[:1])
    assert found.mapping.tables[0].format.above == len(title)
    again = here.read([file], Mapping.from_json(found.mapping.to_json()))
    assert again.receipt["loaded"] == 20


def test_a_header_is_never_taken_for_a_title() -> None:
    assert above([["id", "product"], ["1", "x"], ["2", "y"]]) == 0
    assert above([["id"], ["1"], ["2"]]) == 0  # one column: nothing stands above
    assert above([["a", "b", "c", ""], ["1", "2", "3", "4"], ["1", "2", "3", "4"]]) == 0
    assert above([["Report"], ["day", "2024"], ["a", "b", "c", "d"], ["1", "2", "3", "4"],
                  ["1", "2", "3", "4"]]) == 2  # fmt: skip
    assert above([]) == 0


def test_days_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    rows = [("C1", "Card", "45292"), ("C2", "Loan", "45323.5"), ("C1", "Loan", "45351")] * 4
    file.write_text("customer,product,date\n" + "".join(",".join(r) + "\n" for r in rows))
    found = here.read([file])
    times = found.tables["events"].drop_duplicates("time")["time"]
    assert {str(t) for t in times} == {
        "2024-01-01 00:00:00", "2024-02-01 12:00:00", "2024-02-29 00:00:00"
    }  # fmt: skip


def test_numbers_of_five_digits_are_no_dates_unless_called_so(tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    rows = [(f"C{i % 9}", "Card" if i % 2 else "Loan", str(45000 + i % 7)) for i in range(60)]
    file.write_text("customer,product,zip\n" + "".join(",".join(r) + "\n" for r in rows))
    mapping = here.propose([file])
    assert not mapping.tables[0].having("date")


def test_balances_by_month_are_holdings_where_they_are_not_nought(tmp_path: Path) -> None:
    file = tmp_path / "saldi.csv"
    lines = ["Monat;KundenNr;Saldo Girokonto;Saldo Depot"]
    for month in ("01/2024", "02/2024", "03/2024"):
        for client in range(20):
            depot = "1.234,56" if month != "01/2024" and client < 5 else "0,00"
            lines.append(f"{month};{client:03d};{100 + client},50;{depot}")
    file.write_text("\n".join(lines) + "\n", encoding="latin-1")
    found = here.read([file])
    table = found.mapping.tables[0]
    assert table.kind == "holdings" and table.having("date")[0].name == "Monat"
    events = found.tables["events"]
    taken = events[(events["product_id"] == "Saldo Depot") & (events["kind"] == "acquired")]
    assert sorted(taken["customer_id"]) == [f"{c:03d}" for c in range(5)]
    assert {f"{t:%Y-%m}" for t in taken["time"]} == {"2024-02"}
    assert set(found.tables["products"]["name"]) == {"Girokonto", "Depot"}


def test_a_sex_beside_columns_of_what_is_held_is_no_product(tmp_path: Path) -> None:
    file = tmp_path / "bestand.csv"
    lines = ["Kundennummer;Stichtag;Geschlecht;Girokonto;Sparbuch;Depot"]
    for month in range(1, 7):
        for client in range(40):
            held = f"1;{client % 2};{int(client < 10 and month > 3)}"
            lines.append(f"{client:06d};28.{month:02d}.2023;{'MW'[client % 3 == 0]};{held}")
    file.write_text("\n".join(lines) + "\n")
    found = here.read([file])
    assert found.mapping.tables[0].kind == "holdings"
    assert set(found.tables["products"]["product_id"]) == {"Girokonto", "Sparbuch", "Depot"}
    events = found.tables["events"]
    taken = events[(events["product_id"] == "Depot") & (events["kind"] == "acquired")]
    assert sorted(taken["customer_id"]) == [f"{c:06d}" for c in range(10)]
    assert set(found.tables["customers"]["Geschlecht"]) == {"M", "W"}


def test_a_segment_beside_columns_of_yes_and_no_is_not_the_product(tmp_path: Path) -> None:
    file = tmp_path / "bestand.csv"
    head = "Kundennummer;Stichtag;Segment;Guthaben;Girokonto;Depot;Festgeld"
    rows = [
        f"K{i:03d};28.{month:02d}.2023;{('Privat', 'Gewerbe', '')[(i + month) % 3]};1.{i:03d},50;"
        f"ja;{'ja' if i % 3 and month > 2 else 'nein'};{'ja' if i % 2 else 'nein'}"
        for i in range(40)
        for month in range(1, 5)
    ]
    file.write_text("\n".join([head, *rows]) + "\n", encoding="cp1252")
    found = here.read([file])
    assert found.mapping.tables[0].kind == "holdings"
    assert set(found.tables["products"]["product_id"]) == {"Girokonto", "Depot", "Festgeld"}
    assert "Segment" in found.tables["customers"].columns


def test_one_balance_alone_is_an_attribute(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    lines = ["client_id,balance,has_card,has_loan,has_fund"]
    lines += [f"{i},{i * 3}.5,{i % 2},{i % 3 % 2},{i % 5 % 2}" for i in range(40)]
    file.write_text("\n".join(lines) + "\n")
    table = here.propose([file]).tables[0]
    assert [c.name for c in table.having("holding")] == ["has_card", "has_loan", "has_fund"]
    assert [c.name for c in table.having("attribute")] == ["balance"]


def test_days_of_opening_are_what_was_taken_when(tmp_path: Path) -> None:
    file = tmp_path / "opened.csv"
    lines = ["client_id,segment,born,card_opened,loan_opened,Fund since"]
    lines += [
        f"{i},{'ab'[i % 2]},19{60 + i}-01-01,{f'2023-02-{10 + i % 18}' if i % 3 else ''},"
        f"{'2023-05-06' if i < 4 else ''},{'2022-01-0' + str(1 + i % 5) if i == 7 else ''}"
        for i in range(30)
    ]
    lines.append("31,a,1970-01-01,soon,,")
    lines.append("32,a,1970-01-01,2031-01-01,,")
    file.write_text("\n".join(lines) + "\n")
    found = here.read([file])
    (table,) = found.mapping.tables
    assert table.kind == "holdings"
    assert [c.name for c in table.having("opened")] == ["card_opened", "loan_opened", "Fund since"]
    assert found.receipt["reasons"] == {
        "card_opened: is no date": 1, "card_opened: date is in the future": 1
    }  # fmt: skip
    events = found.tables["events"]
    assert set(found.tables["products"]["name"]) == {"Card", "Loan", "Fund"}
    loans = events[events["product_id"] == "loan_opened"]
    assert sorted(loans["customer_id"]) == ["0", "1", "2", "3"]
    assert {f"{t:%Y-%m-%d}" for t in loans["time"]} == {"2023-05-06"}
    assert len(events) == 20 + 4 + 1 and (events["kind"] == "acquired").all()
    told = checked(found.mapping).meaning()[0]
    assert "3 columns look like the days on which products were taken" in told


def test_one_day_alone_describes_the_customer(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    lines = ["client_id,age,account opened"]
    lines += [f"{i},{20 + i},{'2020-01-01' if i % 2 else ''}" for i in range(30)]
    file.write_text("\n".join(lines) + "\n")
    assert not here.propose([file]).tables[0].having("opened")


def test_several_products_in_a_cell_are_doubted(tmp_path: Path) -> None:
    file = tmp_path / "lists.csv"
    cells = ["Card|Loan", "Loan", "Card|Fund|Loan", "Fund", "Card"]
    lines = ["customer,product"] + [f"{i},{cells[i % 5]}" for i in range(60)]
    file.write_text("\n".join(lines) + "\n")
    (doubt,) = here.propose([file]).doubts()
    assert "lists.csv, column product" in doubt and "one product a row" in doubt
    plain = tmp_path / "plain.csv"
    plain.write_text("customer,product\n" + "".join(f"{i},Card {i % 5}\n" for i in range(60)))
    assert here.propose([plain]).doubts() == []


@pytest.mark.parametrize(
    ("column", "name"),
    [("ind_cco_fin_ult1", "Cco"), ("has_credit_card", "Credit card"), ("Saldo Depot", "Depot"),
     ("savings_balance", "Savings"), ("balance", "Balance"), ("card_opened", "Card"),
     ("Fund since", "Fund"), ("mortgage_start_date", "Mortgage"), ("opened", "Opened")],
)  # fmt: skip
def test_names_of_products_from_columns(column: str, name: str) -> None:
    assert pretty(column) == name


def test_a_damaged_workbook_is_called_one(tmp_path: Path) -> None:
    file = tmp_path / "sales.xlsx"
    file.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(DataError, match="sales.xlsx is no .xlsx file inside, or it is damaged"):
        here.propose([file])


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("from,to", ["customer", "target"]),
        ("source_id,target_id", ["customer", "target"]),
        ("since,payer,payee", ["ignore", "customer", "target"]),
        ("customer_1,customer_2,weight", ["customer", "target", "ignore"]),
        ("customer_id,linked_customer_id", ["customer", "target"]),
        ("client_id,account_id", ["customer", None]),  # not of one kind
    ],
)
def test_pairs_of_customers_are_links(tmp_path: Path, header: str, roles: list[str | None]) -> None:
    cells = {"since": "2024-03-0{i}", "weight": "0.{i}"}
    rows = [
        ",".join(cells.get(name, f"K{(i + 3 * j) % 9}").format(i=i % 9 + 1)
                 for j, name in enumerate(header.split(",")))
        for i in range(60)
    ]  # fmt: skip
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    (table,) = here.propose([file]).tables
    assert table.kind == ("links" if None not in roles else "customers")
    told = [c.role for c in table.columns]
    assert [t for t, r in zip(told, roles, strict=True) if r] == [r for r in roles if r]


@pytest.mark.parametrize("header", ["transaction_type", "TransactionType", "event type"])
def test_lapses_of_policies_are_no_offers_taken_up(tmp_path: Path, header: str) -> None:
    file = tmp_path / "policies.csv"
    words = ("NEW", "RENEWAL", "LAPSE")
    rows = [(f"{n // 3}", ("Home", "Motor")[n % 2], f"2024-01-{n % 28 + 1:02d}", words[n % 3])
            for n in range(60)]  # fmt: skip
    file.write_text(
        f"policyholder,cover,start,{header}\n" + "".join(",".join(r) + "\n" for r in rows)
    )
    found = here.read([file])
    kinds = found.tables["events"]["kind"].value_counts().to_dict()
    assert kinds == {"acquired": 20, "dropped": 20, "RENEWAL": 20}
    assert any("RENEWAL (20 rows) count as taking" in note for note in found.receipt["notes"])


@pytest.mark.parametrize("header", ["ts", "ts_ms", "epoch"])
def test_moments_counted_in_milliseconds_are_times(tmp_path: Path, header: str) -> None:
    file = tmp_path / "fills.csv"
    rows = [(f"a{n % 9}", ("BTC", "ETH")[n % 2], str(1_700_000_000_000 + n)) for n in range(60)]
    file.write_text(f"account,asset,{header}\n" + "".join(",".join(r) + "\n" for r in rows))
    times = here.read([file]).tables["events"]["time"]
    assert times.min() == pd.Timestamp("2023-11-14 22:13:20")


@pytest.mark.parametrize(
    "encoding,row",
    [
        ("cp932", "顧客1,カードローン"),
        ("gb18030", "张三,定期存款"),
        ("cp1251", "Иван,Вклад"),
        ("cp1256", "محمد,قرض"),
    ],
)
def test_scripts_that_no_western_encoding_holds_are_not_read_as_one(
    tmp_path: Path, encoding: str, row: str
) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes(f"customer,product\n{row}\n".encode(encoding))
    with pytest.raises(DataError, match="sales.csv is neither UTF-8 .* save it as UTF-8"):
        here.read([file])


def test_western_letters_signs_and_blanks_are_read_without_utf8(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    rows = ["é,Prêt à taux zéro,1\xa0000\xa0€", "Öl,Größe,2\xa0€", "“a”,– bon,5 £", "él,Año,1 €",
            "C1,Compte à terme,3 €"]  # fmt: skip
    for row in rows:
        file.write_bytes(f"customer,product,amount\n{row}\n".encode("cp1252"))
        events = here.read([file]).tables["events"]
        assert events["product_id"].tolist() == [row.split(",")[1]]
