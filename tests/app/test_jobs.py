"""Trainings on the Train page: their state is read off the disk, whoever started them."""

from __future__ import annotations

from typing import Any

import pytest

from finrec import pipeline
from finrec.figures import formats
from tests.app.conftest import HOSTILE, Screen, calm, texts, tiny


@pytest.fixture
def job(trained: list[Any]) -> Any:
    """A job that waits; no process works on it."""
    name = pipeline.jobs.create(tiny("+gnn", 5))
    yield name
    if pipeline.jobs.folder(name).exists():
        pipeline.jobs.finish(name, "cancelled", "")
        pipeline.jobs.forget(name)


def badges(app: Any) -> str:
    return "\n".join(m.value for m in app.markdown if "badge" in m.value)


def test_waiting_job_can_be_stopped_and_deleted(screen: Screen, job: str) -> None:
    app = calm(screen("train"))
    assert "waiting to start" in badges(app)
    assert "Events + graph · quick · seed 5" in texts(app)
    app = calm(app.button(key=f"stop {job}").click().run())
    assert pipeline.jobs.read(job).state == "cancelled"
    assert "cancelled" in badges(app)
    app = calm(app.button(key=f"delete {job}").click().run())
    assert pipeline.jobs.jobs() == []
    assert "Under way" not in texts(app)


def test_running_job_shows_progress_and_curves(screen: Screen, job: str) -> None:
    told = {"stage": "choose", "metric": "ndcg@3", "epochs": 4}
    epoch = {**told, "event": "epoch", "epoch": 1, "loss": 2.5, "valid": 0.2, "best": 0.2}
    step = {**told, "event": "step", "epoch": 1, "share": 0.5, "loss": 2.25,
            "targets_per_second": 1234.0, "eta_seconds": 75.0}  # fmt: skip
    with pipeline.jobs.working(job):
        pipeline.jobs.log(job, epoch)
        pipeline.jobs.log(job, step)
        app = calm(screen("train"))
    assert "running" in badges(app)
    shown = {m.label: m.value for m in app.metric}
    assert shown["Loss"] == "2.250"
    assert shown["Best validation NDCG@3"] == "0.2000"
    assert shown["Events a second"] == "1,234"
    assert shown["Left in this stage, at most"] == "1 min 15 s"
    assert formats.markdown("In 1 pass the loss went from 2.500 to 2.500") in texts(app)


def test_dead_job_can_go_on_and_a_failed_one_says_why(screen: Screen, job: str) -> None:
    with pipeline.jobs.working(job):
        pass  # the lock is let go of without a word, as by kill -9
    app = calm(screen("train"))
    assert "interrupted" in badges(app)
    assert app.button(key=f"resume {job}")
    pipeline.jobs.finish(job, "failed", HOSTILE)
    app = screen("train")
    assert not app.exception
    assert r"\*\*Gold\*\*" in app.error[0].value
