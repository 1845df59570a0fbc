"""Pretraining: it learns, resumes to the same weights, measures on text it never saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from finrec.features import text
from finrec.schema import CheckpointError, DataError
from finrec.training import corpus, encoders
from finrec.training.pretrain import pretrain
from finrec.training.word_prediction import PretrainSettings, by_counts

TINY = PretrainSettings(
    epochs=3, head_epochs=2, rate=3e-3, decay=1.0, tokens=512, longest=24, held_out=0.15,
    words=150, width=16, layers=2, heads=2,
)  # fmt: skip


def write_texts(folder: Path, seed: int = 0, lines: int = 300) -> Path:
    """Sentences of a small grammar: hidden words follow from their neighbours."""
    rng = np.random.default_rng(seed)
    pairs = [("card", "limit"), ("loan", "rate"), ("account", "fee"), ("fund", "risk")]
    adjectives = ["gold", "home", "savings", "mixed", "daily", "green"]
    rows = []
    for _ in range(lines):
        product, fact = pairs[rng.integers(4)]
        adjective = adjectives[rng.integers(6)]
        rows.append(f"the {fact} of this {adjective} {product} is {rng.integers(10)} today")
    folder.mkdir()
    (folder / "texts.txt").write_text("\n".join(rows) + "\n")
    return folder


class Interrupted(Exception):
    """Stands for a kill."""


def interrupt_after(epoch: int, phase: str) -> Any:
    def progress(line: dict[str, Any]) -> None:
        if line["event"] == "epoch" and line["phase"] == phase and line["epoch"] == epoch:
            raise Interrupted

    return progress


@pytest.mark.parametrize("objective", ["mlm", "plm"])
def test_pretraining_from_scratch_lowers_perplexity(tmp_path: Path, objective: str) -> None:
    settings = TINY.model_copy(update={"objective": objective, "epochs": 60, "tokens": 256})
    folder = write_texts(tmp_path / "texts", lines=600)
    metrics = pretrain("general", tmp_path / "out", [folder], settings=settings)["metrics"]
    assert metrics["untrained"]["perplexity"] > 40
    # Three of nine words have four or six equally likely values, one has ten, five none: a model
    # that knows the grammar has a perplexity below 5, one that knows word counts only about 20.
    assert metrics["pretrained"]["perplexity"] < 12
    assert metrics["pretrained"]["accuracy"] > 0.4


def test_interrupted_pretraining_ends_with_the_same_weights(tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "texts")
    pretrain("general", tmp_path / "whole", [folder], settings=TINY)
    with pytest.raises(Interrupted):
        pretrain("general", tmp_path / "cut", [folder], settings=TINY,
                 progress=interrupt_after(1, "pretraining"))  # fmt: skip
    assert not (tmp_path / "cut").exists()
    events: list[str] = []
    pretrain("general", tmp_path / "cut", [folder], settings=TINY,
             progress=lambda line: events.append(line["event"]))  # fmt: skip
    assert events.count("epoch") == 2 and events[0] == "resumed"
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    cut = load_file(tmp_path / "cut" / "model.safetensors")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert not (tmp_path / "jobs" / "cut").exists()
    log = (tmp_path / "cut" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in log].count("epoch") == 3


def test_unfinished_job_with_other_settings_is_refused(tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "texts")
    with pytest.raises(Interrupted):
        pretrain("general", tmp_path / "out", [folder], settings=TINY,
                 progress=interrupt_after(1, "pretraining"))  # fmt: skip
    with pytest.raises(CheckpointError, match="other settings"):
        pretrain("general", tmp_path / "out", [folder],
                 settings=TINY.model_copy(update={"seed": 1}))  # fmt: skip


def test_adaptation_beats_a_head_on_the_frozen_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINREC_HOME", str(tmp_path))
    folder = write_texts(tmp_path / "texts", lines=600)
    short = TINY.model_copy(update={"epochs": 1})
    pretrain("general", tmp_path / "first", [folder], settings=short)
    settings = TINY.model_copy(update={"epochs": 8})
    record = pretrain("adapt", tmp_path / "second", [folder], start=tmp_path / "first",
                      settings=settings)  # fmt: skip
    metrics = record["metrics"]
    assert set(metrics["before"]) == {"word counts", "own head", "frozen encoder"}
    before, after = metrics["before"]["frozen encoder"], metrics["after"]
    assert after["perplexity"] < 0.7 * before["perplexity"]
    lowest = min(figures["perplexity"] for figures in metrics["before"].values())
    assert metrics["perplexity_fall"] == pytest.approx(1 - after["perplexity"] / lowest)
    assert len({f["targets"] for f in (after, *metrics["before"].values())}) == 1
    assert json.loads((tmp_path / "second" / "metrics.json").read_text()) == record

    # What came out is what text.encode and the recommender's tower read.
    texts = ["the limit of this gold card", "the rate of this home loan", ""]
    vectors = text.encode(texts, tmp_path / "second")
    tower, ids, present = encoders.tower(texts, 1, tmp_path / "second")
    np.testing.assert_allclose(vectors, tower.eval()(ids, present).detach(), atol=2e-6)
    assert np.abs(vectors - text.encode(texts, tmp_path / "first")).max() > 0.01


def test_interrupted_adaptation_reports_the_same_figures(tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "texts")
    pretrain("general", tmp_path / "first", [folder], settings=TINY)
    whole = pretrain("adapt", tmp_path / "whole", [folder], tmp_path / "first", TINY)
    for phase in ("frozen encoder", "adaptation"):
        with pytest.raises(Interrupted):
            pretrain("adapt", tmp_path / "cut", [folder], tmp_path / "first", TINY,
                     interrupt_after(1, phase))  # fmt: skip
    cut = pretrain("adapt", tmp_path / "cut", [folder], tmp_path / "first", TINY)
    assert cut["metrics"]["before"] == whole["metrics"]["before"]
    assert cut["metrics"]["after"] == whole["metrics"]["after"]


def test_result_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(CheckpointError, match="exists already"):
        pretrain("general", tmp_path / "out", [write_texts(tmp_path / "t")], settings=TINY)


def test_damaged_encoder_is_named(tmp_path: Path) -> None:
    folder = write_texts(tmp_path / "texts")
    pretrain("general", tmp_path / "first", [folder],
             settings=TINY.model_copy(update={"epochs": 1}))  # fmt: skip
    weights = tmp_path / "first" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="first can't be read"):
        encoders.load(tmp_path / "first")
    settings = json.loads((tmp_path / "first" / "config.json").read_text())
    (tmp_path / "first" / "config.json").write_text(json.dumps({**settings, "model_type": "gpt2"}))
    weights.write_bytes(weights.read_bytes())
    with pytest.raises(CheckpointError):
        encoders.load(tmp_path / "first")


def test_held_out_text_shares_no_long_sentence_with_training() -> None:
    shared = "Please visit the nearest branch of the bank with proof of identity."
    texts = [f"Question {i} about cards? {shared}" for i in range(10)]
    texts += [f"Number {i} is a quite different text that nobody else has here." for i in range(90)]
    known, held = corpus.held_out(texts, 0.3, seed=0)
    assert sorted(known + held) == sorted(texts) and 15 <= len(held) <= 30
    assert len({shared in t for t in known} & {shared in t for t in held}) == 1  # False in both
    assert corpus.held_out(texts, 0.3, seed=0) == (known, held)


def test_columns_of_prose_are_found_and_ids_are_not(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": ["a1", "b2"],
            "text": ["how do I open an account", "what is the fee of this card"],
            "class": ["account_open", "card_fee"],
            "amount": [1.0, 2.0],
        }
    )
    frame.to_parquet(tmp_path / "one.parquet")
    frame.to_csv(tmp_path / "two.csv", index=False)
    (tmp_path / "three.txt").write_text("a line of text\n\nwhat is the fee of this card\n")
    assert corpus.read([tmp_path]) == [
        "how do I open an account", "what is the fee of this card", "a line of text",
    ]  # fmt: skip
    assert corpus.read([tmp_path / "two.csv"], ["class"]) == ["account_open", "card_fee"]
    with pytest.raises(DataError, match="lacks the column question"):
        corpus.read([tmp_path / "two.csv"], ["question"])
    with pytest.raises(DataError, match="does not exist"):
        corpus.read([tmp_path / "four.txt"])


def test_long_texts_are_cut_into_even_windows_without_loss(tmp_path: Path) -> None:
    words = encoders.train_tokenizer(["alpha beta gamma delta"] * 3, 100)
    long = " ".join(["alpha", "beta", "gamma"] * 7)
    cut = corpus.windows(words, [long, "delta", "beta beta"], longest=12)
    assert [len(w) for w in cut] == [9, 9, 9, 4]  # 21 words in three windows; one word is none
    ids = [i for window in cut[:3] for i in window[1:-1]]
    assert words.decode(ids) == long
    assert all(
        w[0] == words.token_to_id("[CLS]") and w[-1] == words.token_to_id("[SEP]") for w in cut
    )


def test_batches_hold_every_row_once_within_their_size() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 500)
    for rng in (None, np.random.default_rng(1)):
        found = corpus.batches(lengths, 240, rng)
        assert sorted(np.concatenate(found).tolist()) == list(range(500))
        assert all(lengths[b].max() * len(b) <= 240 for b in found)
        padded = sum(lengths[b].max() * len(b) for b in found)
        assert padded < 1.25 * lengths.sum()
    first, second = (corpus.batches(lengths, 240, np.random.default_rng(s)) for s in (1, 2))
    assert [b.tolist() for b in first] != [b.tolist() for b in second]


def test_word_counts_by_hand() -> None:
    words = encoders.train_tokenizer(["aa bb cc"] * 3, 100)
    size = words.get_vocab_size()
    aa, bb = words.token_to_id("aa"), words.token_to_id("bb")
    known = [[2, aa, aa, aa, bb, 3]]
    settings = PretrainSettings(objective="plm")
    found = by_counts(words, known, [[2, aa, 3], [2, bb, 3]], settings)
    # One hidden word in each text: P(aa) = 4 / (4 + W), P(bb) = 2 / (4 + W).
    assert found["targets"] == 6 and found["accuracy"] == 0.5
    assert found["perplexity"] == pytest.approx(np.sqrt((4 + size) / 4 * (4 + size) / 2))
