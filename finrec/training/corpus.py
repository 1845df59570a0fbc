"""Texts for pretraining and fine-tuning: read from files, split without leaks, cut, batched.

Any folder of ``.txt``, ``.csv`` and ``.parquet`` files will do.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from finrec.schema import DataError

SUFFIXES = (".txt", ".csv", ".parquet")
SHARED_WORDS = 8  # two texts that share a sentence of so many words belong together
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True)
class Labelled:
    """Texts with a class each.

    Args:
        texts: n texts.
        labels: index into ``names``, int64 [n].
        names: the classes, sorted.
    """

    texts: list[str]
    labels: np.ndarray
    names: tuple[str, ...]

    def take(self, rows: np.ndarray) -> Labelled:
        """The texts at these rows, classes unchanged."""
        return Labelled([self.texts[i] for i in rows], self.labels[rows], self.names)


def read(sources: Sequence[Path], columns: Sequence[str] | None = None) -> list[str]:
    """Distinct texts of files and folders, in the order of first appearance.

    A line of a ``.txt`` file is a text; so is a row of a table, its columns joined.

    Args:
        sources: files, or folders whose files are all read, in the order of their names.
        columns: which columns of tables hold the text; None: those where most cells have at
            least three words.

    Raises:
        DataError: when there is no readable text.
    """
    found: dict[str, None] = {}
    for source in sources:
        for file in _files(source):
            for text in _texts(file, columns):
                found.setdefault(text)
    if not found:
        raise DataError(
            f"No text in {', '.join(map(str, sources)) or 'nothing'}; give other files."
        )
    return list(found)


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"{source} does not exist; check the path.")
    return sorted(f for f in source.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())


def _texts(file: Path, columns: Sequence[str] | None) -> Iterator[str]:
    if file.suffix.lower() == ".txt":
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file.name} can't be read ({error}); save it as UTF-8.") from error
        yield from (joined for line in lines if (joined := " ".join(line.split())))
        return
    frame = _frame(file)
    chosen = list(columns) if columns else _prose(frame)
    for column in chosen:
        if column not in frame.columns:
            raise DataError(
                f"{file.name} lacks the column {column}; it has "
                f"{', '.join(map(str, frame.columns[:12]))}. Name one of these."
            )
    for row in frame[chosen].fillna("").astype(str).itertuples(index=False):
        text = " ".join(" ".join(row).split())
        if text:
            yield text


def _frame(file: Path) -> pd.DataFrame:
    try:
        if file.suffix.lower() == ".parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, dtype=str)
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file.name} can't be read ({reason}); export it again.") from error


def _prose(frame: pd.DataFrame) -> list[str]:
    """Text columns where most cells have three words or more: not ids, classes or numbers."""
    strings = [c for c in frame.columns if pd.api.types.is_string_dtype(frame[c])]
    return [c for c in strings if (frame[c].fillna("").str.count(r"\S+") >= 3).mean() > 0.5]


def labelled(file: Path, columns: Sequence[str], label: str) -> Labelled:
    """A labelled table.

    Args:
        file: Parquet or CSV.
        columns: columns that hold the text; joined.
        label: column that holds the class.

    Raises:
        DataError: for a missing file or column, an empty class, or fewer than two classes.
    """
    if not file.is_file():
        raise DataError(f"{file} does not exist; check the path.")
    frame = _frame(file)
    for column in (*columns, label):
        if column not in frame.columns:
            raise DataError(
                f"{file.name} lacks the column {column}; it has "
                f"{', '.join(map(str, frame.columns[:12]))}. Name one of these."
            )
    empty = np.flatnonzero(frame[label].isna())
    if len(empty):
        raise DataError(
            f"{file.name}, row {empty[0] + 1}, column {label}: no class ({len(empty)} such rows); "
            "fill it or drop the rows."
        )
    texts = [
        " ".join(" ".join(r).split())
        for r in frame[list(columns)].fillna("").astype(str).to_numpy()
    ]
    names, labels = np.unique(frame[label].astype(str).to_numpy(dtype=object), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{file.name}, column {label}: only one class; two or more are needed.")
    return Labelled(texts, labels.astype(np.int64), tuple(str(n) for n in names))


def groups(texts: Sequence[str]) -> np.ndarray:
    """Group of each text, int64 [n]: texts that share a long sentence are in one group.

    Banks answer many questions in the same words; splitting by text alone would put copies of a
    training sentence into the held-out part.
    """
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, text in enumerate(texts):
        for sentence in re.split(r"(?<=[.!?:;])\s+", text):
            words = re.findall(r"\w+", sentence.lower())
            if len(words) >= SHARED_WORDS:
                other = first.setdefault(" ".join(words), i)
                parent[root(i)] = root(other)
    return np.array([root(i) for i in range(len(texts))], dtype=np.int64)


def held_out(texts: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Texts to learn from and texts held out, about ``share`` of them, whole groups at a time."""
    group = groups(texts)
    order = np.random.default_rng(seed).permutation(np.unique(group))
    sizes = np.bincount(group, minlength=len(texts))[order]
    taken = set(order[np.cumsum(sizes) <= share * len(texts)].tolist())
    if not taken or len(taken) == len(order):
        raise DataError(
            f"{len(texts)} texts in {len(order)} groups of shared sentences are too few to hold "
            f"{share:.0%} out; give more text."
        )
    learn = [t for t, g in zip(texts, group, strict=True) if g not in taken]
    return learn, [t for t, g in zip(texts, group, strict=True) if g in taken]


def stratified(
    labels: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows held out, ``share`` of every class (at least one, never all)."""
    out = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        out.append(rows[: min(max(1, round(share * len(rows))), len(rows) - 1)])
    chosen = np.sort(np.concatenate(out))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def windows(words: Tokenizer, texts: Sequence[str], longest: int) -> list[list[int]]:
    """Token ids of texts with their start and end tokens; a long text becomes several windows."""
    start, end = words.encode("").ids
    cut = []
    for encoded in words.encode_batch(list(texts), add_special_tokens=False):
        ids = encoded.ids
        # Equal pieces rather than full ones and a rest, so that no window is a mere word or two.
        pieces = max(1, -(-len(ids) // (longest - 2)))
        for part in np.array_split(np.array(ids, dtype=np.int64), pieces):
            if len(part) > 1:
                cut.append([start, *part.tolist(), end])
    return cut


def batches(
    lengths: Sequence[int], tokens: int, rng: np.random.Generator | None, most: int = 10**9
) -> list[np.ndarray]:
    """Rows in batches of similar length, each of at most ``tokens`` padded tokens.

    Args:
        lengths: tokens of each row.
        tokens: padded size of a batch; a longer row is a batch of its own.
        rng: shuffles rows and batches; None: in order of length.
        most: rows of a batch.
    """
    sizes = np.asarray(lengths)
    # A jitter of a fifth mixes neighbours without much padding.
    noise = rng.uniform(0.8, 1.25, len(sizes)) if rng is not None else np.ones(len(sizes))
    order = np.lexsort((np.arange(len(sizes)), sizes * noise))
    found: list[np.ndarray] = []
    current: list[int] = []
    widest = 0
    for row in order:
        widest = max(widest, int(sizes[row]))
        if current and (widest * (len(current) + 1) > tokens or len(current) == most):
            found.append(np.array(current))
            current, widest = [], int(sizes[row])
        current.append(int(row))
    if current:
        found.append(np.array(current))
    if rng is not None:
        found = [found[i] for i in rng.permutation(len(found))]
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
