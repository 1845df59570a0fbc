"""Market series in every form, features by hand, and nothing known before its time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finrec.datasets import fartrans, market, senate, series
from finrec.datasets.market_features import as_of, price_features, regime
from finrec.pipeline import ingest
from finrec.schema import DataError, validated
from finrec.split import split

CSV = "Date,Open,Close,Adj. Close\n2020-01-03,3,4,2.0\n2020-01-02,1,2,1.0\n"
JSON = {
    "dataset": {
        "dataset_code": "ABC",
        "database_code": "WIKI",
        "name": "A B C Inc.",
        "description": "Prices",
        "column_names": ["Date", "Open", "Close", "Adj. Close"],
        "data": [["2020-01-03", 3, 4, 2.0], ["2020-01-02", 1, 2, 1.0]],
    }
}
XML = """<?xml version="1.0" encoding="UTF-8"?>
<quandl-response><dataset><dataset-code>ABC</dataset-code><name>A B C Inc.</name>
<description>Prices</description><column-names type="array">
<column-name>Date</column-name><column-name>Open</column-name><column-name>Close</column-name>
<column-name>Adj. Close</column-name></column-names><data type="array">
<datum type="array"><datum type="date">2020-01-03</datum><datum type="float">3</datum>
<datum type="float">4</datum><datum type="float">2.0</datum></datum>
<datum type="array"><datum type="date">2020-01-02</datum><datum type="float">1</datum>
<datum type="float">2</datum><datum type="float">1.0</datum></datum></data></dataset>
</quandl-response>"""


@pytest.mark.parametrize(
    ("name", "content"), [("ABC.csv", CSV), ("x.json", json.dumps(JSON)), ("x.xml", XML)]
)
def test_one_series_in_three_forms(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = series.read(tmp_path / name)
    assert found.code == "ABC" and found.price() == "Adj. Close"
    assert found.values["time"].dt.day.tolist() == [2, 3], "oldest first"
    assert found.values["Adj. Close"].tolist() == [1.0, 2.0]
    assert found.values["Open"].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "Date,Close\n2020-13-01,1\n", "row 1, column Date: '2020-13-01' is no date"),
        ("a.csv", "Date,Close\n2020-01-01,1\n2020-01-02,x\n", "row 2, column Close: 'x' is no n"),
        ("a.csv", "Date,Close\n2020-01-01,1\n2020-01-01,2\n", "2020-01-01 stands twice"),
        ("a.csv", "Date\n", "no row with a date"),
        ("a.csv", "", "can't be read as CSV"),
        ("a.json", "[1]", "not a time series"),
        ("a.json", "{", "not a time series"),
        ("a.json", "[" * 100_000, "not a time series"),
        ("a.xml", "<a><b></a>", "is not XML"),
        ("a.xml", "<a/>", "not a time series in XML"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares entities"),
        ("a.csv", "Date,Open,High\n2020-01-01,1,2\n", "no column that is a price"),
    ],
)
def test_bad_series_are_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=says):
        market.load(tmp_path)


def prices(product: str, days: pd.DatetimeIndex, level: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"product_id": product, "time": days, "price": level})


def test_features_by_hand() -> None:
    days = pd.bdate_range("2020-01-01", periods=600)
    rng = np.random.default_rng(1)
    moves = rng.normal(0, 0.01, 600)
    index = 100 * np.exp(np.cumsum(moves))
    own = 50 * np.exp(np.cumsum(2 * moves))
    both = pd.concat([prices("I", days, index), prices("A", days, own)])
    found = price_features(both, "I")
    last = found[found["product_id"] == "A"].iloc[-1]
    year_ago = own[days <= days[-1] - pd.Timedelta("365D")][-1]
    assert last["return_year"] == pytest.approx(own[-1] / year_ago - 1)
    window = days > days[-1] - pd.Timedelta("365D")
    assert last["volatility"] == pytest.approx(2 * moves[window].std(ddof=1) * np.sqrt(252))
    assert last["drawdown"] == pytest.approx(own[-1] / own[window].max() - 1)
    assert last["beta"] == pytest.approx(2.0)
    assert found[found["product_id"] == "I"]["beta"].iloc[-1] == pytest.approx(1.0)
    assert found.groupby("product_id")["return_year"].head(1).isna().all()


def test_a_later_price_never_changes_an_earlier_feature() -> None:
    days = pd.bdate_range("2020-01-01", periods=500)
    level = 10 + np.sin(np.arange(500.0))
    changed = level.copy()
    changed[400:] *= 3
    before = price_features(prices("A", days, level), "A")
    after = price_features(prices("A", days, changed), "A")
    pd.testing.assert_frame_equal(before[:400], after[:400])
    assert not np.allclose(before["drawdown"][400:], after["drawdown"][400:])


def test_an_event_knows_only_what_was_known_the_day_before() -> None:
    days = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"])
    table = pd.DataFrame({"product_id": "A", "time": days, "x": [1.0, 2.0, 3.0]})
    moments = pd.to_datetime(["2020-01-03 17:00", "2020-01-01 09:00", "2020-02-01 00:00"])
    events = pd.DataFrame({"product_id": ["A", "A", "B"], "time": moments}, index=[5, 6, 7])
    found = as_of(events, table, by_product=True)
    assert found["x"].tolist()[0] == 2.0 and found["x"].isna().tolist() == [False, True, True]
    assert list(found.index) == [5, 6, 7]
    assert as_of(events, table, by_product=False)["x"].tolist()[2] == 3.0


def test_the_regime_waits_for_publication_and_forgets() -> None:
    month = pd.DataFrame({"time": pd.to_datetime(["2020-01-01"]), "value": [5.0]})
    daily = pd.DataFrame({"time": pd.date_range("2020-01-01", "2020-12-31"), "value": 1.0})
    found = regime({"inflation": (month, 46), "vix": (daily, 0)}).set_index("time")["inflation"]
    assert found[:"2020-02-15"].isna().all()
    assert found["2020-02-16":"2020-09-01"].eq(5.0).all()
    assert np.isnan(found.iloc[-1]), "a figure of ten months ago says nothing"


FAR = {
    "customer_information": "customerID,customerType,riskLevel,investmentCapacity,"
    "lastQuestionnaireDate,timestamp\nA,Mass,Predicted_Income,Not_Available,2000-01-01,2020-01-01\n"
    "A,Premium,Balanced,CAP_LT30K,2020-05-05,2021-01-01\n",
    "asset_information": "ISIN,assetName,assetShortName,assetCategory,assetSubCategory,marketID,"
    "sector,industry,timestamp\nX1,Fund One,FO,MTF,Bond,XATH,,,2018-01-01\n",
    "transactions": "customerID,ISIN,transactionID,transactionType,timestamp,totalValue,units,"
    "channel,marketID\nA,X1,3,Sell,2020-03-01,5,1,Branch,XATH\nA,X1,1,Buy,2020-01-01,10,2,"
    "Branch,XATH\nA,X1,4,Sell,2020-04-01,6,1,Branch,XATH\nB,X2,5,Buy,2020-04-01,6,1,Branch,XATH\n",
    "close_prices": "ISIN,timestamp,closePrice\nX1,2020-01-01,5.0\nX1,2020-01-02,5.5\n",
}


def test_fartrans_follows_units(tmp_path: Path) -> None:
    for name, content in FAR.items():
        (tmp_path / f"{name}.csv").write_text(content)
    found = validated(fartrans.load(tmp_path))
    rows = found.events[["customer_id", "product_id", "kind", "amount"]].to_numpy().tolist()
    assert rows == [
        ["A", "X1", "acquired", 10.0],
        ["A", "X1", "dropped", 6.0],
        ["B", "X2", "acquired", 6.0],
    ]
    assert len(found.extra["sales"]) == 1 and len(found.extra["prices"]) == 2
    person = found.customers.iloc[0]
    assert (person["customer_type"], person["risk_level"]) == ("Premium", "Balanced")
    assert person["risk_level_predicted"] == "no"
    assert found.products["name"].tolist() == ["Fund One", "X2"]
    (tmp_path / "transactions.csv").write_text(FAR["transactions"].replace("Buy", "Gift", 1))
    with pytest.raises(DataError, match="row 2, column transactionType: 'Gift'"):
        fartrans.load(tmp_path)
    (tmp_path / "transactions.csv").unlink()
    with pytest.raises(DataError, match=r"no transactions\.csv"):
        fartrans.load(tmp_path)


@pytest.mark.realdata
def test_fartrans_partial(real_data: Path) -> None:
    with pytest.raises(DataError, match=r"no transactions\.csv"):
        fartrans.load(real_data / "far_trans_partial")
    found = validated(fartrans.load(real_data / "far_trans_partial", partial=True))
    assert (len(found.customers), len(found.products), len(found.events)) == (29_090, 806, 0)


@pytest.mark.realdata
def test_market_real_and_joined_to_trades(real_data: Path) -> None:
    found = validated(market.load(real_data / "market"))
    assert {"AAPL", "SPY", "SP500", "Gold", "EUR per USD", "USD per Japan"} <= set(
        found.products["product_id"]
    )
    assert found.products.set_index("product_id").loc["AAPL", "name"] == "Apple Inc."
    features = found.extra["price_features"]
    apple = features[features["product_id"] == "AAPL"].set_index("time")
    assert apple.loc["2008-11-20", "drawdown"] == pytest.approx(-0.59, abs=0.02)
    state = found.extra["regime"].set_index("time")
    assert state["vix"].max() == pytest.approx(82.69), "16 March 2020"
    assert state["inflation"].loc["2022-07-18"] == pytest.approx(9.1, abs=0.1)
    assert state["inflation"].min() > -25, "zeros that stand for unknown are not read"
    trades = market.join(senate.load(real_data / "senate_trades"), found).events
    assert trades["short_rate"].notna().all()
    assert trades["volatility"].notna().sum() > 400
    one = trades[trades["product_id"] == "AAPL"].iloc[0]
    before = apple[apple.index < one["time"]].iloc[-1]
    assert one["drawdown"] == before["drawdown"]


def test_any_source_can_be_joined_to_market_series_and_keeps_the_economys_state(
    home: Path, tmp_path: Path
) -> None:
    (tmp_path / "fund.csv").write_text(CSV)
    days = pd.date_range("2020-01-01", "2026-12-31", freq="D")
    rates = "\n".join(f"{d:%Y-%m-%d},{i % 7}" for i, d in enumerate(days))
    (tmp_path / "FRED-RATE.csv").write_text("Date,Value\n" + rates)
    made = ingest("demo", None, {"market": str(tmp_path)})
    data = made.load()
    (column,) = [c for c in data.extra["regime"] if c != "time"]
    for event in data.events.iloc[[0, len(data.events) // 2, -1]].to_dict("records"):
        before = (event["time"].normalize() - days[0]).days - 1
        assert event[column] == before % 7
    assert split(data).regime is not None
