"""What a policy keeps back and what was recorded, in words, tables and bars."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd

from finrec.figures import governing

STATES = ("ok", "warn", "needs advice", "blocked")


@dataclass(frozen=True)
class Applied:
    """A gate of two customers and three products."""

    state: np.ndarray
    rule: np.ndarray
    rules: tuple[SimpleNamespace, ...]


APPLIED = Applied(
    np.array([[0, 1, 3], [3, 1, 1]], np.int8),
    np.array([[-1, 0, 1], [1, 0, 0]], np.int16),
    (
        SimpleNamespace(code="soft", sentence="Mind <this>.", state="warn"),
        SimpleNamespace(code="hard", sentence="Never.", state="blocked"),
    ),
)


def test_rules_that_decided_are_counted() -> None:
    table = governing.kept_back(APPLIED, STATES)
    assert table["rule"].tolist() == ["soft", "hard"]
    assert table["pairs"].tolist() == [3, 2]
    assert governing.kept_back(APPLIED, ("blocked",))["rule"].tolist() == ["hard"]
    shares = governing.shares_by_state(APPLIED, STATES)
    assert shares == {"ok": 1 / 6, "warn": 0.5, "needs advice": 0.0, "blocked": 2 / 6}


def test_rules_are_drawn_by_what_they_lead_to_and_said() -> None:
    table = governing.kept_back(APPLIED, STATES)
    figure = governing.rule_bars(table)
    assert {t.name: list(t.x) for t in figure.data} == {"check first": [3], "not allowed": [2]}
    assert "<this>" not in figure.to_json()
    assert governing.describe_rules(table) == (
        "2 rules bite; most often: Mind <this> (check first, 3 pairs)."
    )
    assert governing.rules_table(table)["Leads to"].tolist() == ["check first", "not allowed"]
    assert "No rule" in governing.describe_rules(table.iloc[:0])
    assert "No rule bites" in governing.rule_bars(table.iloc[:0]).to_json()


def found() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["b", "a"],
            "time": pd.to_datetime(["2026-01-02 10:00", "2026-01-01 09:30"]),
            "who": ["ann", "bob"],
            "kind": ["declined", "offered"],
            "customer_id": ["C1", "C1"],
            "product_id": ["P1", "P1"],
            "snapshot": ["s@1", "s@1"],
            "run": ["r", "r"],
            "probability": [np.nan, 0.123],
            "reason_code": ["price", ""],
            "note": ["", ""],
            "campaign": ["", "spring"],
            "detail": ["", '{"until": "2026-02-01"}'],
            "undone": [False, True],
        }
    )


def test_records_in_words() -> None:
    table = governing.records(found())
    assert table["What"].tolist() == ["declined", "offered (taken back)"]
    assert table["When (UTC)"].tolist() == ["2 Jan 2026, 10:00", "1 Jan 2026, 09:30"]
    said = governing.entry(found().iloc[1])
    assert dict(zip(said["Field"], said["Value"], strict=True)) == {
        "Id": "a", "When (UTC)": "1 Jan 2026, 09:30", "Who": "bob", "What": "offered",
        "Customer id": "C1", "Product id": "P1", "Snapshot": "s@1", "Run": "r",
        "Probability": "12.3%", "Campaign": "spring", "Until": "2026-02-01",
    }  # fmt: skip


def test_counts_are_of_kinds_with_what_was_taken_back() -> None:
    table = governing.counts(found())
    assert table.to_dict("list") == {
        "What": ["declined", "offered"], "Records": [1, 1], "Taken back": [0, 1],
    }  # fmt: skip
    assert governing.describe_counts(table) == "2 records; most often: declined, 1."
    assert list(governing.count_bars(table).data[0].y) == ["declined", "offered"]
    assert governing.describe_counts(table.iloc[:0]) == "Nothing is recorded yet."


def test_seals_in_words() -> None:
    assert governing.verified(3, 0, ()) == "3 records, and every seal fits."
    assert "1 record of erased customers are empty" in governing.verified(3, 1, ())
    assert governing.verified(1200, 0, (7, 9)).startswith(
        "2 records of 1,200 were changed or follow a removed one, the first at number 7, 9."
    )


def test_accepted_offers_in_words() -> None:
    assert "nothing to add" in governing.accepted(0, 0, 0)
    words = governing.accepted(2, 1, 3)
    assert words.startswith("**2 accepted offers** can be added")
    assert "1 more are in the data already" in words
    assert "3 more are of products" in words


def test_sign_offs_say_of_what() -> None:
    rows = found().assign(detail=['{"policy": "Ours"}', ""])
    assert governing.signed(rows)["What"].tolist() == ["Policy: Ours", "Model: r"]
