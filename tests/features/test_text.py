"""Text vectors: equal to the reference, independent of order, computed once, never half written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from finrec.features import text
from finrec.schema import CheckpointError, DataError

WORDS = "savings account loan card gold platinum home travel insurance fee yearly for the a".split()
TEXTS = ["gold card", "home loan for a home", "travel insurance", "savings account", "card", "fee"]


def write_encoder(folder: Path, seed: int = 0) -> Path:
    """A tiny BERT with random weights in the layout of a real one."""
    torch.manual_seed(seed)
    vocabulary = {
        w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
    }
    sizes = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        initializer_range=0.5,
    )
    BertModel(sizes, add_pooling_layer=False).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINREC_HOME", str(tmp_path / "home"))
    return write_encoder(tmp_path / "encoder")


def reference(folder: Path, texts: list[str]) -> np.ndarray:
    """All texts in one padded batch, mean over the unmasked tokens, normalised."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    rows = tokenizer.encode_batch(texts)
    mask = torch.tensor([r.attention_mask for r in rows])
    network = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        hidden = network(torch.tensor([r.ids for r in rows]), attention_mask=mask)[0]
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return (mean / mean.norm(dim=1, keepdim=True)).numpy()


def test_equals_padded_mean_pooling(encoder: Path) -> None:
    found = text.encode(TEXTS, encoder)
    assert found.dtype == np.float32 and found.shape == (6, 16)
    np.testing.assert_allclose(found, reference(encoder, TEXTS), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_order_of_texts_changes_no_bit(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = text.encode(TEXTS, encoder)
    monkeypatch.setenv("FINREC_HOME", str(tmp_path / "another"))
    again = text.encode(TEXTS[::-1], encoder)
    assert np.array_equal(first, again[::-1])


def test_batches_of_any_size_agree(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{a} {b} {c}" for a in WORDS[:5] for b in WORDS[5:9] for c in WORDS[9:]]
    large = text.encode(texts, encoder)
    monkeypatch.setenv("FINREC_HOME", str(tmp_path / "another"))
    monkeypatch.setattr(text, "BATCH_TOKENS", 7)
    monkeypatch.setattr(text, "SHARD_TEXTS", 9)
    np.testing.assert_allclose(text.encode(texts, encoder), large, atol=1e-6)


def test_blank_text_is_the_zero_vector(encoder: Path) -> None:
    found = text.encode(["", " \n", "card"], encoder)
    assert not found[:2].any() and found[2].any()
    assert text.encode([], encoder).shape == (0, 16)


def test_repeated_and_known_texts_are_not_computed_again(
    encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    first = text.encode(["card", "loan", " card "], encoder, lambda *c: calls.append(c))
    assert calls[-1] == (2, 2)
    assert np.array_equal(first[0], first[2])

    def refuse(*_: object) -> None:
        raise AssertionError("the encoder was loaded although every text is cached")

    monkeypatch.setattr(text, "_load", refuse)
    assert np.array_equal(text.encode(["loan", "card"], encoder), first[[1, 0]])


def test_other_weights_give_other_vectors(encoder: Path, tmp_path: Path) -> None:
    other = write_encoder(tmp_path / "other", seed=1)
    assert text.identity(encoder) != text.identity(other)
    assert np.abs(text.encode(["card"], encoder) - text.encode(["card"], other)).max() > 0.01


def test_rewritten_weights_are_noticed(encoder: Path) -> None:
    before = text.encode(["card"], encoder)
    write_encoder(encoder, seed=1)
    assert np.abs(text.encode(["card"], encoder) - before).max() > 0.01


def test_interrupted_run_keeps_what_it_did(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "SHARD_TEXTS", 2)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        text.encode(TEXTS, encoder, stop)
    calls: list[tuple[int, int]] = []
    found = text.encode(TEXTS, encoder, lambda *c: calls.append(c))
    assert calls[0] == (4, 6)
    np.testing.assert_allclose(found, reference(encoder, TEXTS), atol=2e-6)


def test_damaged_cache_file_is_computed_anew(encoder: Path, tmp_path: Path) -> None:
    first = text.encode(TEXTS, encoder)
    files = list((tmp_path / "home").rglob("*.parquet"))
    assert len(files) == 1
    files[0].write_bytes(files[0].read_bytes()[:100])
    with pytest.warns(UserWarning, match="can't be read"):
        assert np.array_equal(text.encode(TEXTS, encoder), first)
    assert np.array_equal(text.encode(TEXTS, encoder), first)


def test_missing_folder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        text.encode(["card"], tmp_path / "nowhere")


def test_text_that_is_no_string_is_named(encoder: Path) -> None:
    with pytest.raises(DataError, match="Text 2 is nan"):
        text.encode(["card", float("nan")], encoder)  # type: ignore[list-item]


def test_describe_joins_name_description_and_attributes() -> None:
    products = pd.DataFrame(
        {
            "product_id": ["1", "2", "3"],
            "name": ["Gold card", "Home loan", None],
            "description": ["A card with travel insurance.", "", None],
            "kind": ["card", "loan", None],
            "annual_fee": [30.0, 12.5, np.nan],
            "insured": [True, False, None],
            "since": pd.to_datetime(["2020-01-31", None, None]),
        }
    )
    assert text.describe(products) == [
        "Gold card. A card with travel insurance. annual fee: 30; insured: yes; since: 2020-01-31",
        "Home loan. annual fee: 12.5; insured: no",
        "",
    ]


def test_packaged_encoder_knows_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINREC_HOME", str(tmp_path))
    monkeypatch.delenv("FINREC_TEXT_MODEL", raising=False)
    card, debit, shampoo = text.encode(["credit card", "debit card of a bank", "hair shampoo"])
    assert card @ debit > card @ shampoo + 0.2


@pytest.mark.parametrize(
    ("texts", "nothing"),
    [
        (["Insurance 1", "Insurance 2", "insurance 16"], True),
        (["P001", "X-17", "AB 3"], True),
        (["", ""], False),
        (["Group 1", "Group 2", "Group 1"], False),
        (["Fund 1", "Loan 1"], False),
        (["存款", "贷款"], False),
        (["Счёт 1", "Вклад 1"], False),
        (["Pension"], False),
    ],
)
def test_names_that_are_numbers_say_nothing(texts: list[str], nothing: bool) -> None:
    assert text.anonymous(texts) is nothing
