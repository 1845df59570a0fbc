"""A cell's name tells all that decides its figures; its settings and epochs never see the test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from finrec import pipeline, presets, schema, snapshots
from finrec.baselines.popularity import Popularity
from finrec.pipeline import cells, code, compare
from finrec.training import jobs, runs
from tests.test_cli import call

TINY: dict[str, Any] = {"model": {"width": 16}, "train": {"epochs": 1}}


@pytest.fixture
def ref(home: Path, small_dataset: schema.Dataset) -> str:
    return snapshots.write(small_dataset).ref


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the code that is hashed, to be changed."""
    copied = tmp_path / "finrec"
    shutil.copytree(code.ROOT, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "ROOT", copied)
    caches = (code.of_fused, code.of_method)
    for cached in caches:
        cached.cache_clear()
    yield copied
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize(
    ("file", "fused", "method"),
    [
        ("presets.py", True, False),
        ("pipeline/learning.py", True, False),
        ("networks/fusion.py", True, False),
        ("baselines/markov.py", False, True),
        ("split.py", True, True),
        ("figures/style.py", False, False),
    ],
)
def test_a_change_of_code_makes_another_cell(
    own_code: Path, file: str, fused: bool, method: bool
) -> None:
    ours = cells.Cell("small@0", "R2", "+gnn", 0, {}, "quick")
    other = cells.Cell("small@0", "R2", "markov", 0, {})
    before = (ours.key, other.key)
    with (own_code / file).open("a") as stream:
        stream.write("# changed\n")
    code.of_fused.cache_clear()
    code.of_method.cache_clear()
    assert (ours.key != before[0], other.key != before[1]) == (fused, method)


def test_a_preset_of_other_values_makes_another_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = cells.Cell("small@0", "R2", "+gnn", 0, {}, "quick")
    before = ours.key
    assert cells.Cell("small@0", "R2", "+gnn", 0, {}, "standard").key != before
    monkeypatch.setitem(presets.PRESETS, "quick", ({"width": 32}, {"epochs": 2}))
    assert ours.key != before


def test_a_training_begun_by_other_code_is_not_gone_on_with(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = cells.Cell(ref, "R2", "+gnn", 0, TINY, "quick").run_settings()
    older, unknown = jobs.create(settings, "other"), jobs.create(settings)
    for run in (older, unknown):
        jobs.cancel(run)
    worked: list[str] = []
    monkeypatch.setattr(cells.learning, "work", lambda run, progress: worked.append(run))
    cells._go_on(settings, print)
    assert worked == [] and {j.run for j in jobs.jobs()} == {older, unknown}, "left as they are"
    same = jobs.create(settings, code.of_fused())
    jobs.cancel(same)
    cells._go_on(settings, print)
    assert worked == [same]


def test_a_run_that_two_codes_made_counts_as_neither(ref: str) -> None:
    cell = cells.Cell(ref, "R2", "+gnn", 0, TINY, "quick")
    settings = cell.run_settings()
    made = pipeline.work(jobs.create(settings, "other"))
    assert made.provenance["code"] == f"other, then {code.of_fused()}"
    assert cells._have(settings) is None
    made = pipeline.train(settings)
    assert made.provenance["code"] == code.of_fused()
    found = cells._have(settings)
    assert found is not None and found.id == made.id


def test_the_threshold_of_a_method_comes_from_before_the_test(
    ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: dict[int, pd.Timestamp] = {}
    real = Popularity.fit

    def fit(self: Popularity, fold: Any, split: Any, rng: Any = None) -> Popularity:
        learned[id(self)] = fold.until
        return real(self, fold, split, rng)

    seen: dict[str, pd.Timestamp] = {}

    def evaluate(scorer_for: Any, *_: Any) -> Any:
        seen.update({fold: learned[id(scorer_for(fold))] for fold in ("valid", "test")})
        return SimpleNamespace(metrics={}, per_case=pd.DataFrame())

    monkeypatch.setattr(Popularity, "fit", fit)
    monkeypatch.setattr(cells.protocols, "evaluate", evaluate)
    cells._baseline(cells.Cell(ref, "R2", "popularity", 0, {}))
    assert seen == {"valid": pd.Timestamp("2024-07-01"), "test": pd.Timestamp("2024-10-01")}


def test_a_command_holds_the_protocol_that_is_not_the_datas_own(ref: str) -> None:
    own, other = (
        compare.Cell(ref, protocol, "+gnn", 0, TINY, "quick") for protocol in ("R2", "R1")
    )
    assert "--protocol" not in compare.command(own)
    told = compare.command(other)
    assert " --protocol R1 " in told
    said, out, err = call(*told.split()[1:], "--json")
    assert said == 0, err
    run = json.loads(out.splitlines()[-1])
    assert set(run["metrics"]) >= {"R1", "P"} and "R2" not in run["metrics"]
    assert runs.find(run["run"]).settings == other.run_settings(), "it measures the same cell"
    said, _, err = call("train", ref, "--protocol", "R3")
    assert said == 2 and "protocol" in err


def test_what_was_measured_stays_when_the_code_changes(ref: str, own_code: Path) -> None:
    made = compare.plan(ref, ["popularity", "markov"])
    cells.measure(made.cells[0])
    with (own_code / "baselines" / "markov.py").open("a") as stream:
        stream.write("# changed\n")
    code.of_method.cache_clear()
    found = compare.find(made.name)
    assert [c.method for c in found.done] == ["popularity"] and len(compare.tidy(found))
    assert not compare.plan(ref, ["popularity"]).done, "a new one is of the code as it is"
    assert compare.run(found, apart=False) == [] and len(found.done) == 2
    assert found.cells[1].folder.name != made.cells[1].planned
