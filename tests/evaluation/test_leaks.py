"""Nothing of what is held out reaches what is learned from; test answers are read in one place."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finrec import pipeline, presets, schema, snapshots
from finrec.baselines.itemcf import ItemCF
from finrec.baselines.popularity import Popularity
from finrec.evaluation import protocols
from finrec.pipeline import learning
from finrec.schema import CUSTOMER, ORDER, PRODUCT, TIME
from finrec.split import Cases, FoldName, split
from finrec.training import assemble, runs

FINREC = Path(assemble.__file__).parents[1]
TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}
Change = Callable[[pd.Series, np.random.Generator], Any]


def replaced(values: pd.Series, rng: np.random.Generator) -> Any:
    """All held-out events are about one product."""
    return "P01"


def shuffled(values: pd.Series, rng: np.random.Generator) -> Any:
    """Held-out products go to other customers."""
    return rng.permutation(values.to_numpy(dtype=object))


def held_out(dataset: schema.Dataset, protocol: str, fold: FoldName) -> np.ndarray:
    """Rows of the events that a fold's features must not know, bool."""
    events = dataset.events
    if protocol == "R2":
        return (events[TIME] >= split(dataset, protocol).fold(fold).until).to_numpy()
    ordered = events.sort_values([CUSTOMER, TIME, ORDER], kind="stable")
    from_end = ordered.groupby(CUSTOMER, sort=False).cumcount(ascending=False)
    size = ordered.groupby(CUSTOMER, sort=False)[PRODUCT].transform("size")
    # Under R1 both folds learn from what is before validation.
    return ((from_end < 2) & (size >= 3)).reindex(events.index).to_numpy()


def changed(dataset: schema.Dataset, rows: np.ndarray, change: Change) -> schema.Dataset:
    """The data with other products, amounts and kinds in these rows."""
    events = dataset.events.copy()
    rng = np.random.default_rng(0)
    events.loc[rows, PRODUCT] = change(events.loc[rows, PRODUCT], rng)
    events.loc[rows, schema.AMOUNT] = 1e9
    assert (events[PRODUCT] != dataset.events[PRODUCT]).any()
    return replace(dataset, events=events)


@pytest.mark.parametrize("change", [replaced, shuffled])
@pytest.mark.parametrize("fold", ["valid", "test"])
@pytest.mark.parametrize("protocol", ["R1", "R2"])
def test_features_are_byte_identical_whatever_is_held_out(
    small_dataset: schema.Dataset, tmp_path: Path, protocol: str, fold: FoldName, change: Change
) -> None:
    other = changed(small_dataset, held_out(small_dataset, protocol, fold), change)
    settings = presets.settings(small_dataset.info, "small@0", "quick", "+tl+gnn", model=TINY)
    written, histories, scores = [], [], []
    for data, name in ((small_dataset, "a"), (other, "b")):
        cut = split(data, protocol)
        given, known = assemble.inputs(cut, fold, settings)
        folder = tmp_path / name
        folder.mkdir()
        runs.write_inputs(folder, given)
        cut.fold(fold).train.to_parquet(folder / "train.parquet")
        written.append({f.name: f.read_bytes() for f in sorted(folder.iterdir())})
        histories.append(known)
        methods = (Popularity(), Popularity(90), ItemCF())
        scores.append([m.fit(cut.fold(fold), cut).score(known) for m in methods])
    assert set(written[0]) == {
        "features.safetensors", "ids.parquet", "profile.json", "train.parquet",
    }  # fmt: skip
    assert written[0] == written[1]
    for field in ("ids", "offsets", "products", "kinds", "times", "amounts", "asof"):
        first, second = (getattr(h, field) for h in histories)
        assert first.tobytes() == second.tobytes() if first.dtype != object else (
            first.tolist() == second.tolist())  # fmt: skip
    for mine, theirs in zip(*scores, strict=True):
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("protocol", ["R1", "R2"])
def test_a_change_before_what_is_held_out_is_noticed(
    small_dataset: schema.Dataset, protocol: str
) -> None:
    late = held_out(small_dataset, protocol, "valid")
    other = changed(small_dataset, ~late, shuffled)
    settings = presets.settings(small_dataset.info, "small@0", "quick", "+gnn", model=TINY)
    first, second = (
        assemble.inputs(split(d, protocol), "valid", settings)[0].graph
        for d in (small_dataset, other)
    )
    assert first is not None and second is not None
    assert first.values.tobytes() != second.values.tobytes()


