"""A training's log as progress, curves and words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from finrec.figures import curves

START: dict[str, Any] = {"event": "start", "message": "Learning from the data"}


def step(epoch: int, share: float, loss: float, stage: str = "choose") -> dict[str, Any]:
    return {
        "event": "step", "stage": stage, "metric": "ndcg@5", "epoch": epoch, "epochs": 4,
        "share": share, "loss": loss, "targets_per_second": 900.0, "eta_seconds": 30.0,
    }  # fmt: skip


def done(epoch: int, loss: float, valid: float | None, stage: str = "choose") -> dict[str, Any]:
    return {
        "event": "epoch", "stage": stage, "metric": "ndcg@5", "epoch": epoch, "epochs": 4,
        "loss": loss, "valid": valid, "best": valid, "seconds": 9.0,
    }  # fmt: skip


def test_before_the_first_line() -> None:
    now = curves.progress(pd.DataFrame())
    assert (now.share, now.doing) == (0.0, "Starting")
    assert curves.describe_loss(pd.DataFrame()) == "No pass is finished yet."
    assert "first finished pass" in curves.loss(pd.DataFrame()).to_json()


def test_progress_within_a_pass() -> None:
    log = pd.DataFrame([START, done(1, 4.0, 0.1), step(1, 0.5, 3.9)])
    now = curves.progress(log)
    assert now.doing == "Learning, pass 2 of 4"
    assert now.share == pytest.approx(1.5 / 4)
    assert (now.loss, now.best, now.metric) == (3.9, 0.1, "ndcg@5")
    assert (now.rate, now.eta) == (900.0, 30.0)


@pytest.mark.parametrize(
    ("last", "doing", "share"),
    [
        ({"event": "text", "share": 0.25}, "Reading the products' descriptions", 0.25),
        (START, "Learning from the data", 0.0),
        ({"event": "evaluating"}, "Testing once on what was held out", 1.0),
        ({"event": "done"}, "Done", 1.0),
        (step(0, 0.5, 4.0, "refit"), "Learning again with everything before the test, pass 1 of 4",
         0.125),
        (done(4, 3.5, None, "refit"), "Learning again with everything before the test, pass 4 of 4",
         1.0),
    ],
)  # fmt: skip
def test_progress_by_event(last: dict[str, Any], doing: str, share: float) -> None:
    now = curves.progress(pd.DataFrame([START, last]))
    assert (now.doing, now.share) == (doing, share)


def test_curves_hold_each_pass_once_and_mark_the_best() -> None:
    log = pd.DataFrame(
        [START, done(1, 4.0, 0.10), done(2, 3.8, 0.30), done(2, 3.7, 0.31), done(3, 3.6, 0.20),
         done(1, 4.1, None, "refit")]
    )  # fmt: skip
    rows = curves.curve(log)
    assert rows[rows["stage"] == "choose"]["loss"].tolist() == [4.0, 3.7, 3.6], "resumed: once"
    figure = curves.loss(log)
    star = next(t for t in figure.data if t.mode == "markers")
    assert (list(star.x), list(star.y)) == ([2], [0.31])
    assert [t.name for t in figure.data if t.name][:2] == ["Learning", "Learning again"]
    said = curves.describe_loss(log)
    assert "In 3 passes the loss went from 4.000 to 3.600" in said
    assert "best validation NDCG@5 is 0.3100, after pass 2" in said
    assert len(curves.curve_table(log)) == 4


def test_the_kept_pass_is_marked_where_the_log_names_it_and_why_it_is_not_the_best() -> None:
    values = [0.10, 0.31, 0.12, 0.29, 0.30]
    told = zip(values, [1, 2, 2, 2, 5], strict=True)
    passes = [done(i, 4.0, v) | {"kept": k} for i, (v, k) in enumerate(told, 1)]
    log = pd.DataFrame([START, *passes, done(1, 4.1, None, "refit") | {"kept": 1}])
    star = next(t for t in curves.loss(log).data if t.mode == "markers")
    assert (list(star.x), list(star.y)) == ([5], [0.30])
    said = curves.describe_loss(log)
    assert "is 0.3100, after pass 2. Pass 5 is kept" in said
