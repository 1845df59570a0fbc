"""Text encoders on disk, in BERT's layout: ``config.json``, ``model.safetensors``, tokenizer.

What is written here loads in ``transformers`` and in :mod:`finrec.features.text`; what
``transformers`` wrote for a BERT (MiniLM among them) loads here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor

from finrec.features import text
from finrec.networks.language import TextEncoder, TextShape, TextTower
from finrec.schema import CheckpointError

MASK = "[MASK]"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", MASK)
LAYER = {  # ours: BERT's, below encoder.layer.<i>
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "network.0": "intermediate.dense",
    "network.3": "output.dense",
    "network_norm": "output.LayerNorm",
}
OUTSIDE = {
    "words": "embeddings.word_embeddings",
    "places": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
}


def bert_name(name: str) -> str:
    """BERT's name of one of our parameters: ``layers.0.network.0.bias`` and so on."""
    stem, _, kind = name.rpartition(".")
    if stem in OUTSIDE:
        return f"{OUTSIDE[stem]}.{kind}"
    _, index, part = stem.split(".", 2)
    return f"encoder.layer.{index}.{LAYER[part]}.{kind}"


def tokenizer(folder: Path) -> Tokenizer:
    """The folder's tokenizer, without padding or truncation.

    Raises:
        CheckpointError: when it is missing or lacks the token ``[MASK]``.
    """
    file = folder / "tokenizer.json"
    try:
        found = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception, whatever is wrong
        raise CheckpointError(f"{file} is no tokenizer: {error}.") from error
    if found.token_to_id(MASK) is None:
        raise CheckpointError(f"{file} has no token {MASK}; use the tokenizer of a BERT.")
    found.no_padding()
    found.no_truncation()
    return found


def train_tokenizer(texts: Sequence[str], size: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer learned from texts, with BERT's special tokens.

    Args:
        texts: what it learns from.
        size: words of the vocabulary at most.
    """
    pieces = _blank_tokenizer({})
    cut = pieces.pre_tokenizer.pre_tokenize_str
    letters = {
        c for t in texts for word, _ in cut(pieces.normalizer.normalize_str(t)) for c in word
    }
    # The library numbers letters inside words in the order of a random hash and breaks ties of
    # merges by number; told as special tokens they have fixed numbers, and so has all the rest.
    fixed = [*SPECIAL, *(f"##{c}" for c in sorted(letters))]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=fixed, show_progress=False, min_frequency=2
    )
    pieces.train_from_iterator(texts, trainer)
    words = _blank_tokenizer(pieces.get_vocab())
    words.add_special_tokens(list(SPECIAL))
    ids = [(name, words.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    return words


def _blank_tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    words = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.decoder = decoders.WordPiece()
    return words


def load(folder: Path, dropout: float = 0.1) -> tuple[TextEncoder, Tokenizer]:
    """An encoder of ours with the weights of a folder, in evaluation mode, and its tokenizer.

    Raises:
        CheckpointError: when a file is missing or damaged, a weight is not finite, or the encoder
            is no plain BERT.
    """
    folder = text.model_folder(folder)
    words = tokenizer(folder)
    try:
        settings = json.loads((folder / "config.json").read_text())
        stored = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"The text encoder in {folder} can't be read: {error}.") from error
    if settings.get("model_type") != "bert" or settings.get("hidden_act", "gelu") != "gelu":
        raise CheckpointError(
            f"{folder / 'config.json'} describes a {settings.get('model_type')} with "
            f"{settings.get('hidden_act')}; only a BERT with gelu can be trained further."
        )
    encoder = TextEncoder(_shape(settings, words.token_to_id(MASK), dropout))
    stored = {name.removeprefix("bert."): value for name, value in stored.items()}
    try:
        ours = {name: stored[bert_name(name)].float() for name in encoder.state_dict()}
        encoder.load_state_dict(ours)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder / 'model.safetensors'} does not hold what its config.json describes: {error}."
        ) from error
    if not all(bool(torch.isfinite(p).all()) for p in encoder.parameters()):
        raise CheckpointError(
            f"The text encoder in {folder} has weights that are not finite; train it again at a "
            "lower rate, or choose another."
        )
    return encoder.eval(), words


def _shape(settings: dict[str, Any], mask: int | None, dropout: float) -> TextShape:
    return TextShape(
        words=settings["vocab_size"],
        width=settings["hidden_size"],
        layers=settings["num_hidden_layers"],
        heads=settings["num_attention_heads"],
        inner=settings["intermediate_size"],
        positions=settings["max_position_embeddings"],
        dropout=dropout,
        mask=mask if mask is not None else 0,
    )


def save(encoder: TextEncoder, words: Tokenizer, folder: Path) -> None:
    """Write the three files of an encoder into a folder, made if need be; each file atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = encoder.shape
    settings = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": shape.words,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "max_position_embeddings": shape.positions,
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.dropout,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    }
    tensors = {bert_name(k): v.detach().contiguous() for k, v in encoder.state_dict().items()}
    save_file(tensors, folder / ".model.safetensors", metadata={"format": "pt"})
    os.replace(folder / ".model.safetensors", folder / "model.safetensors")
    words.save(str(folder / ".tokenizer.json"))
    os.replace(folder / ".tokenizer.json", folder / "tokenizer.json")
    (folder / ".config.json").write_text(json.dumps(settings, indent=1))
    os.replace(folder / ".config.json", folder / "config.json")


def table(words: Tokenizer, texts: Sequence[str], longest: int) -> tuple[Tensor, Tensor]:
    """Token ids int64 [N, S], padded with 0, and bool [N, S] saying where a token is.

    A blank text has no token at all.
    """
    rows = [
        t.ids[: longest - 1] + t.ids[-1:] if len(t.ids) > longest else t.ids
        for t in words.encode_batch([" ".join(t.split()) for t in texts])
    ]
    rows = [ids if one.strip() else [] for ids, one in zip(rows, texts, strict=True)]
    ids = torch.zeros(len(rows), max([1, *map(len, rows)]), dtype=torch.int64)
    present = torch.zeros(ids.shape, dtype=torch.bool)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        present[row, : len(tokens)] = True
    return ids, present


def tower(
    texts: Sequence[str], unfrozen: int, model_dir: Path | None = None, longest: int = 64
) -> tuple[TextTower, Tensor, Tensor]:
    """What the recommender needs to compute text vectors with gradient.

    Args:
        texts: N texts, one a product.
        unfrozen: number of top layers that learn; 0 gives constant vectors.
        model_dir: folder of the encoder; None as in :func:`finrec.features.text.model_folder`.
        longest: tokens after which a text is cut.

    Returns:
        The network, token ids int64 [N, S] and bool [N, S]; ``network(ids, present)`` is [N, V].
    """
    encoder, words = load(text.model_folder(model_dir))
    ids, present = table(words, texts, min(longest, encoder.shape.positions))
    return TextTower(encoder, unfrozen), ids, present