@pytest.mark.parametrize("protocol", ["R1", "R2"])
def test_test_rows_change_no_weight_no_epoch_and_no_temperature(
    small_dataset: schema.Dataset, protocol: str
) -> None:
    rows = held_out(small_dataset, protocol, "test")
    if protocol == "R1":  # what is before validation and validation itself choose the epoch
        events = small_dataset.events.sort_values([CUSTOMER, TIME, ORDER], kind="stable")
        last = events.groupby(CUSTOMER, sort=False).cumcount(ascending=False) == 0
        rows = rows & last.reindex(small_dataset.events.index).to_numpy()
    made = []
    for data in (small_dataset, changed(small_dataset, rows, shuffled)):
        found = snapshots.write(data, {"source": "tests", "files": []})
        told = presets.settings(
            found.info, found.ref, "quick", "+gnn", 0, "cpu", TINY, {"epochs": 3, "batch": 32}
        )
        made.append(pipeline.train(told.model_copy(update={"protocol": protocol})))
    assert made[0].id != made[1].id
    assert made[0].settings.snapshot != made[1].settings.snapshot
    for name in ("weights.safetensors", "features.safetensors", "profile.json", "ids.parquet"):
        assert (made[0].path / name).read_bytes() == (made[1].path / name).read_bytes(), name
    for name in ("epochs", "valid", "temperature", "paths"):
        assert made[0].provenance[name] == made[1].provenance[name], name
    threshold = [r.metrics["P"]["variants"]["natural"]["threshold"] for r in made]
    assert threshold[0] == threshold[1]
    name = made[0].metrics[protocol]["headline"]
    first, second = (r.metrics[protocol]["masked"][name] for r in made)
    assert first != second, "the test itself must have noticed"


class Watched(Cases):
    """Test cases that note from where their answers are read."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("relevant", "offsets", "relevance", "take", "allowed"):
            frame, named = sys._getframe(1), []
            while frame is not None:
                named.append((frame.f_globals.get("__name__"), frame.f_code.co_name))
                frame = frame.f_back  # type: ignore[assignment]
            READ.append(("finrec.evaluation.protocols", "evaluate") in named)
        return object.__getattribute__(self, name)


READ: list[bool] = []


def test_training_reads_test_answers_inside_evaluate_alone_and_once(
    small_dataset: schema.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(dataset: schema.Dataset, protocol: str | None = None) -> Any:
        cut = split(dataset, protocol)
        cases = cut.test.cases
        own = Watched(cases.customers, cases.offsets, cases.relevant, cases.allowed)
        return replace(cut, test=replace(cut.test, cases=own))

    calls = []
    evaluate = protocols.evaluate
    monkeypatch.setattr(learning, "split", watched)
    monkeypatch.setattr(
        learning.protocols, "evaluate", lambda *a, **k: calls.append(1) or evaluate(*a, **k)
    )
    found = snapshots.write(small_dataset, {"source": "tests", "files": []})
    READ.clear()
    course = {"epochs": 2, "batch": 32}
    pipeline.train(presets.settings(found.info, found.ref, "quick", "+gnn", 0, "cpu", TINY, course))
    assert calls == [1]
    assert READ and all(READ)


# Who may name the test cases, and why.
MAY_READ_TEST = {
    "evaluation/protocols.py": "the one function that measures",
    "evaluation/asof.py": "months of a backtest, each its own test; nothing is chosen there",
    "pipeline/cells.py": "customers only, to time the scoring",
    "pipeline/groups.py": "customers only, to tell the groups of what was measured",
    "pipeline/cold.py": "an experiment of its own, whose settings are chosen on validation",
}


def names_test_cases(node: ast.AST) -> bool:
    """``x.test.cases``, or ``x.fold(y).cases`` with anything but ``"valid"``."""
    if not (isinstance(node, ast.Attribute) and node.attr == "cases"):
        return False
    of = node.value
    if isinstance(of, ast.Call):
        called = ast.unparse(of.func).split(".")[-1] == "fold"
        return called and [ast.unparse(a) for a in of.args] != ["'valid'"]
    return ast.unparse(of).split(".")[-1] == "test"


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("a = cut.test.cases", True),
        ("a = split(data).test.cases.customers", True),
        ("a = cut.fold(name).cases", True),
        ("a = cut.fold('valid').cases", False),
        ("a = cut.valid.cases", False),
    ],
)
def test_naming_the_test_cases_is_recognised(source: str, named: bool) -> None:
    assert any(names_test_cases(n) for n in ast.walk(ast.parse(source))) == named


def test_no_other_module_names_the_test_cases() -> None:
    found = {
        str(file.relative_to(FINREC))
        for file in sorted(FINREC.rglob("*.py"))
        if any(names_test_cases(n) for n in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    }
    assert found == set(MAY_READ_TEST)
