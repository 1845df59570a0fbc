"""Supervised fine-tuning of a text encoder: binary or multi-class, on labelled financial text.

The paper's φ* = argmax over φ of Σ log P(y | x; θ*, φ) on D_t is the first phase: a classifier φ
on the frozen encoder θ*. The paper's text then fine-tunes "the parameters of the Transformer
model" too; that is the second phase, which starts from θ* and φ* (Kumar et al., 2022) and lets
both move, lower layers more slowly.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from finrec.config import Frozen
from finrec.features.text import model_folder
from finrec.networks.language import TextClassifier, TextEncoder, pooled
from finrec.schema import CheckpointError, DataError
from finrec.training import corpus, encoders
from finrec.training.corpus import Labelled
from finrec.training.masking import padded
from finrec.training.text_job import TextJob, sources
from finrec.training.text_loop import Plan, Progress, layerwise, learn

CLASSIFIER, CLASSES = "classifier.safetensors", "classes.json"
MEASURE_TOKENS = 4096


class FinetuneSettings(Frozen):
    """How an encoder learns classes."""

    epochs: int = Field(8, ge=1, le=1000, description="passes over the labelled texts")
    rate: float = Field(4e-4, gt=0, le=1, description="peak learning rate of the last layer")
    head_rate: float = Field(1e-3, gt=0, le=1, description="peak learning rate of the classifier")
    decay: float = Field(0.75, gt=0, le=1, description="factor of the rate from layer to layer")
    weight_decay: float = Field(0.01, ge=0, le=10, description="AdamW's decay")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of steps with a rising rate")
    smoothing: float = Field(0.05, ge=0, lt=1, description="label smoothing")
    dropout: float = Field(0.1, ge=0, lt=1, description="in the encoder and before the classifier")
    batch: int = Field(32, ge=1, description="texts in a batch")
    longest: int = Field(96, ge=8, le=512, description="tokens after which a text is cut")
    words_learn: bool = Field(False, description="whether word embeddings change too")
    held_out: float = Field(0.1, gt=0, lt=0.5, description="share of texts for validation")
    minutes: float = Field(30.0, gt=0, description="no new epoch is begun after this time")
    seed: int = Field(0, ge=0, description="of split, batches and dropout")


def finetune(
    out: Path,
    train: Path,
    columns: Sequence[str],
    label: str,
    start: Path | None = None,
    settings: FinetuneSettings | None = None,
    test: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a classifier, choose the epoch on validation, measure the test texts once.

    Args:
        out: folder of the result.
        train: labelled table.
        columns: its text columns.
        label: its class column.
        start: encoder; None: the packaged MiniLM.
        settings: of the training.
        test: labelled table of the test; None: a stratified share ``held_out`` of ``train``,
            after texts that differ only in case or punctuation were merged.
        progress: called with every line of the log.

    Returns:
        Stage, settings, inputs and metrics, as in the result's ``metrics.json``.
    """
    settings = settings or FinetuneSettings()
    folder = model_folder(start)
    inputs = {
        "start": str(folder),
        "train": sources([train]),
        "columns": list(columns),
        "label": label,
        "test": sources([test]) if test else None,
    }
    folds = _folds(train, columns, label, test, settings)  # what can't be read leaves no job
    encoder, words = encoders.load(folder, settings.dropout)
    with TextJob(out, "finetune", settings, inputs, progress) as job:
        return job.record or _teach(job, encoder, words, folds, settings)


