"""Learning to predict hidden words, by mask (MLM) or in a random order (PLM), and measuring it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from tokenizers import Tokenizer
from torch import Tensor

from finrec.config import Frozen
from finrec.networks.language import LanguageModel
from finrec.training import corpus, masking
from finrec.training.text_job import TextJob
from finrec.training.text_loop import Plan, layerwise, learn

MOST_NATS = 700.0  # beyond it exp has no number, and the loss has diverged
PASSES = 3  # times held-out text is masked anew when it is measured for the record


class PretrainSettings(Frozen):
    """How an encoder learns from text without labels."""

    objective: Literal["mlm", "plm"] = Field("mlm", description="masked or permuted words")
    epochs: int = Field(5, ge=1, le=1000, description="passes over the text")
    head_epochs: int = Field(3, ge=1, le=1000, description="passes for the head alone, before")
    rate: float = Field(3e-4, gt=0, le=1, description="peak learning rate of the encoder")
    head_rate: float = Field(1e-3, gt=0, le=1, description="peak learning rate of the word head")
    decay: float = Field(0.9, gt=0, le=1, description="factor of the rate from layer to layer")
    weight_decay: float = Field(0.01, ge=0, le=10, description="AdamW's decay")
    warmup: float = Field(0.06, ge=0, lt=1, description="share of steps with a rising rate")
    tokens: int = Field(2048, ge=64, description="padded tokens in a batch")
    longest: int = Field(128, ge=8, le=512, description="tokens of a window; longer texts are cut")
    held_out: float = Field(0.1, gt=0, lt=0.5, description="share of text for validation; for test")
    minutes: float = Field(60.0, gt=0, description="no new epoch is begun after this time")
    seed: int = Field(0, ge=0, description="of split, weights, masks and dropout")
    words: int = Field(8000, ge=100, le=100_000, description="vocabulary learned from scratch")
    width: int = Field(256, ge=16, le=1024, description="D of an encoder from scratch")
    layers: int = Field(4, ge=1, le=12, description="layers of an encoder from scratch")
    heads: int = Field(4, ge=1, le=16, description="H of an encoder from scratch")

    @model_validator(mode="after")
    def _heads(self) -> PretrainSettings:
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not a multiple of heads {self.heads}; change one of them"
            )
        return self


def learn_words(
    job: TextJob,
    name: str,
    model: LanguageModel,
    cut: Sequence[list[list[int]]],
    settings: PretrainSettings,
    frozen: bool,
) -> dict[str, Any]:
    """Train head only (frozen) or all on cut[0], choosing the epoch on cut[1]."""
    model.encoder.requires_grad_(not frozen)
    lengths = [len(row) for row in cut[0]]
    plan = Plan(
        name=name,
        epochs=settings.head_epochs if frozen else settings.epochs,
        warmup=settings.warmup,
        metric="perplexity",
        larger=False,
        minutes=settings.minutes,
        seed=settings.seed,
    )

    def mode() -> None:
        model.train()
        if frozen:
            model.encoder.eval()  # its output as it will be when measured

    def batches(chance: np.random.Generator) -> list[list[list[int]]]:
        rows = corpus.batches(lengths, settings.tokens, chance)
        return [[cut[0][i] for i in batch] for batch in rows]

    def loss(rows: list[list[int]], chance: np.random.Generator) -> tuple[Tensor, int]:
        logits, targets = _predict(model, rows, settings.objective, chance, disguise=True)
        return F.cross_entropy(logits, targets), len(targets)

    groups = layerwise(
        model.encoder,
        model.head,
        settings.rate,
        settings.head_rate if frozen else max(settings.rate, settings.head_rate / 2),
        settings.decay,
        settings.weight_decay,
    )
    return learn(
        job.work / name.replace(" ", "-"),
        plan,
        model,
        groups,
        batches,
        loss,
        lambda: measure(model, cut[1], settings, 1),
        job.log,
        mode,
    )


def _predict(
    model: LanguageModel,
    rows: list[list[int]],
    objective: str,
    chance: np.random.Generator,
    disguise: bool,
) -> tuple[Tensor, Tensor]:
    """Logits [M, W] and true words int64 [M] of one batch."""
    shape = model.encoder.shape
    if objective == "mlm":
        given = masking.masked(rows, shape.mask, shape.words, chance, disguise=disguise)
        return model.masked(given.ids, given.present, given.chosen), given.targets
    order = masking.permuted(rows, chance)
    return model.permuted(order.ids, order.rank, order.places, order.asked), order.targets


@torch.inference_mode()
def measure(
    model: LanguageModel, rows: list[list[int]], settings: PretrainSettings, passes: int = PASSES
) -> dict[str, float]:
    """Accuracy and perplexity of hidden words, each text masked ``passes`` times, always alike.

    Perplexity is exp of the mean of -log P over predicted words; all of them are hidden by the
    mask token, none shown in disguise.
    """
    model.eval()
    chance = np.random.default_rng(7)
    total, right, count = 0.0, 0, 0
    for _ in range(passes):
        for batch in corpus.batches([len(r) for r in rows], settings.tokens, None):
            logits, targets = _predict(
                model, [rows[i] for i in batch], settings.objective, chance, disguise=False
            )
            total += float(F.cross_entropy(logits, targets, reduction="sum"))
            right += int((logits.argmax(1) == targets).sum())
            count += len(targets)
    return {"accuracy": right / count, "perplexity": _perplexity(total / count), "targets": count}


def _perplexity(mean: float) -> float:
    return math.exp(mean) if mean < MOST_NATS else math.inf


def by_counts(
    words: Tokenizer, known: list[list[int]], rows: list[list[int]], settings: PretrainSettings
) -> dict[str, float]:
    """The same figures for the same hidden words, predicted by how often each occurs in ``known``.

    Counts are smoothed by adding one to every word of the vocabulary.
    """
    size = words.get_vocab_size()
    inner = np.concatenate([np.asarray(row[1:-1]) for row in known])
    log_share = np.log((np.bincount(inner, minlength=size) + 1) / (len(inner) + size))
    chance, hidden = np.random.default_rng(7), []
    for _ in range(PASSES):
        for batch in corpus.batches([len(r) for r in rows], settings.tokens, None):
            given = [rows[i] for i in batch]
            if settings.objective == "mlm":
                drawn = masking.masked(given, 0, size, chance, disguise=False).targets
            else:
                drawn = masking.permuted(given, chance).targets
            hidden.append(drawn.numpy())
    targets = np.concatenate(hidden)
    return {
        "accuracy": float((targets == log_share.argmax()).mean()),
        "perplexity": float(np.exp(-log_share[targets].mean())),
        "targets": len(targets),
    }
