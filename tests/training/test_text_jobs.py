"""Jobs of text encoders: they stop when learning diverges, are one process's, and end well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from finrec import config
from finrec.features import text
from finrec.schema import CheckpointError, DataError
from finrec.training import encoders, text_job
from finrec.training.finetune import FinetuneSettings
from finrec.training.pretrain import pretrain
from finrec.training.word_prediction import PretrainSettings
from tests.test_cli import call
from tests.training.test_finetune import run, write_table
from tests.training.test_pretrain import Interrupted, interrupt_after, write_texts

TINY = PretrainSettings(
    epochs=1, head_epochs=1, tokens=512, longest=24, held_out=0.15, words=150, width=16, layers=1,
    heads=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    table = write_table(folder / "t.parquet", 200, 9)
    pretrain("general", folder / "out", [table], settings=TINY)
    return folder / "out"


def test_diverging_pretraining_is_told_and_nothing_is_published(tmp_path: Path) -> None:
    wild = TINY.model_copy(update={"epochs": 5, "rate": 1.0, "head_rate": 1.0, "weight_decay": 10})
    folder = write_texts(tmp_path / "texts")
    with pytest.raises(CheckpointError, match=r"not finite in epoch \d; lower the rate"):
        pretrain("general", tmp_path / "out", [folder], settings=wild)
    assert not (tmp_path / "out").exists() and not (tmp_path / "jobs" / "out").exists()
    pretrain("general", tmp_path / "out", [folder], settings=TINY)  # the name is free again


def test_diverging_fine_tuning_is_told_and_nothing_is_published(
    tmp_path: Path, encoder: Path
) -> None:
    wild = FinetuneSettings(epochs=20, rate=1.0, head_rate=1.0, weight_decay=10)
    train = write_table(tmp_path / "train.parquet", 200, 0)
    with pytest.raises(CheckpointError, match=r"fine-tuning is not finite in epoch \d+; lower"):
        run(tmp_path / "out", encoder, train, settings=wild)
    assert not (tmp_path / "out").exists() and not (tmp_path / "jobs" / "out").exists()


def test_an_encoder_of_no_finite_weights_is_refused_and_not_cached(
    home: Path, tmp_path: Path, encoder: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(encoder, broken)
    weights = load_file(broken / "model.safetensors")
    save_file(
        {k: torch.full_like(v, torch.nan) for k, v in weights.items()},
        broken / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(CheckpointError, match="vectors that are not finite"):
        text.encode(["a gold card"], broken)
    assert not list((config.data_dir() / "cache").rglob("*.parquet"))
    with pytest.raises(CheckpointError, match="weights that are not finite"):
        encoders.load(broken)


def test_vectors_that_an_older_version_cached_are_looked_at_too(home: Path, encoder: Path) -> None:
    store = config.data_dir() / "cache" / "text" / text.identity(encoder)
    text._append(store, [text._key("a gold card")], np.full((1, 16), np.nan, dtype=np.float32))
    with pytest.raises(CheckpointError, match="not finite"):
        text.encode(["a gold card"], encoder)


@pytest.mark.parametrize("stage", ["general", "adapt"])
def test_texts_of_one_word_are_told_and_leave_no_job(
    tmp_path: Path, encoder: Path, stage: Any
) -> None:
    start = encoder if stage == "adapt" else None
    words = tmp_path / "words.txt"
    words.write_text("card\nloan\nfund\nplease\nnow\ntoday\nkindly\nagain\nabout\nthe\n" * 2)
    with pytest.raises(DataError, match="with two words or more"):
        pretrain(stage, tmp_path / "out", [words], start,
                 TINY.model_copy(update={"held_out": 0.2}))  # fmt: skip
    assert not (tmp_path / "jobs" / "out").exists()


def test_two_processes_do_not_work_on_one_name(tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "texts")
    refused = []

    def meddle(line: dict[str, Any]) -> None:
        if line["event"] == "epoch" and not refused:
            refused.append(True)
            with pytest.raises(CheckpointError, match="Another process works on out"):
                pretrain("general", tmp_path / "out", [folder], settings=TINY)

    pretrain("general", tmp_path / "out", [folder], settings=TINY, progress=meddle)
    assert refused and (tmp_path / "out" / "model.safetensors").exists()
    assert not (tmp_path / "jobs" / "out").exists()
    assert not (tmp_path / "out" / "lock").exists()


def test_a_name_is_free_once_its_job_has_failed(tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "texts")
    try:
        pretrain("general", tmp_path / "out", [folder], settings=TINY,
                 progress=interrupt_after(1, "pretraining"))  # fmt: skip
    except Interrupted as error:  # held, as a debugger would: its frames still know the job
        pretrain("general", tmp_path / "out", [folder], settings=TINY)
        assert error.__traceback__ is not None


def test_a_lock_is_not_taken_on_a_folder_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "jobs" / "out"
    take: Any = text_job.locks.take
    calls: list[int] = []

    def late(handle: int) -> bool:
        if not calls:
            shutil.rmtree(work)  # the process before ends between our opening and our locking
        calls.append(handle)
        return bool(take(handle))

    monkeypatch.setattr(text_job.locks, "take", late)
    with text_job._lock(work):
        assert len(calls) == 2 and (work / text_job.LOCK).exists()


def test_a_kill_just_after_publication_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_texts(tmp_path / "texts")
    publish = text_job.publish

    def killed(staging: Path, target: Path) -> None:
        publish(staging, target)
        raise Interrupted

    monkeypatch.setattr(text_job, "publish", killed)
    with pytest.raises(Interrupted):
        pretrain("general", tmp_path / "out", [folder], settings=TINY)
    assert (tmp_path / "jobs" / "out").exists()
    other = TINY.model_copy(update={"seed": 1})
    with pytest.raises(CheckpointError, match="exists already"):
        pretrain("general", tmp_path / "out", [folder], settings=other)
    said: list[dict[str, Any]] = []
    record = pretrain("general", tmp_path / "out", [folder], settings=TINY, progress=said.append)
    assert record == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [line["message"] for line in said] == ["out is finished already."]
    assert not (tmp_path / "jobs" / "out").exists()
    with pytest.raises(CheckpointError, match="exists already"):
        pretrain("general", tmp_path / "out", [folder], settings=TINY)
    assert not (tmp_path / "jobs" / "out").exists()


def test_a_name_that_is_no_encoder_is_met_with_those_that_are(home: Path, encoder: Path) -> None:
    texts = config.models_dir() / "texts"
    shutil.copytree(encoder, texts / "mine")
    (texts / "jobs" / "unfinished").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"choose one of models/texts \(mine\)"):
        text.model_folder(config.text_encoder_dir("nosuch"))
    with pytest.raises(CheckpointError, match="FINREC_TEXT_MODEL"):
        text.model_folder(home / "nosuch")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("general", ".", "--name", "x", "--start", "y"), "general has no use for --start"),
        (("general", ".", "--name", "x", "--label", "y"), "general has no use for --label"),
        (("general", ".", "--name", "x", "--test", "."), "general has no use for --test"),
        (("general", ".", "--name", "x", "--also", "."), "general has no use for --also"),
        (("adapt", ".", "--name", "x", "--label", "y"), "adapt has no use for --label"),
        (("adapt", ".", "--name", "x", "--test", "."), "adapt has no use for --test"),
        (("finetune", ".", "--name", "x", "--also", "."), "finetune has no use for --also"),
        (("adapt", ".", "--name", "jobs"), "'jobs' is kept for unfinished jobs"),
        (
            ("general", ".", "--name", "x", "--set", "width=30", "--set", "heads=4"),
            "Error: width 30 is not a multiple of heads 4; change one of them.",
        ),
    ],
)
def test_bad_options_are_one_sentence(home: Path, arguments: Any, says: str) -> None:
    code, _, err = call("pretrain", *arguments)
    assert code == 2 and says in err and "Traceback" not in err
    assert not (home / "models" / "texts").exists()


def test_general_reads_the_columns_that_are_named(home: Path, tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "texts")
    lines = (folder / "texts.txt").read_text().splitlines()
    table = tmp_path / "table.csv"
    table.write_text(
        "said,noted\n" + "".join(f"{line},zzz zzz zzz {i}\n" for i, line in enumerate(lines))
    )  # noqa: E501
    sets = [part for one in ("epochs=1", "words=150", "width=16", "layers=1", "heads=2")
            for part in ("--set", one)]  # fmt: skip
    code, _, err = call("pretrain", "general", table, "--name", "x", "--column", "said", *sets)
    assert code == 0, err
    made = encoders.tokenizer(config.text_encoder_dir("x"))
    assert made.token_to_id("##z") is None and made.token_to_id("card") is not None


def test_rows_without_text_are_left_out_and_told(tmp_path: Path, encoder: Path) -> None:
    train = write_table(tmp_path / "train.parquet", 40, 0, 2)
    rows = pd.read_parquet(train)
    pd.concat([rows, rows[:3].assign(text=" ")]).to_parquet(train)
    said: list[dict[str, Any]] = []
    record = run(tmp_path / "out", encoder, train, progress=said.append,
                 settings=FinetuneSettings(epochs=1))  # fmt: skip
    assert said[0]["message"] == "Rows without text were left out: 3."
    assert sum(record["metrics"]["texts"]) == rows["text"].nunique()
