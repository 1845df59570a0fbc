"""Pretraining of text encoders without labels: from scratch, or adapted to financial text.

Stage "general" gives the paper's θ* = argmax over θ of Σ log P(y | x; θ) on a text D_s, where y
are words hidden from x (MLM) or words predicted in a random order (PLM). Stage "adapt" goes on
from given weights, for example MiniLM's, on financial text. Stage "finetune" is
:mod:`finrec.training.finetune`; :func:`pretrain` runs any of the three by name.

Adaptation is measured on held-out text. "Before" is the lowest of: the encoder with the word head
that it came with ("own head"), the same with its head trained further on the very text of the
adaptation while the encoder stays frozen ("frozen encoder"), and mere word counts ("word counts").
MiniLM comes without a word head, and its last layer was tuned for sentence vectors, so a new head
on it predicts little better than counts: a fall from there would flatter. Adapt it to other text
first, and then the result of that to the target text; the second fall is the one to report.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from finrec.features.text import model_folder
from finrec.networks.language import LanguageModel, TextEncoder, TextShape
from finrec.schema import DataError
from finrec.training import corpus, encoders, finetune
from finrec.training.finetune import FinetuneSettings
from finrec.training.text_job import TextJob, sources
from finrec.training.text_loop import Progress
from finrec.training.word_prediction import PretrainSettings, by_counts, learn_words, measure

Stage = Literal["general", "adapt", "finetune"]
HEAD = "head.safetensors"
# From scratch the first words are learned only after many steps, so batches are small.
GENERAL = PretrainSettings(rate=1e-3, decay=1.0, epochs=20, tokens=512)


def pretrain(
    stage: Stage,
    out: Path,
    text: Sequence[Path],
    start: Path | None = None,
    settings: PretrainSettings | FinetuneSettings | None = None,
    progress: Progress | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Run a stage of transfer learning; called again with the same arguments it goes on.

    Args:
        stage: "general", "adapt" or "finetune".
        out: folder of the result, which :func:`finrec.features.text.encode` reads.
        text: files or folders of text; for "finetune" one table.
        start: encoder to begin with; None: the packaged MiniLM ("general" begins from scratch).
        settings: of the stage; None: its defaults.
        progress: called with every line of the log.
        more: further arguments of :func:`general`, :func:`adapt` or :func:`finetune.finetune`.

    Returns:
        Stage, settings, inputs and metrics, as in the result's ``metrics.json``.
    """
    if stage == "finetune":
        chosen = settings or FinetuneSettings()
        if not isinstance(chosen, FinetuneSettings) or len(text) != 1:
            raise TypeError("finetune takes FinetuneSettings and one table")
        return finetune.finetune(
            out, text[0], start=start, settings=chosen, progress=progress, **more
        )
    if isinstance(settings, FinetuneSettings):
        raise TypeError(f"{stage} takes PretrainSettings")
    if stage == "general":
        return general(out, text, settings or GENERAL, progress, **more)
    return adapt(out, text, start, settings or PretrainSettings(), progress, **more)


