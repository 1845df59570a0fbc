"""Batch: everybody is scored in a process of its own, and the result can be fetched."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finrec import pipeline, records
from finrec.pipeline import outreach
from tests.app.conftest import Screen, calm, texts


def wait(state: str, seconds: float = 120) -> Any:
    """The newest batch, when it has this state."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = outreach.batches()[0]
        if found.state == state:
            return found
        assert found.state in ("waiting", "running"), found
        time.sleep(0.3)
    raise AssertionError(f"no batch became {state}")


def test_nothing_scored_yet(screen: Screen, trained: list[Any]) -> None:
    app = calm(screen("batch"))
    assert "No batch was scored yet." in texts(app)
    command = app.code[0].value
    assert command.startswith("0 2 * * * cd ")
    assert f"finrec batch {trained[1].id} -k 5 --suffix .parquet" in command


@pytest.mark.slow
def test_everybody_is_scored_and_the_result_is_there(screen: Screen, trained: list[Any]) -> None:
    app = screen("batch")
    app.number_input(key="batch k").set_value(3).run()
    app.selectbox(key="batch file").select(".csv").run()
    app = calm(app.button(key="start batch").click().run())
    batch = wait("done")
    app = calm(app.run())
    said = texts(app)
    assert "60 of 60 customers · 3 products each" in said
    table = pd.read_csv(Path(batch.file), encoding="utf-8-sig", dtype={"customer_id": str})
    assert set(table["customer_id"]) == set(pipeline.load(trained[1].id).known)
    assert f"`data/batches/{batch.name}/results.csv`" in said
    assert "exported" in set(records.find()["kind"])
    app = calm(app.button(key=f"delete {batch.name}").click().run())
    assert outreach.batches() == []
    assert "No batch was scored yet." in texts(app)


def test_stopped_batch_can_be_resumed(screen: Screen, trained: list[Any]) -> None:
    from finrec.pipeline import nightly

    name = nightly.create_batch(trained[1].id, 2)
    outreach.cancel_batch(name)
    app = calm(screen("batch"))
    assert "0 of 60 customers" in texts(app)
    app.button(key=f"resume {name}").click().run()
    wait("done")
    calm(app.run())
    outreach.delete_batch(name)
