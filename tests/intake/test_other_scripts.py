"""Tables in other scripts: names of columns, digits, dates of other calendars, thousands."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from finrec.intake.formats import format_of
from tests.intake import here

JAPANESE = ("顧客番号,商品名,取引日,金額,年齢", "２０２４年３月５日", "６，８２０円", "４５")
ARABIC = ("رقم العميل,المنتج,تاريخ,مبلغ,العمر", "٢٠٢٤/٠٣/٠٥", "٦٨٢٠٫٥", "٤٥")
CHINESE = ("客户编号,产品,日期,金额,年龄", "2024年3月5日", '"6,820元"', "45")
RUSSIAN = ("Номер клиента,Продукт,Дата,Сумма,Возраст", "05.03.2024", "6820 ₽", "45")


def table(file: Path, header: str, date: str, amount: str, age: str) -> Path:
    rows = [f"c{n % 9},p{n % 4},{date},{amount},{age}" for n in range(40)]
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("form", [JAPANESE, ARABIC, CHINESE, RUSSIAN])
def test_columns_digits_and_dates_of_other_scripts(
    tmp_path: Path, form: tuple[str, str, str, str]
) -> None:
    found = here.read([table(tmp_path / "t.csv", *form)])
    events, people = found.tables["events"], found.tables["customers"]
    assert len(events) == 40 and set(events["product_id"]) == {"p0", "p1", "p2", "p3"}
    assert set(events["time"]) == {pd.Timestamp("2024-03-05")}
    assert set(events["amount"]) <= {6820.0, 6820.5}
    assert set(people.drop(columns="customer_id").squeeze()) == {45}


@pytest.mark.parametrize("date", ["令和6年3月{}日", "1445-09-{:02d}", "2567/03/{:02d}"])
def test_dates_of_another_calendar_are_named_not_passed_over(tmp_path: Path, date: str) -> None:
    file = tmp_path / "t.csv"
    rows = [f"c{n % 9},p{n % 4},{date.format(n % 28 + 1)}" for n in range(40)]
    file.write_text("\n".join(["customer,product,date", *rows]) + "\n", encoding="utf-8")
    mapping = here.propose([file])
    assert "at a time that is not known" in mapping.meaning()[0]
    assert any("column date: its name says date, but no dates" in d for d in mapping.doubts())


def test_a_file_without_a_name_that_is_understood_says_why_it_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("aa,bb\nx,1\ny,2\n")
    assert "no name of a column says customer or product" in here.propose([file]).meaning()[0]


@pytest.mark.parametrize(
    "separator,cells,decimal",
    [
        (",", ["740,000", "12"], "."),  # thousands, not three decimals
        (",", ["6,820,000"], "."),
        (",", ["1.500"], "."),
        (",", ["0,125"], ","),
        (";", ["1.500", "2.250"], ","),
        (";", ["1.500", "2.25"], "."),
        (";", ["1.234.567"], ","),
        ("\t", ["1,500"], "."),
    ],
)
def test_what_may_be_thousands_or_decimals_is_told_by_the_rest(
    tmp_path: Path, separator: str, cells: list[str], decimal: str
) -> None:
    file = tmp_path / "t.csv"
    rows = [separator.join(["c1", f'"{cell}"']) for cell in cells]
    file.write_text("\n".join([f"customer{separator}amount", *rows]) + "\n")
    assert format_of(file, file.name).decimal == decimal