def general(
    out: Path,
    text: Sequence[Path],
    settings: PretrainSettings,
    progress: Progress | None = None,
    columns: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Train a tokenizer and an encoder of our own from scratch.

    Perplexity counts this tokenizer's words: compare it only with encoders that share it.

    Args:
        out: folder of the result.
        text: files or folders of text; a share is held out for validation, another for test.
        settings: of the training.
        progress: called with every line of the log.
        columns: text columns of tables in ``text``.
    """
    inputs: dict[str, Any] = {"text": sources(text)}
    if columns:
        inputs["columns"] = columns
    parts = _split(corpus.read(text, columns), settings)  # what can't be read leaves no job
    with TextJob(out, "general", settings, inputs, progress) as job:
        return job.record or _from_scratch(job, parts, settings)


def _from_scratch(
    job: TextJob, parts: tuple[list[str], list[str], list[str]], settings: PretrainSettings
) -> dict[str, Any]:
    saved = job.work / "tokenizer.json"
    if not saved.exists():
        encoders.train_tokenizer(parts[0], settings.words).save(str(saved))
    words = encoders.tokenizer(job.work)
    cut = _cut(words, parts, settings.longest)
    model = _with_head(_new_encoder(words, settings), None, settings.seed)
    job.measured("untrained", lambda: measure(model, cut[2], settings))
    history = learn_words(job, "pretraining", model, cut, settings, frozen=False)
    metrics = {
        "untrained": job.measured("untrained", dict),
        "pretrained": job.measured("pretrained", lambda: measure(model, cut[2], settings)),
        **history,
    }
    return job.publish(lambda folder: _save(model, words, folder), metrics)


def adapt(
    out: Path,
    text: Sequence[Path],
    start: Path | None,
    settings: PretrainSettings,
    progress: Progress | None = None,
    also: Sequence[Path] = (),
    columns: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Go on pretraining an encoder on financial text, and measure what that changed.

    Args:
        out: folder of the result.
        text: of the target domain; a share of it is held out for validation, another for test.
        start: encoder to adapt; None: the packaged MiniLM.
        settings: of the training.
        progress: called with every line of the log.
        also: further text to learn from, none of it measured; what shares a long sentence with
            held-out text is left out.
        columns: text columns of tables in ``text``.
    """
    folder = model_folder(start)
    inputs = {
        "start": str(folder),
        "text": sources(text),
        "also": sources(also),
        "columns": columns,
    }
    encoder, words = encoders.load(folder)
    parts = _split(corpus.read(text, columns), settings)  # what can't be read leaves no job
    known = parts[0] + _apart(corpus.read(also) if also else [], parts[1] + parts[2])
    longest = min(settings.longest, encoder.shape.positions)
    cut = _cut(words, (known, parts[1], parts[2]), longest)
    with TextJob(out, "adapt", settings, inputs, progress) as job:
        return job.record or _go_on(job, encoder, words, folder, cut, settings)


def _go_on(
    job: TextJob,
    encoder: TextEncoder,
    words: Tokenizer,
    folder: Path,
    cut: list[list[list[int]]],
    settings: PretrainSettings,
) -> dict[str, Any]:
    before = {
        "word counts": job.measured(
            "word counts", lambda: by_counts(words, cut[0], cut[2], settings)
        )
    }
    if (folder / HEAD).is_file():
        model = _with_head(encoder, folder, settings.seed)
        before["own head"] = job.measured("own head", lambda: measure(model, cut[2], settings))
    model = _with_head(encoder, folder, settings.seed)
    probe = learn_words(job, "frozen encoder", model, cut, settings, frozen=True)
    before["frozen encoder"] = job.measured(
        "frozen encoder", lambda: measure(model, cut[2], settings)
    )
    history = learn_words(job, "adaptation", model, cut, settings, frozen=False)
    after = job.measured("adapted", lambda: measure(model, cut[2], settings))
    lowest = min(figures["perplexity"] for figures in before.values())
    metrics = {
        "before": before,
        "after": after,
        "perplexity_fall": 1 - after["perplexity"] / lowest,
        "windows": {"learn": len(cut[0]), "valid": len(cut[1]), "test": len(cut[2])},
        "frozen": probe,
        **history,
    }
    return job.publish(lambda folder: _save(model, words, folder), metrics)


def _cut(words: Tokenizer, parts: Sequence[Sequence[str]], longest: int) -> list[list[list[int]]]:
    """Windows of the texts to learn from, for validation and for the test.

    Raises:
        DataError: when no text of a part has two words, so that nothing can be predicted.
    """
    cut = [corpus.windows(words, part, longest) for part in parts]
    for name, found in zip(
        ("text to learn from", "held-out text", "held-out text"), cut, strict=True
    ):
        if not found:
            raise DataError(
                f"There is no {name} with two words or more, so no word can be foretold from "
                "others; give longer texts."
            )
    return cut


def _split(texts: list[str], settings: PretrainSettings) -> tuple[list[str], list[str], list[str]]:
    rest, test = corpus.held_out(texts, settings.held_out, settings.seed)
    known, valid = corpus.held_out(rest, settings.held_out, settings.seed + 1)
    return known, valid, test


def _apart(texts: list[str], held: list[str]) -> list[str]:
    """Texts that share no long sentence with held-out ones."""
    group = corpus.groups([*held, *texts])
    taken = set(group[: len(held)].tolist())
    same = set(held)
    return [
        t
        for t, g in zip(texts, group[len(held) :], strict=True)
        if g not in taken and t not in same
    ]


def _new_encoder(words: Tokenizer, settings: PretrainSettings) -> TextEncoder:
    shape = TextShape(
        words=words.get_vocab_size(),
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        inner=4 * settings.width,
        positions=512,
        mask=words.token_to_id(encoders.MASK) or 0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return TextEncoder(shape)


def _with_head(encoder: TextEncoder, folder: Path | None, seed: int) -> LanguageModel:
    """The encoder with the folder's word head, or with a new one where it has none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LanguageModel(encoder)
    if folder is not None and (folder / HEAD).is_file():
        model.head.load_state_dict(load_file(folder / HEAD))
    return model


def _save(model: LanguageModel, words: Tokenizer, folder: Path) -> None:
    encoders.save(model.encoder, words, folder)
    save_file({k: v.contiguous() for k, v in model.head.state_dict().items()}, folder / HEAD)