def _teach(
    job: TextJob,
    encoder: TextEncoder,
    words: Tokenizer,
    folds: tuple[Labelled, Labelled, Labelled],
    settings: FinetuneSettings,
) -> dict[str, Any]:
    """Both phases, each measured, and the result published."""
    known, valid, held = folds
    blank = known.empty + (held.empty if job.told["inputs"]["test"] else 0)
    if blank:
        job.log.write("reading", message=f"Rows without text were left out: {blank}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = TextClassifier(encoder, len(known.names), settings.dropout).eval()
    longest = min(settings.longest, encoder.shape.positions)
    ids = [_ids(words, part.texts, longest) for part in (known, valid, held)]
    features = [_features(model, rows) for rows in ids[:2]]
    _fit_classifier(model, features[0], features[1], known, valid, settings)
    metrics: dict[str, Any] = {"texts": [len(p.texts) for p in (known, valid, held)]}
    metrics["frozen encoder"] = {
        "valid": job.measured("frozen, valid", lambda: measure(model, ids[1], valid.labels)),
        "test": job.measured("frozen, test", lambda: measure(model, ids[2], held.labels)),
    }
    history = _learn(job, model, ids, known, valid, settings)
    metrics["fine-tuned"] = {
        "valid": job.measured("valid", lambda: measure(model, ids[1], valid.labels)),
        "test": job.measured("test", lambda: measure(model, ids[2], held.labels)),
    }
    majority = int(np.bincount(known.labels).argmax())
    metrics["majority class"] = {"test": {"accuracy": float((held.labels == majority).mean())}}

    def write(target: Path) -> None:
        encoders.save(model.encoder, words, target)
        save_file(
            {k: v.contiguous() for k, v in model.output.state_dict().items()}, target / CLASSIFIER
        )
        (target / CLASSES).write_text(json.dumps(known.names))

    return job.publish(write, {**metrics, **history})


def _folds(
    train: Path,
    columns: Sequence[str],
    label: str,
    test: Path | None,
    settings: FinetuneSettings,
) -> tuple[Labelled, Labelled, Labelled]:
    """Texts to learn from, for validation and for the test, some of every class in each."""
    rng = np.random.default_rng(settings.seed)
    read = corpus.labelled(train, columns, label)
    if test is None:
        every = read.take(_distinct(read.texts))
        _check_classes(every, len(read.texts), f"{train.name}, column {label}", 3)
        rest, chosen = corpus.stratified(every.labels, settings.held_out, rng)
        held, every = every.take(chosen), every.take(rest)
    else:
        held = _known_classes(corpus.labelled(test, columns, label, 1), read.names, test, label)
        taken = {_plain(t) for t in held.texts}
        every = read.take(np.flatnonzero([_plain(t) not in taken for t in read.texts]))
        if not every.texts:
            raise DataError(
                f"Every text of {train.name} is in the test table {test.name} too; give another "
                "test table."
            )
        _check_classes(every, len(read.texts), f"{train.name}, column {label}", 2)
    rest, chosen = corpus.stratified(every.labels, settings.held_out, rng)
    return every.take(rest), every.take(chosen), held


def _check_classes(every: Labelled, rows: int, where: str, needed: int) -> None:
    """Refuse a table with a class too small for ``needed`` parts; ``rows`` held text before."""
    counts = np.bincount(every.labels, minlength=len(every.names))
    few = int(counts.argmin())
    if counts[few] < needed:
        twice = "the same as others" if needed == 3 else "in the test table too"
        parts = "to learn from, for validation" + (" and for the test" if needed == 3 else "")
        raise DataError(
            f"{where}: too few texts of the class {every.names[few]!r}, {counts[few]} of the "
            f"{needed} needed, one each {parts}; left out of the table were {every.empty} without "
            f"text and {rows - len(every.texts)} {twice}. Add texts to the class or drop it."
        )


def _known_classes(held: Labelled, names: tuple[str, ...], test: Path, label: str) -> Labelled:
    """The test's texts with the classes of training."""
    unknown = sorted(set(held.names) - set(names))
    if unknown:
        raise DataError(
            f"{test.name}, column {label}: the class {unknown[0]!r} is not in training; drop its "
            "rows or teach it."
        )
    renamed = np.array([names.index(n) for n in held.names], dtype=np.int64)
    return Labelled(held.texts, renamed[held.labels], names, held.empty)


def _plain(text: str) -> str:
    """A text without case and punctuation; all of it where nothing else is in it.

    Marks and symbols stay: vowels of Indic scripts are marks, and emoji are symbols that tell
    texts apart.
    """
    kept = (" " if unicodedata.category(c).startswith("P") else c for c in text.lower())
    return " ".join("".join(kept).split()) or text


def _distinct(texts: Sequence[str]) -> np.ndarray:
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        first.setdefault(_plain(text), row)
    return np.array(sorted(first.values()), dtype=np.int64)


def _ids(words: Any, texts: Sequence[str], longest: int) -> list[list[int]]:
    rows = [e.ids for e in words.encode_batch(list(texts))]
    return [r if len(r) <= longest else [*r[: longest - 1], r[-1]] for r in rows]


def _batch(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
    ids, lengths = padded(rows)
    if (lengths == ids.shape[1]).all():
        return torch.from_numpy(ids), None
    return torch.from_numpy(ids), torch.from_numpy(np.arange(ids.shape[1]) < lengths[:, None])


@torch.inference_mode()
def _features(model: TextClassifier, rows: list[list[int]]) -> Tensor:
    """Mean-pooled output of the encoder in evaluation mode, [n, D]."""
    model.eval()
    out = torch.zeros(len(rows), model.encoder.shape.width)
    for batch in corpus.batches([len(r) for r in rows], MEASURE_TOKENS, None):
        ids, present = _batch([rows[i] for i in batch])
        out[torch.from_numpy(batch)] = pooled(model.encoder(ids, present), present)
    return out


def _fit_classifier(
    model: TextClassifier,
    x: Tensor,
    x_valid: Tensor,
    known: Labelled,
    valid: Labelled,
    settings: FinetuneSettings,
    steps: int = 300,
) -> None:
    """Fit φ on fixed features, keeping the step that validates best."""
    x, x_valid = x.clone(), x_valid.clone()  # inference tensors can't take part in autograd
    y, y_valid = torch.from_numpy(known.labels), torch.from_numpy(valid.labels)
    scale = x.std()
    output = model.output
    optimizer = torch.optim.AdamW(output.parameters(), lr=0.02, weight_decay=0.01)
    best, kept = -1.0, output.state_dict()
    for step in range(steps):
        loss = F.cross_entropy(output(x / scale), y, label_smoothing=settings.smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            right = float((output(x_valid / scale).argmax(1) == y_valid).float().mean())
            if right > best:
                best, kept = right, {k: v.clone() for k, v in output.state_dict().items()}
    output.load_state_dict(kept)
    with torch.no_grad():
        output.weight /= scale


def _learn(
    job: TextJob,
    model: TextClassifier,
    ids: Sequence[list[list[int]]],
    known: Labelled,
    valid: Labelled,
    settings: FinetuneSettings,
) -> dict[str, Any]:
    """Second phase: encoder and classifier together."""
    model.encoder.words.requires_grad_(settings.words_learn)
    lengths = [len(r) for r in ids[0]]
    labels = torch.from_numpy(known.labels)
    plan = Plan("fine-tuning", settings.epochs, settings.warmup, "accuracy", True,
                settings.minutes, settings.seed)  # fmt: skip
    groups = layerwise(model.encoder, model.output, settings.rate, settings.head_rate,
                       settings.decay, settings.weight_decay)  # fmt: skip

    def batches(chance: np.random.Generator) -> list[np.ndarray]:
        return corpus.batches(lengths, settings.batch * settings.longest, chance, settings.batch)

    def loss(batch: np.ndarray, chance: np.random.Generator) -> tuple[Tensor, int]:
        inputs, present = _batch([ids[0][i] for i in batch])
        logits = model(inputs, present)
        target = labels[torch.from_numpy(batch)]
        return F.cross_entropy(logits, target, label_smoothing=settings.smoothing), len(batch)

    return learn(
        job.work / "fine-tuning",
        plan,
        model,
        groups,
        batches,
        loss,
        lambda: measure(model, ids[1], valid.labels),
        job.log,
    )


@torch.inference_mode()
def measure(model: TextClassifier, rows: list[list[int]], labels: np.ndarray) -> dict[str, float]:
    """Accuracy, macro-averaged F1 over the classes that occur, and mean -log P of the class."""
    logits = model.output(_features(model, rows)).float()
    target = torch.from_numpy(labels)
    guess = logits.argmax(1)
    f1 = []
    for label in np.unique(labels):
        both = int(((guess == label) & (target == label)).sum())
        f1.append(2 * both / int((guess == label).sum() + (target == label).sum()))
    return {
        "accuracy": float((guess == target).float().mean()),
        "macro_f1": float(np.mean(f1)),
        "log_loss": float(F.cross_entropy(logits, target)),
        "texts": len(rows),
    }


def classify(folder: Path, texts: Sequence[str], longest: int = 96) -> tuple[np.ndarray, list[str]]:
    """Class probabilities float32 [len(texts), Y] by a fine-tuned encoder, and the classes.

    Raises:
        CheckpointError: when the folder holds no classifier.
    """
    encoder, words = encoders.load(folder)
    try:
        names = json.loads((folder / CLASSES).read_text())
        weights = load_file(folder / CLASSIFIER)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} holds no classifier: {error}.") from error
    model = TextClassifier(encoder, len(names)).eval()
    model.output.load_state_dict(weights)
    longest = min(longest, encoder.shape.positions)
    with torch.inference_mode():
        logits = model.output(_features(model, _ids(words, texts, longest)))
    return logits.softmax(1).numpy(), names
