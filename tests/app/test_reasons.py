"""Campaign: the reasons of every offer of a saved campaign, found when asked for and saved."""

from __future__ import annotations

from typing import Any

from finrec.pipeline import outreach, reasons
from tests.app.conftest import Screen, calm, texts


def test_reasons_of_a_saved_campaign_are_found_and_saved(
    screen: Screen, trained: list[Any], shared_home: Any
) -> None:
    for name in ("records.duckdb", "records.lock", "policy.toml"):
        (shared_home / "data" / name).unlink(missing_ok=True)
    plan = outreach.plan(trained[1].id, ["P09", "P10"], budgets=2)
    outreach.save_campaign(plan, "Summer")
    app = calm(screen("campaign"))
    app = calm(app.button(key="campaign reasons of").click().run(timeout=120))
    expected = reasons.campaign_reasons("Summer")
    assert app.session_state["campaign reasons"].frame.equals(expected.frame)
    assert expected.sentence in texts(app).replace("\\", "")
    assert [b.key for b in app.get("download_button")].count("save campaign reasons") == 1
