"""Calls and campaigns, in words, tables and bars."""

from __future__ import annotations

import pandas as pd

from finrec.figures import outreach


def book() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["C1", "C2"],
            "product_id": ["P1", "P2"],
            "name": ["Fund", "Card"],
            "take_up": [0.0251, 0.5],
            "value": [2.5, 1.0],
            "state": ["warn", "ok"],
            "rules": ["Horizon unknown.", ""],
            "reason": ["Deposit runs out on 2025-01-18.", "Likes it."],
        }
    )


def test_calls_with_headings_and_dates_for_people() -> None:
    table = outreach.calls(book(), "EUR")
    assert table["Place"].tolist() == [1, 2]
    assert table["Why now"].tolist() == ["Deposit runs out on 18 Jan 2025.", "Likes it."]
    assert table["Chance"].tolist() == ["2.5%", "50.0%"]
    assert table["Worth (EUR)"].tolist() == ["2.50", "1.00"]
    assert table["Suitability"].tolist() == ["check first", "suitable"]


def test_book_in_a_sentence() -> None:
    assert outreach.describe_book(10, 10_000, 0) == (
        "10 calls of 10,000 customers, the most worthwhile first, and sooner where "
        "something makes the call timely."
    )
    assert "3 customers snoozed" in outreach.describe_book(1, 10, 3)


def plan() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["C1", "C2", "C3"],
            "product_id": ["P1", "P2", "P1"],
            "name": ["=Fund", "Card", "=Fund"],
            "take_up": [0.1, 0.2, 0.3],
            "value": [10.0, 4.0, 30.0],
            "state": ["ok", "warn", "ok"],
            "rules": ["", "Mind this.", ""],
        }
    )


def test_campaign_by_product() -> None:
    table = outreach.by_product(plan())
    assert table["Product"].tolist() == ["=Fund", "Card"]
    assert table["Offers"].tolist() == [2, 1]
    assert table["Expected"].round(6).tolist() == [0.4, 0.2]
    assert table["Worth"].tolist() == [40.0, 4.0]
    figure = outreach.campaign_bars(table)
    assert list(figure.data[0].x) == [2, 1]
    assert list(figure.data[0].text) == ["0.4 taken up", "0.2 taken up"]
    assert outreach.describe_campaign(table) == "3 offers of 2 products; most of =Fund, 2."
    assert outreach.describe_campaign(table.iloc[:0]) == "No offers are planned."
    assert "No offers are planned" in outreach.campaign_bars(table.iloc[:0]).to_json()


def test_campaign_list_has_a_reason_where_one_is_given() -> None:
    table = outreach.listed(plan(), "EUR")
    assert table["Expected worth (EUR)"].tolist() == [10.0, 4.0, 30.0]
    assert "Main reason" not in table
    with_reason = outreach.listed(plan().assign(reason=["a", "b", "c"]))
    assert with_reason["Main reason"].tolist() == ["a", "b", "c"]


def test_outcome_is_drawn_beside_the_forecast() -> None:
    came = pd.DataFrame(
        {"product_id": ["P1"], "planned": [100], "made": [80], "taken": [7], "expected": [5.5],
         "low": [2], "high": [10]}
    )  # fmt: skip
    forecast, taken = outreach.outcome(came, {"P1": "Fund"}).data
    assert list(taken.x) == [7]
    assert list(forecast.error_x.array) == [4.5]
    assert list(forecast.error_x.arrayminus) == [3.5]
    assert list(forecast.y) == ["Fund"]
    assert outreach.outcome_table(came, {}).iloc[0].to_dict() == {
        "Product": "P1", "Planned": 100, "Made": 80, "Taken up": 7, "Expected": 5.5,
        "From": 2, "To": 10,
    }  # fmt: skip


def test_saved_campaigns_in_words() -> None:
    saved = pd.DataFrame(
        {"campaign": ["Spring"], "time": pd.to_datetime(["2026-03-01 08:00"]), "who": ["ann"],
         "offers": [300], "expected": [5.73], "low": [2], "high": [10], "products": ["P1, P2"],
         "note": [""], "run": ["r"], "snapshot": ["s@1"]}
    )  # fmt: skip
    table = outreach.campaigns(saved)
    assert table["Expected take-ups"].tolist() == ["5.7 (2 to 10)"]
    assert table["Saved (UTC)"].tolist() == ["1 Mar 2026, 08:00"]


def test_earlier_snapshot_is_of_the_same_data() -> None:
    refs = ["a@3", "b@9", "a@2", "a@1"]
    assert outreach.earlier(refs, "a@3") == "a@2"
    assert outreach.earlier(refs, "a@1") is None
    assert outreach.earlier(refs, "b@9") is None
    assert outreach.earlier(refs, "c@1") is None
