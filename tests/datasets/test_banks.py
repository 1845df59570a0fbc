"""Berka, LastFM and the senators' trades: small files by hand, and the real ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from finrec.datasets import berka, lastfm, senate
from finrec.schema import DataError, validated
from finrec.split import split


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Two accounts in the original form: semicolons, YYMMDD, women born in month + 50."""
    write = {
        "account": "account_id;district_id;frequency;date\n1;5;POPLATEK MESICNE;950324\n"
        "2;5;POPLATEK TYDNE;960101\n",
        "card": 'card_id;disp_id;type;issued\n7;11;"gold";"981107 00:00:00"\n',
        "client": "client_id;birth_number;district_id\n1;706213;5\n2;450204;5\n3;800101;5\n",
        "disp": "disp_id;client_id;account_id;type\n10;1;1;OWNER\n11;3;1;DISPONENT\n12;2;2;OWNER\n",
        "district": "A1;A2;A3;A4;A10;A11;A13\n5;Kolin;central Bohemia;95616;51.4;9307;3.85\n",
        "loan": "loan_id;account_id;date;amount;duration;payments;status\n"
        "4;2;970710;80952;24;3373;A\n",
        "order": "order_id;account_id;bank_to;account_to;amount;k_symbol\n"
        "1;1;YZ;87144583;2452.0;SIPO\n2;2;ST;89597016;3372.7; \n",
        "trans": "trans_id;account_id;date;type;operation;amount;balance;k_symbol;bank;account\n"
        "1;1;960212;VYDAJ;PREVOD NA UCET;2452.0;1;SIPO;YZ;87144583\n"
        "2;1;960112;VYDAJ;PREVOD NA UCET;2452.0;1;SIPO;YZ;87144583\n"
        "3;1;950112;VYDAJ;PREVOD NA UCET;99.0;1;SIPO;YZ;87144583\n",
    }
    for name, content in write.items():
        (tmp_path / f"{name}.asc").write_text(content)
    return tmp_path


def test_berka_dates_holdings(bank: Path) -> None:
    found = validated(berka.load(bank))
    rows = found.events[["customer_id", "product_id", "time", "kind"]].to_numpy().tolist()
    assert [(c, p, f"{t:%Y-%m-%d}", k) for c, p, t, k in rows] == [
        ("1", "account monthly", "1995-03-24", "acquired"),
        ("2", "account weekly", "1996-01-01", "acquired"),
        ("1", "order household", "1996-01-12", "acquired"),
        ("2", "loan", "1997-07-10", "held"),
        ("3", "card gold", "1998-11-07", "acquired"),
        ("2", "order other", "1998-12-31", "held"),
    ]
    people = found.customers.set_index("customer_id")
    assert people.loc["1", "sex"] == "woman" and people.loc["2", "sex"] == "man"
    assert people.loc["1", "born"] == pd.Timestamp("1970-12-13")
    assert people.loc["3", "district"] == "Kolin"
    assert "status" not in {*found.events.columns, *found.customers.columns}


def test_berka_names_what_is_wrong(bank: Path) -> None:
    (bank / "account.asc").write_text(
        "account_id;district_id;frequency;date\n1;5;POPLATEK MESICNE;951324\n"
    )
    with pytest.raises(DataError, match="account, row 1, column date: .*951324.* is no date"):
        berka.load(bank)
    (bank / "account.asc").write_text("account_id;district_id;frequency;date\n1;5;X;950101\n")
    with pytest.raises(DataError, match="account, row 1, column frequency: 'X' is none of"):
        berka.load(bank)


@pytest.mark.realdata
def test_berka_real(real_data: Path) -> None:
    found = validated(berka.load(real_data / "berka_pkdd99"))
    kinds = found.events["product_id"].str.split().str[0].value_counts()
    assert kinds.to_dict() == {"order": 6_471, "account": 4_500, "card": 892, "loan": 682}
    assert len(found.customers) == 5_369
    dated = found.events["product_id"].str.startswith("order") & (found.events["kind"] != "held")
    assert dated.sum() > 600, "orders whose first payment is among the transactions"
    parts = split(found)
    loan = int(parts.catalogue.index(["loan"])[0])
    assert loan not in set(parts.test.cases.relevant) | set(parts.valid.cases.relevant)
    assert (parts.test.cases.customers.lengths > 0).all()


