"""How things stand: what wants doing comes first, and plurals are right."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from finrec.figures import health
from finrec.pipeline.health import Health

TODAY = date(2026, 11, 23)
FINE = Health(TODAY, 0, None, False, True, True, {}, "Ours", True)


def sentences(found: Health, model: bool = True) -> str:
    """All that is said."""
    return " ".join(f.sentence for f in health.findings(found, model, TODAY))


def test_all_is_well() -> None:
    assert {f.level for f in health.findings(FINE, True, TODAY)} == {"good"}


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({"last": None}, "bad", "hold no event"),
        ({"last": date(2025, 1, 1)}, "watch", "The data end on 1 Jan 2025"),
        ({"newer": "demo@2"}, "watch", "Newer data are here"),
        ({"erased": True}, "bad", "was erased"),
        ({"measured": False}, "watch", "earlier version"),
        ({"signed": False}, "watch", "Nobody has signed"),
        ({"jobs": {"failed": 1}}, "bad", "1 training failed."),
        ({"jobs": {"failed": 2}}, "bad", "2 trainings failed."),
        ({"jobs": {"queued": 1}}, "watch", "1 training waits."),
        ({"jobs": {"queued": 2, "running": 1}}, "watch", "1 training is running, 2 wait."),
        ({"own_policy": False}, "watch", "The built-in policy"),
    ],
)
def test_what_wants_doing_comes_first_with_a_way_on(change: dict, level: str, said: str) -> None:
    first = health.findings(replace(FINE, **change), True, TODAY)[0]
    assert first.level == level and said in first.sentence and first.page and first.label


def test_without_a_model_nothing_is_said_of_one() -> None:
    bad = replace(FINE, newer="demo@2", erased=True, measured=False, signed=False)
    assert "model" not in sentences(bad, model=False)
    assert "1 customer without an event" in sentences(replace(FINE, without_events=1))


def test_work_in_words() -> None:
    assert health.under_way({}) == "" and health.under_way({"stopped": 3}) == ""
    assert health.under_way({"running": 2}) == "2 trainings are running"
    assert health.under_way({"running": 1, "queued": 1}) == "1 training is running, 1 waits"
    assert health.under_way({"queued": 3}) == "3 trainings wait"
