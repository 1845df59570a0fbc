"""The model in use, and models as files: what is odd is refused with a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finrec import pipeline, presets, schema, snapshots
from finrec.pipeline import keeping, outreach

TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}


@pytest.fixture(scope="module")
def run(shared_home: Path, small_dataset: schema.Dataset) -> Any:
    snapshot = snapshots.write(small_dataset, {"source": "tests", "files": []})
    course = {"epochs": 1, "batch": 32}
    told = presets.settings(snapshot.info, snapshot.ref, "quick", "+gnn", 0, "cpu", TINY, course)
    return pipeline.train(told)


def repacked(content: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """A packed run with other files."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        files = {n: packed.read(n) for n in packed.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, inside in files.items():
            packed.writestr(name, inside)
    return out.getvalue()


def renamed(content: bytes, old: str, new: str) -> bytes:
    def change(files: dict[str, bytes]) -> None:
        for name in list(files):
            files[name.replace(old, new, 1)] = files.pop(name)

    return repacked(content, change)


def test_model_is_put_into_use_with_a_note_and_signed_off(run: Any) -> None:
    ref = run.settings.snapshot
    assert keeping.active(ref) is None
    with pytest.raises(schema.DataError, match="with a note"):
        keeping.promote(run.id, "  ")
    assert keeping.active(ref) is None
    keeping.promote(run.id, "Better than the last one.", "Ada")
    assert keeping.active(ref) == run.id
    assert keeping.activated(ref)["who"] == "Ada"
    (signed,) = outreach.find_records(kinds=["signed_off"]).to_dict("records")
    assert (signed["run"], signed["note"]) == (run.id, "Better than the last one.")
    with pytest.raises(schema.CheckpointError):
        keeping.promote("nothing", "x")
    assert keeping.stale(run) is None


def test_run_packed_and_brought_in_scores_the_same(run: Any) -> None:
    content = renamed(keeping.pack(run.id), run.id, "brought")
    made = keeping.bring_in(content, "brought.zip")
    assert made.id == "brought"
    ours, theirs = pipeline.load(run.id), pipeline.load("brought")
    people = ours.cohort(["001", "007"])
    np.testing.assert_array_equal(ours.scorer.score(people), theirs.scorer.score(people))
    with pytest.raises(schema.CheckpointError, match="already"):
        keeping.bring_in(content, "brought.zip")


def odd_settings(files: dict[str, bytes]) -> None:
    told = json.loads(files["odd/config.json"])
    told["model"]["width"] = 32
    files["odd/config.json"] = json.dumps(told).encode()


def odd_shape(files: dict[str, bytes]) -> None:
    told = json.loads(files["odd/config.json"])
    told["model"]["layers"] = 3
    files["odd/config.json"] = json.dumps(told).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.update({"../evil.json": b"{}"}), "no file of a run"),
        (lambda f: f.update({"/etc/config.json": b"{}"}), "no file of a run"),
        (lambda f: f.update({"odd/deep/config.json": b"{}"}), "no file of a run"),
        (lambda f: f.update({"odd/weights.pkl": b"x"}), "no file of a run"),
        (lambda f: f.update({"other/config.json": f.pop("odd/config.json")}), "more than one"),
        (lambda f: f.pop("odd/ids.parquet"), "lacks ids.parquet"),
        (lambda f: f.update({"odd/config.json": b"{"}), "can't be read"),
        (lambda f: f.update({"odd/config.json": b"[]"}), "no run that can be used|not valid"),
        (lambda f: f.update({"odd/weights.safetensors": b"junk"}), "no run that can be used"),
        (lambda f: f.update({"odd/ids.parquet": b"junk"}), "no run that can be used"),
        (lambda f: f.update({"odd/profile.json": b"{}"}), "no run that can be used|don't fit"),
        (odd_settings, "the weights are for"),
        (odd_shape, "don't fit"),
    ],
)
def test_odd_file_is_refused_and_leaves_nothing(
    run: Any, change: Callable[[dict[str, bytes]], None], said: str
) -> None:
    content = repacked(renamed(keeping.pack(run.id), run.id, "odd"), change)
    with pytest.raises(schema.CheckpointError, match=said):
        keeping.bring_in(content, "odd.zip")
    folder = run.path.parent
    assert not (folder / "odd").exists()
    assert not list(folder.glob(".writing-*"))


def test_what_is_no_zip_is_said_so(run: Any) -> None:
    with pytest.raises(schema.CheckpointError, match="no ZIP file"):
        keeping.bring_in(b"hello", "model.zip")
