"""What lists weigh besides fit: measured settings, in words and drawn."""

from __future__ import annotations

import tomllib

import pandas as pd
import pytest

from finrec.figures import weighing


def front() -> pd.DataFrame:
    rows = [
        (0.0, 0.0, 0, 0.230, 0.75, 0.30, 0.73, 49.5, True),
        (0.25, 0.0, 0, 0.241, 0.73, 0.29, 0.74, 54.3, True),
        (0.0, 0.1, 0, 0.225, 0.73, 0.29, 0.76, 49.0, False),
        (0.0, 0.0, 1, 0.230, 1.00, 0.30, 0.73, 49.5, True),
    ]
    names = ["value", "variety", "fewest", "ndcg@10", "coverage", "evenness", "diversity", "worth",
             "front"]  # fmt: skip
    both = [*rows, (0.0, 0.05, 0, 0.227, 0.74, 0.29, 0.77, 49.1, True)]
    by = ["mmr"] * len(rows) + ["dpp"]
    return pd.DataFrame(both, columns=names).assign(variety_by=by)


def test_steps_are_of_one_goal_while_the_other_is_left_alone() -> None:
    assert weighing.steps(front(), "value") == [0.0, 0.25]
    assert weighing.steps(front(), "variety") == [0.0, 0.1]
    assert weighing.steps(front(), "dpp") == [0.0, 0.05]
    chosen = weighing.setting(front(), "dpp", 0.05)
    assert chosen["worth"] == 49.1
    assert weighing.weights(chosen) == "variety within a list, by DPP 0.05"
    assert weighing.setting(front(), "value", 0.25)["worth"] == 54.3


def test_setting_is_told_against_fit_alone() -> None:
    chosen = weighing.setting(front(), "value", 0.25)
    assert weighing.describe(front(), "worth", chosen) == (
        "Worth to the bank 0.25: NDCG@10 0.2410 against 0.2300 with fit alone, "
        "worth of hits 54.30 against 49.50."
    )
    assert weighing.change(54.3, 49.5) == "+9.7%"
    assert weighing.change(49.5, 54.3) == "-8.8%", "the arrow of st.metric goes by the hyphen"
    assert weighing.change(1.0, 0.0) is None
    assert weighing.change(1.0, 1.0) is None
    assert weighing.describe(front(), "worth", front().iloc[0]) == (
        "Fit alone: NDCG@10 0.2300, worth of hits 49.50; 4 other settings are drawn."
    )
    assert weighing.said("coverage", 0.73) == "73.0%"


def test_scatter_holds_every_setting_and_marks_the_chosen_one() -> None:
    figure = weighing.scatter(front(), "coverage", weighing.setting(front(), "variety", 0.1))
    by_name = {t.name: t for t in figure.data}
    assert list(by_name["beaten by another"].x) == [0.225]
    assert list(by_name["not beaten"].y) == [0.75, 0.73, 1.0, 0.74]
    assert (list(by_name["chosen above"].x), list(by_name["chosen above"].y)) == ([0.225], [0.73])
    assert "each product shown 1 time or more" in figure.to_json()


def test_table_says_what_each_setting_weighs() -> None:
    table = weighing.table(front())
    assert table["Weighs"].tolist()[:2] == ["Fit alone", "Worth to the bank 0.25"]
    assert table["Products shown to anybody"].tolist()[3] == "100.0%"


@pytest.mark.parametrize(
    "text",
    [
        'title = "x"\n',
        'title = "x"\n[lists]  # remark\n[value]\nvalue = 3\n',
        'title = "x"\n[lists]\nvalue = 0.9  # keep\nvariety = 0.1\n[value]\nvalue = 3\n',
    ],
)
def test_weights_are_written_into_a_policys_text(text: str) -> None:
    told = tomllib.loads(weighing.with_lists(text, 0.25, 0.5))
    assert told["lists"] == {"value": 0.25, "variety": 0.5}
    assert told["title"] == "x"
    assert told.get("value", {"value": 3}) == {"value": 3}
    again = tomllib.loads(weighing.with_lists(text, 0.25, 0.5, "dpp"))
    assert again["lists"] == {"value": 0.25, "variety": 0.5, "variety_by": "dpp"}
    back = weighing.with_lists(weighing.with_lists(text, 0.25, 0.5, "dpp"), 0, 0.1, "mmr")
    assert tomllib.loads(back)["lists"] == {"value": 0, "variety": 0.1, "variety_by": "mmr"}
    if "keep" in text:
        assert "# keep" in weighing.with_lists(text, 0.25, 0.5)
