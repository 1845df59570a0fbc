"""My book and Records: what is worth a call, what is done about it, and that it can be undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from finrec import pipeline, records
from finrec.pipeline import outreach
from finrec.schema import DataError
from pages import frame, kept, memory
from tests.app.conftest import Screen, calm, texts, turned


@pytest.fixture
def fresh(trained: list[Any], shared_home: Any) -> list[Any]:
    """The trained models, with nothing recorded yet and the built-in policy."""
    for name in ("records.duckdb", "records.lock", "policy.toml"):
        (shared_home / "data" / name).unlink(missing_ok=True)
    return trained


def shown(app: AppTest) -> list[str]:
    """Customers of the calls, in their order."""
    return [str(b.key).removeprefix("open ") for b in app.button if str(b.key).startswith("open ")]


def test_book_lists_the_calls_of_the_pipeline(screen: Screen, fresh: list[Any]) -> None:
    app = calm(screen("book"))
    expected = outreach.book(fresh[1].id, limit=10)
    assert len(expected.frame) > 0
    assert shown(app) == expected.frame["customer_id"].tolist()
    said = texts(app)
    assert f"{len(expected.frame)} calls of 60 customers" in said
    assert "The data end on" in said


def test_book_says_when_worth_counts_invented_margins(
    screen: Screen, fresh: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "margins, which are invented" not in texts(calm(screen("book")))  # the data are, too
    made = next(s for s in pipeline.snapshots() if s.ref == fresh[1].settings.snapshot)
    own_data = replace(made, info=replace(made.info, generated=False))
    monkeypatch.setattr(frame, "snapshot", lambda: own_data)
    assert "margins, which are invented" in texts(calm(screen("book")))
    own = outreach.default_policy_text().replace("fund = 120.0", "fund = 80.0")
    outreach.save_policy(own)
    assert "margins, which are invented" not in texts(calm(screen("book")))


def test_what_is_shown_is_recorded_once_a_day(screen: Screen, fresh: list[Any]) -> None:
    app = calm(screen("book"))
    listed = outreach.book(fresh[1].id, limit=10).frame
    found = records.find(kinds=("shown",))
    pairs = set(zip(listed["customer_id"], listed["product_id"], strict=True))
    assert set(zip(found["customer_id"], found["product_id"], strict=True)) == pairs
    assert len(found) == len(listed) and set(found["run"]) == {fresh[1].id}
    calm(app.run())
    calm(screen("book"))  # another session
    assert len(records.find(kinds=("shown",))) == len(listed)
    calm(screen("customers"))
    calm(screen("customers"))
    more = records.find(kinds=("shown",))
    more = more[more["rank"].notna()]
    assert sorted(more["rank"]) == [1, 2, 3, 4, 5] and more["customer_id"].nunique() == 1
    assert more["propensity"].notna().sum() == 1


def test_snoozed_customer_leaves_the_book_and_undo_brings_them_back(
    screen: Screen, fresh: list[Any]
) -> None:
    app = calm(screen("book"))
    before = shown(app)
    app = calm(app.button(key=f"snooze {before[0]} In a week").click().run())
    assert before[0] not in shown(app)
    assert "is snoozed until" in texts(app)
    assert "1 customer snoozed or called lately" in texts(app)
    entry = records.find(kinds=("snoozed",)).iloc[0]
    assert (entry["customer_id"], entry["run"]) == (before[0], fresh[1].id)
    app = calm(app.button(key="take back").click().run())
    assert shown(app) == before
    assert records.find(kinds=("snoozed",))["undone"].tolist() == [True]


def test_done_records_the_answer_with_its_reason(screen: Screen, fresh: list[Any]) -> None:
    app = calm(screen("book"))
    first = shown(app)[0]
    app.radio(key=f"answer {first}").set_value("not_suitable").run()
    app.selectbox(key=f"reason {first}").select("too_risky").run()
    app.text_input(key=f"note {first}").set_value("after a long talk").run()
    app = calm(app.button(key=f"close {first}").click().run())
    assert first not in shown(app)
    found = records.find(kinds=("done", "not_suitable"))
    assert found["kind"].tolist() == ["done", "not_suitable"]
    answer = found.iloc[1]
    assert (answer["reason_code"], answer["note"], answer["channel"]) == (
        "too_risky", "after a long talk", "call",
    )  # fmt: skip
    app = calm(app.button(key="take back").click().run())
    assert first in shown(app)
    assert records.find(kinds=("done", "not_suitable"))["undone"].all()


def test_book_is_empty_when_nothing_is_worth_a_call(screen: Screen, fresh: list[Any]) -> None:
    text = outreach.default_policy_text().replace("call_cost = 1.0", "call_cost = 100000.0")
    outreach.save_policy(text)
    app = calm(screen("book"))
    assert shown(app) == []
    assert "Nothing is worth a call today" in texts(app)


def test_open_chooses_the_customer_and_keeps_the_address_clean(
    screen: Screen, fresh: list[Any]
) -> None:
    app = calm(screen("book"))
    first = shown(app)[0]
    app = calm(app.button(key=f"open {first}").click().run())
    assert app.session_state["customer"] == first
    assert set(app.query_params) == {"data", "model"}


def test_a_customer_is_opened_with_the_model_that_is_chosen(
    screen: Screen, fresh: list[Any]
) -> None:
    app = calm(screen("book", model=fresh[0].id))
    assert app.sidebar.selectbox(key="model").value == fresh[0].id
    first = shown(app)[0]
    app = calm(app.button(key=f"open {first}").click().run())
    assert app.title[0].value == "Customers"
    assert app.sidebar.selectbox(key="model").value == fresh[0].id  # not the newest, fresh[1]
    assert app.selectbox(key="customer").value == first


def test_records_begin_empty_and_say_where_they_come_from(screen: Screen, fresh: list[Any]) -> None:
    app = calm(screen("records"))
    assert "Nothing is recorded yet" in texts(app)
    app = turned(app, "records part", "Sign-offs")
    assert "Nothing is signed off yet." in texts(app)
    app = turned(app, "records part", "Audit")
    assert "0 records, and every seal fits." in texts(app)


def test_records_are_searched(screen: Screen, fresh: list[Any]) -> None:
    outreach.record("offered", "013", "P1", note="by the window")
    outreach.record("declined", "014", "P2", reason_code="price")
    app = calm(screen("records"))
    assert "2 records." in texts(app)
    table = app.dataframe[0].value
    assert table["Customer"].tolist() == ["014", "013"]
    app = calm(app.text_input(key="record text").set_value("window").run())
    assert app.dataframe[0].value["Customer"].tolist() == ["013"]
    app = calm(app.text_input(key="record text").set_value("nobody").run())
    assert "No record fits." in texts(app)
    app.text_input(key="record text").set_value("").run()
    app = calm(app.multiselect(key="record kinds").set_value(["declined"]).run())
    assert app.dataframe[0].value["Reason"].tolist() == ["price"]


def test_model_is_signed_off_with_a_reason(screen: Screen, fresh: list[Any]) -> None:
    app = turned(screen("records"), "records part", "Sign-offs")
    submit = next(b for b in app.button if b.label == "Sign off")
    app = calm(submit.click().run())
    assert "a sign-off without a reason is none" in texts(app)
    app.text_area(key="sign-off note").set_value("Backtest and groups looked at.")
    app = calm(next(b for b in app.button if b.label == "Sign off").click().run())
    entry = records.find(kinds=("signed_off",)).iloc[0]
    assert (entry["run"], entry["note"]) == (fresh[1].id, "Backtest and groups looked at.")
    assert any("Backtest and groups" in str(d.value.to_dict()) for d in app.dataframe)


def test_changed_record_is_found(screen: Screen, fresh: list[Any]) -> None:
    import duckdb

    outreach.record("offered", "013", "P1")
    with duckdb.connect(str(records.path())) as db:
        db.execute("UPDATE entries SET product_id = 'P9'")
    app = screen("records")
    app.session_state["records part"] = "Audit"
    app.run()
    assert "1 record of 1 was changed or follows a removed one" in app.error[0].value


def test_accepted_offer_becomes_data_to_learn_from(screen: Screen, fresh: list[Any]) -> None:
    offer = outreach.offers(fresh[1].id, "013", 1).frame.iloc[0]
    outreach.record(
        "accepted", "013", str(offer["product_id"]), snapshot=fresh[1].settings.snapshot
    )
    app = turned(screen("records"), "records part", "Learn from answers")
    assert "**1 accepted offer** can be added" in texts(app)
    app = calm(app.button(key="off-policy").click().run())
    assert "are needed" in texts(app)


def test_a_file_is_recorded_before_it_leaves_or_stays() -> None:
    told: list[str] = []
    assert kept.recorded(lambda: b"list", told.append)() == b"list"
    assert told == [""], "nobody is asked to sign in here"

    def full(saver: str) -> None:
        raise DataError("The disk is full.")

    with pytest.raises(DataError, match="full"):
        kept.recorded(lambda: b"list", full)()


def test_one_model_is_in_memory_for_everybody(screen: Screen, trained: list[Any]) -> None:
    memory.loaded.clear()
    read = []
    original = pipeline.load

    def load(run: str) -> Any:
        read.append(run)
        return original(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "load", load)
        for _ in range(2):  # two sessions
            calm(screen("customers"))
    assert len(read) == 1
