"""Texts for pretraining and fine-tuning: read from files, split without leaks, cut, batched.

Any folder of ``.txt``, ``.csv``, ``.xlsx`` and ``.parquet`` files will do. Text is UTF-8, UTF-16
or else Windows's Latin-1; cells stand apart by comma, semicolon, tab or bar.
"""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import pandas as pd
import pyarrow as pa
from tokenizers import Tokenizer

from finrec.schema import DataError

SUFFIXES = (".txt", ".csv", ".xlsx", ".parquet")
SEPARATORS = ",;\t|"
# An empty cell alone is empty: "None" and "NA" are words, and may be classes.
CELLS: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""]}
SHARED_WORDS = 8  # two texts that share a sentence of so many words belong together


@dataclass(frozen=True)
class Labelled:
    """Texts with a class each.

    Args:
        texts: n texts.
        labels: index into ``names``, int64 [n].
        names: the classes, sorted.
        empty: rows that were left out because they hold no text.
    """

    texts: list[str]
    labels: np.ndarray
    names: tuple[str, ...]
    empty: int = 0

    def take(self, rows: np.ndarray) -> Labelled:
        """The texts at these rows, classes unchanged."""
        return Labelled([self.texts[i] for i in rows], self.labels[rows], self.names, self.empty)


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
    return sorted(
        f
        for f in source.rglob("*")
        if f.suffix.lower() in SUFFIXES and f.is_file() and not f.name.startswith("~$")
    )  # an open workbook's lock file begins with ~$


def _texts(file: Path, columns: Sequence[str] | None) -> Iterator[str]:
    if file.suffix.lower() == ".txt":
        try:
            lines = file.read_text(encoding=_encoding(file)).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file.name} can't be read ({error}); save it as UTF-8.") from error
        yield from (joined for line in lines if (joined := " ".join(line.split())))
        return
    frame = _frame(file)
    chosen = list(columns) if columns else _prose(frame)
    _check_columns(file, frame, chosen)
    for row in frame[chosen].fillna("").astype(str).itertuples(index=False):
        text = " ".join(" ".join(row).split())
        if text:
            yield text


def _frame(file: Path) -> pd.DataFrame:
    try:
        if file.suffix.lower() == ".parquet":
            return pd.read_parquet(file)
        if file.suffix.lower() == ".xlsx":
            sheets = pd.read_excel(file, sheet_name=None, **CELLS)
            return next((s for s in sheets.values() if len(s.columns)), pd.DataFrame())
        encoding = _encoding(file)
        return pd.read_csv(file, sep=_separator(file, encoding), encoding=encoding, **CELLS)
    except (
        pa.ArrowException, OSError, ValueError, csv.Error, KeyError, zipfile.BadZipFile, ParseError,
    ) as error:  # fmt: skip
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{file.name} can't be read ({reason}); export it again.") from error


def _encoding(file: Path) -> str:
    with file.open("rb") as stream:
        if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    try:
        with file.open(encoding="utf-8-sig") as stream:
            while stream.read(2**20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _separator(file: Path, encoding: str) -> str:
    """The one that cuts the header into most cells; of several the first, a comma."""
    with file.open(encoding=encoding, newline="") as stream:
        header = next((line for line in stream if line.strip()), "")
    return max(SEPARATORS, key=lambda s: len(next(csv.reader([header], delimiter=s), [])))


def _prose(frame: pd.DataFrame) -> list[str]:
    """Text columns where most cells have three words or more: not ids, classes or numbers."""
    strings = [c for c in frame.columns if pd.api.types.is_string_dtype(frame[c])]
    return [c for c in strings if (frame[c].fillna("").str.count(r"\S+") >= 3).mean() > 0.5]


def labelled(file: Path, columns: Sequence[str], label: str, classes: int = 2) -> Labelled:
    """A labelled table; rows without text are left out, and counted.

    Args:
        file: Parquet, CSV or XLSX.
        columns: columns that hold the text; joined.
        label: column that holds the class.
        classes: that it must have at least.

    Raises:
        DataError: for a missing file or column, an empty class, no text or too few classes.
    """
    if not file.is_file():
        raise DataError(f"{file} does not exist; check the path.")
    if label in columns:
        raise DataError(f"The column {label} can't be both text and class; name another for one.")
    frame = _frame(file)
    _check_columns(file, frame, (*columns, label))
    if frame.empty:
        raise DataError(f"{file.name} has a header but no rows; export it again.")
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
    if len(names) < classes:
        raise DataError(f"{file.name}, column {label}: only one class; two or more are needed.")
    filled = np.flatnonzero([bool(t) for t in texts])
    if not len(filled):
        raise DataError(
            f"{file.name}, column {', '.join(columns)}: no row holds text; name another column."
        )
    every = Labelled(
        texts, labels.astype(np.int64), tuple(map(str, names)), len(texts) - len(filled)
    )
    return every.take(filled)


def _check_columns(file: Path, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in frame.columns:
            raise DataError(
                f"{file.name} lacks the column {column}; it has "
                f"{', '.join(map(str, frame.columns[:12]))}. Name one of these."
            )


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
