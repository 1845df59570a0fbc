"""Supervised fine-tuning: learns classes, tests once on what it never saw, resumes exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from finrec.features import text
from finrec.networks.language import TextClassifier, TextEncoder
from finrec.schema import CheckpointError, DataError
from finrec.training import corpus, encoders, finetune
from finrec.training.finetune import FinetuneSettings
from finrec.training.pretrain import pretrain
from finrec.training.word_prediction import PretrainSettings

SETTINGS = FinetuneSettings(epochs=6, rate=3e-3, head_rate=3e-3, batch=16, words_learn=True)


def write_table(file: Path, rows: int, seed: int, classes: int = 3) -> Path:
    """Texts of fillers with one word, somewhere, that says the class."""
    rng = np.random.default_rng(seed)
    topics, fillers = ["card", "loan", "fund"], ["please", "now", "today", "kindly", "again"]
    texts, labels = [], []
    for _ in range(rows):
        topic = rng.integers(classes)
        words = [fillers[i] for i in rng.integers(0, 5, 6)]
        words.insert(rng.integers(7), topics[topic])
        texts.append(" ".join(words))
        labels.append(f"about_{topics[topic]}")
    pd.DataFrame({"text": texts, "label": labels}).to_parquet(file)
    return file


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    settings = PretrainSettings(epochs=1, words=100, width=16, layers=2, heads=2, held_out=0.2)
    table = write_table(folder / "t.parquet", 200, 9)
    pretrain("general", folder / "out", [table], settings=settings)
    return folder / "out"


def run(out: Path, encoder: Path, train: Path, test: Path | None = None, **more: Any) -> Any:
    return pretrain("finetune", out, [train], encoder, more.pop("settings", SETTINGS),
                    columns=["text"], label="label", test=test, **more)  # fmt: skip


@pytest.mark.parametrize("classes", [2, 3])
def test_learns_binary_and_multi_class(tmp_path: Path, encoder: Path, classes: int) -> None:
    train = write_table(tmp_path / "train.parquet", 400, 0, classes)
    test = write_table(tmp_path / "test.parquet", 100, 1, classes)
    metrics = run(tmp_path / "out", encoder, train, test)["metrics"]
    found = metrics["fine-tuned"]["test"]
    assert found["accuracy"] > 0.95 and found["macro_f1"] > 0.95 and found["texts"] == 100
    assert metrics["majority class"]["test"]["accuracy"] < 0.7
    share, names = finetune.classify(tmp_path / "out", ["please card now", "loan again today"])
    assert share.shape == (2, classes)
    np.testing.assert_allclose(share.sum(1), 1, atol=1e-5)
    assert [names[i] for i in share.argmax(1)] == ["about_card", "about_loan"]


def test_result_is_an_encoder(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINREC_HOME", str(tmp_path))
    run(tmp_path / "out", encoder, write_table(tmp_path / "train.parquet", 150, 0))
    cards = text.encode(["card now", "card please", "fund now"], tmp_path / "out")
    assert cards[0] @ cards[1] > cards[0] @ cards[2]


def test_an_encoder_of_shorter_texts_reads_their_beginning(tmp_path: Path, encoder: Path) -> None:
    whole, words = encoders.load(encoder)
    short = TextEncoder(replace(whole.shape, positions=6))
    state = whole.state_dict()
    short.load_state_dict(state | {"places.weight": state["places.weight"][:6]})
    encoders.save(short, words, tmp_path / "short")
    table = write_table(tmp_path / "t.parquet", 80, 0)
    once = SETTINGS.model_copy(update={"epochs": 1})
    found = run(tmp_path / "out", tmp_path / "short", table, settings=once)
    assert found["metrics"]["fine-tuned"]["test"]["texts"] > 0
    probability, names = finetune.classify(tmp_path / "out", ["please now today kindly again loan"])
    assert probability.shape == (1, len(names))
    network, ids, present = encoders.tower(
        ["please now today kindly again loan"], 1, tmp_path / "out"
    )
    assert ids.shape == (1, 6) and torch.isfinite(network(ids, present)).all()
    adapt = PretrainSettings(epochs=1, head_epochs=1, held_out=0.2)
    pretrain("adapt", tmp_path / "adapted", [table], tmp_path / "short", settings=adapt)


def test_interrupted_fine_tuning_ends_with_the_same_weights(tmp_path: Path, encoder: Path) -> None:
    train = write_table(tmp_path / "train.parquet", 150, 0)
    whole = run(tmp_path / "whole", encoder, train)

    def stop(line: dict[str, Any]) -> None:
        if line["event"] == "epoch" and line["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", encoder, train, progress=stop)
    cut = run(tmp_path / "cut", encoder, train)
    assert cut["metrics"]["fine-tuned"] == whole["metrics"]["fine-tuned"]
    first = load_file(tmp_path / "whole" / "model.safetensors")
    second = load_file(tmp_path / "cut" / "model.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_test_texts_are_not_learned_from(tmp_path: Path, encoder: Path) -> None:
    train = write_table(tmp_path / "train.parquet", 120, 0)
    frame = pd.read_parquet(train)
    frame.iloc[:30].assign(text=frame["text"].str.upper() + "!").to_parquet(tmp_path / "t.parquet")
    copied = set(frame["text"].iloc[:30])
    left = int((~frame["text"].isin(copied)).sum())
    settings = SETTINGS.model_copy(update={"epochs": 1})
    metrics = run(tmp_path / "out", encoder, train, tmp_path / "t.parquet", settings=settings)[
        "metrics"
    ]
    assert metrics["texts"][2] == 30 and sum(metrics["texts"][:2]) == left < 91


def test_stratified_split_keeps_shares_and_is_disjoint() -> None:
    labels = np.repeat([0, 1, 2], [800, 150, 50])
    rest, held = corpus.stratified(labels, 0.1, np.random.default_rng(0))
    assert np.bincount(labels[held]).tolist() == [80, 15, 5]
    assert not set(rest) & set(held) and len(rest) + len(held) == 1000


def test_bad_tables_are_named(tmp_path: Path, encoder: Path) -> None:
    frame = pd.DataFrame({"text": ["a b", "c d"], "label": ["x", None]})
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="row 2, column label"):
        corpus.labelled(tmp_path / "a.parquet", ["text"], "label")
    with pytest.raises(DataError, match="lacks the column intent"):
        corpus.labelled(tmp_path / "a.parquet", ["text"], "intent")
    frame.assign(label="x").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="only one class"):
        corpus.labelled(tmp_path / "b.parquet", ["text"], "label")
    with pytest.raises(CheckpointError, match="no classifier"):
        finetune.classify(encoder, ["a"])


def test_a_mistake_leaves_no_unfinished_job_behind(tmp_path: Path, encoder: Path) -> None:
    train = write_table(tmp_path / "train.parquet", 40, 0, 2)
    renamed = tmp_path / "renamed.parquet"
    pd.read_parquet(train).rename(columns={"label": "intent"}).to_parquet(renamed)
    with pytest.raises(DataError, match="lacks the column"):
        run(tmp_path / "out", encoder, renamed, train)
    assert not (tmp_path / "jobs").exists()


def test_a_classifier_of_small_features_is_as_sure_as_it_learned_to_be(encoder: Path) -> None:
    torch.manual_seed(0)
    model = TextClassifier(encoders.load(encoder)[0], 2)
    x = 0.01 * torch.randn(300, model.output.in_features)
    told = corpus.Labelled([""] * 300, (x[:, 0] > 0).long().numpy(), ("no", "yes"), 0)
    finetune._fit_classifier(model, x, x, told, told, FinetuneSettings(smoothing=0.0))
    loss = torch.nn.functional.cross_entropy(model.output(x), torch.from_numpy(told.labels))
    assert loss < 0.3
