"""Forms: every setting has a widget; what is wrong is said at the setting that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finrec import config, schema, snapshots
from finrec.config import ModelSettings, TrainSettings
from finrec.pipeline import devices, forms


def test_every_setting_is_in_the_form_once_with_what_it_is() -> None:
    names = [s.name for group in forms.form("standard").values() for s in group]
    every = {f"model.{n}" for n in ModelSettings.model_fields}
    every |= {f"train.{n}" for n in TrainSettings.model_fields}
    assert len(names) == len(set(names))
    assert set(names) == every - {"train.seed"}, "the seed is asked for beside the preset"
    settings = {s.name: s for group in forms.form("quick").values() for s in group}
    assert settings["model.width"].default == 64, "the preset's, not the general default"
    assert settings["model.graph_kind"].choices == ("gcn", "gat", "gatv2", "lightgcn")
    assert settings["train.half_life_days"].optional and not settings["train.rate"].optional
    assert [settings[n].kind for n in ("model.gaps", "model.width", "train.rate",
                                       "model.text_encoder")] == [
        "yes", "whole", "number", "text",
    ]  # fmt: skip
    assert settings["model.dropout"].help == "On inputs, attention output and FFN."


@pytest.fixture
def check(home: Path, small_dataset: schema.Dataset) -> Any:
    made = snapshots.write(small_dataset)
    return lambda given: forms.check(made.info, made.ref, "quick", "+gnn", 3, "cpu", given)


def test_right_values_become_settings_and_the_rest_is_the_presets(check: Any) -> None:
    found, errors = check({"model.width": 32, "train.rate": 0.01, "model.layers": 1})
    assert errors == {}
    assert (found.model.width, found.train.rate, found.model.layers) == (32, 0.01, 1)
    assert (found.preset, found.parts, found.train.seed, found.train.epochs) == ("quick", "+gnn", 3, 4)  # fmt: skip  # noqa: E501
    plain, _ = check({})
    assert plain.model.width == 64


@pytest.mark.parametrize(
    ("given", "name", "says"),
    [
        ({"model.width": 4}, "model.width", "at least 8"),
        ({"model.dropout": 1.0}, "model.dropout", "less than 1"),
        ({"train.rate": 0.0}, "train.rate", "more than 0"),
        ({"train.epochs": 5000}, "train.epochs", "at most 1000"),
        ({"model.heads": 3}, "model.heads", "divide the width, 64"),
        ({"train.focal": 2.0, "train.smoothing": 0.1}, "train.focal", "without label smoothing"),
        ({"model.width": None}, "model.width", "whole number"),
        ({"train.rate": None}, "train.rate", "a number"),
        ({"train.start_from": "nobody"}, "train.start_from", "no run 'nobody'"),
        ({"model.text_encoder": "mine"}, "model.text_encoder", "no encoder 'mine'"),
        ({"model.text_encoder": "../evil"}, "model.text_encoder", "no name of an encoder"),
    ],
)
def test_what_is_wrong_is_said_at_its_setting(
    check: Any, given: dict[str, Any], name: str, says: str
) -> None:
    found, errors = check(given)
    assert found is None
    assert list(errors) == [name] and says in errors[name]


def test_all_that_is_wrong_is_said_at_once(check: Any) -> None:
    _, errors = check({"model.width": 7, "train.batch": 0, "train.minutes": -1.0})
    assert set(errors) >= {"model.width", "train.batch", "train.minutes"}
    (config.models_dir() / "texts" / "mine").mkdir(parents=True)
    found, errors = check({"model.text_encoder": "mine"})
    assert errors == {} and found.model.text_encoder == "mine"


def test_devices_have_their_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, cpu = devices.devices()[:2]
    assert (first.name, cpu.name) == ("auto", "cpu")
    assert cpu.total is not None and cpu.free is not None and 0 < cpu.free <= cpu.total
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    monkeypatch.setattr(devices, "LIMIT", limit)
    assert devices.devices()[1].total == 1_000_000, "of a container, not of the machine"
    monkeypatch.setattr(devices, "MEMORY", tmp_path / "nothing")
    assert devices.devices()[1].free is None
