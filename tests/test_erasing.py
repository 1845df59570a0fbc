"""An erasure that was ended half-way leaves nothing that a second one would not find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finrec import config, snapshots
from finrec.snapshots import store
from tests.test_snapshots import tiny


def learned() -> tuple[str, Path]:
    """A snapshot, and the folder of a run that learned from it."""
    made = snapshots.write(tiny())
    run = config.models_dir() / "run-1"
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"snapshot": made.ref}))
    return made.ref, run


def test_models_are_flagged_before_what_they_learned_from_is_gone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, run = learned()
    delete = store.delete

    def killed(snapshot: snapshots.Snapshot) -> None:
        delete(snapshot)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        snapshots.erase("cust-2")
    assert json.loads((run / "flags.json").read_text())[0]["snapshot"] == ref


def test_a_run_is_flagged_once_when_an_erasure_is_done_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, run = learned()
    delete = store.delete

    def killed(snapshot: snapshots.Snapshot) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        snapshots.erase("cust-2")
    monkeypatch.setattr(store, "delete", delete)
    done = snapshots.erase("cust-2")
    assert done.runs == ("run-1",) and done.proven
    assert len(json.loads((run / "flags.json").read_text())) == 1
