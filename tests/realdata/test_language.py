"""Text encoders on real text: bank FAQs, Banking77, financial news, Beauty titles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finrec.features import text
from finrec.training import corpus
from finrec.training.finetune import FinetuneSettings
from finrec.training.pretrain import pretrain
from finrec.training.word_prediction import PretrainSettings

pytestmark = pytest.mark.realdata


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, real_data: Path) -> Path:
    monkeypatch.delenv("FINREC_TEXT_MODEL", raising=False)
    return real_data


def test_neighbours_of_beauty_titles_share_their_category(folder: Path) -> None:
    items = pd.read_parquet(folder / "amazon_beauty_5core" / "items.parquet").head(400)
    category = items["categories"].str.split('", "').str[1].fillna("").to_numpy()
    vectors = text.encode(items["title"].fillna("").tolist())
    near = vectors @ vectors.T
    np.fill_diagonal(near, -1)
    found = (category[near.argmax(1)] == category).mean()
    by_chance = (pd.Series(category).value_counts(normalize=True) ** 2).sum()
    assert found > by_chance + 0.3


def test_split_of_bank_faqs_shares_no_sentence(folder: Path) -> None:
    texts = corpus.read([folder / "text_bank_faqs"])
    assert 1400 < len(texts) < 1773  # repeated rows are one text
    assert not any("fundstransfer" in t for t in texts)  # the class is no text
    known, held = corpus.held_out(texts, 0.1, seed=0)
    assert 0.07 < len(held) / len(texts) < 0.11
    groups = corpus.groups([*known, *held])
    assert not set(groups[: len(known)]) & set(groups[len(known) :])


def test_encoder_from_scratch_learns_bank_language(folder: Path, tmp_path: Path) -> None:
    settings = PretrainSettings(
        epochs=2, rate=1e-3, decay=1.0, words=2000, width=64, layers=2, heads=2, longest=64
    )
    source = [folder / "text_bank_faqs"]
    metrics = pretrain("general", tmp_path / "own", source, settings=settings)["metrics"]
    assert metrics["pretrained"]["perplexity"] < 0.5 * metrics["untrained"]["perplexity"]


@pytest.mark.slow
def test_adapting_an_own_encoder_lowers_perplexity_of_bank_faqs(
    folder: Path, tmp_path: Path
) -> None:
    small = PretrainSettings(
        epochs=3, head_epochs=3, rate=1e-3, decay=1.0, words=2000, width=64, layers=2, heads=2,
        longest=64,
    )  # fmt: skip
    news = [folder / "text_financial_phrasebank"]
    pretrain("general", tmp_path / "news", news, settings=small)
    source = [folder / "text_bank_faqs"]
    record = pretrain("adapt", tmp_path / "bank", source, tmp_path / "news", small)
    before, after = record["metrics"]["before"], record["metrics"]["after"]
    # The head alone learns which words are frequent in a bank; the encoder must add to that.
    assert before["frozen encoder"]["perplexity"] < before["own head"]["perplexity"]
    assert after["perplexity"] < 0.9 * before["frozen encoder"]["perplexity"]


@pytest.mark.slow
def test_few_queries_of_each_intent_suffice_to_tell_77_apart(folder: Path, tmp_path: Path) -> None:
    train = pd.read_parquet(folder / "text_banking77" / "train.parquet")
    shuffled = train.sample(frac=1, random_state=0).groupby("category")
    shuffled.head(8).to_parquet(tmp_path / "few.parquet")
    shuffled.tail(4).to_parquet(tmp_path / "held.parquet")
    record = pretrain(
        "finetune",
        tmp_path / "intents",
        [tmp_path / "few.parquet"],
        settings=FinetuneSettings(epochs=1),
        columns=["text"],
        label="category",
        test=tmp_path / "held.parquet",
    )
    assert record["metrics"]["texts"][2] == 77 * 4
    assert record["metrics"]["fine-tuned"]["test"]["accuracy"] > 0.7