def test_lastfm(tmp_path: Path) -> None:
    train = pd.DataFrame({"0": [float(1 + i % 9) for i in range(200)], "1": range(200), "2": 3.0})
    train.to_parquet(tmp_path / "train.parquet")
    pd.DataFrame({"0": [2], "1": [7], "2": [5]}).to_parquet(tmp_path / "test.parquet")
    trust = tmp_path / "trustnetwork.csv"
    trust.write_text("0,1\n1,2\n2,12\n")
    found = validated(lastfm.load(tmp_path))
    assert found.customers["customer_id"].tolist() == [str(i) for i in (*range(1, 10), 12)]
    assert found.links[["source", "target", "kind"]].to_numpy().tolist() == [
        ["1", "2", "trust"],
        ["2", "12", "trust"],
    ]
    folds = found.events["fold"].value_counts()
    assert folds["test"] == 1 and 8 <= folds["valid"] <= 35
    assert found.events["amount"].iloc[-1] == 5
    trust.write_text("0,1\n1,2.5\n")
    with pytest.raises(DataError, match="trustnetwork, row 1, column 1: .*2.5.* is no id"):
        lastfm.load(tmp_path)


@pytest.mark.realdata
def test_lastfm_real(real_data: Path) -> None:
    found = validated(lastfm.load(real_data / "lastfm_lightgcn"))
    assert (len(found.events), len(found.links)) == (42_135 + 10_533, 25_434)
    assert (found.events["fold"] == "test").sum() == 10_533
    parts = split(found)
    assert len(parts.test.cases) > 1_800 and parts.test.cases.offsets[-1] == 10_533


TRADES = (
    "transaction_date,owner,ticker,asset_description,asset_type,type,amount,comment,senator\n"
    '11/10/2020,Spouse,BYND,"Beyond Meat, Inc.",Stock,Sale (Full),"$50,001 - $100,000",--,A\n'
    '01/16/2020,Self,BYND,Beyond Meat,Stock,Purchase,"$1,001 - $15,000",R,A\n'
    '02/16/2020,Self,BYND,"Beyond Meat, Inc.",Stock,Sale (Partial),"$1,001 - $15,000",R,A\n'
    '02/16/2020,Self,--,A bond &amp; more,Corporate Bond,Purchase,"Over $50,000,000",R,B\n'
)


def test_senate(tmp_path: Path) -> None:
    (tmp_path / "all_transactions.csv").write_text(TRADES)
    found = validated(senate.load(tmp_path))
    assert found.events[["product_id", "kind", "amount"]].to_numpy().tolist() == [
        ["BYND", "acquired", 8000.5],
        ["BYND", "dropped", 75000.5],
    ]
    assert found.products["name"].tolist() == ["Beyond Meat, Inc."], "the more frequent name"
    assert found.customers["customer_id"].tolist() == ["A", "B"]
    trades = found.extra["trades"]
    assert len(trades) == 4, "no row is lost"
    assert trades["usd"].iloc[3] == 50_000_000
    assert trades["asset_description"].iloc[3] == "A bond & more"
    (tmp_path / "all_transactions.csv").write_text(TRADES.replace("01/16/2020", "13/16/2020"))
    with pytest.raises(DataError, match="row 2, column transaction_date: '13/16/2020' is no date"):
        senate.load(tmp_path)


@pytest.mark.realdata
def test_senate_real(real_data: Path) -> None:
    found = validated(senate.load(real_data / "senate_trades"))
    assert len(found.extra["trades"]) == 8_350
    kinds = found.extra["trades"]["type"].value_counts()
    assert kinds["Purchase"] == 4_100
    assert (found.events["kind"] == "acquired").sum() == 3_113
    assert len(split(found).test.cases) > 5
