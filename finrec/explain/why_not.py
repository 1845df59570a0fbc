"""Why a product is not among the offers: score, held, eligibility and suitability kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from finrec.explain import addition, variants
from finrec.explain.addition import Addition
from finrec.explain.explanation import TOWERS
from finrec.features import sequences
from finrec.schema import NAME
from finrec.scorer import Cohort
from finrec.training.fused_scorer import FusedScorer


@dataclass(frozen=True)
class WhyNot:
    """Why a product is not offered; each reason stands alone.

    Args:
        product: product id.
        name: its name.
        rank: place among what may be offered by the data, from 1.
        of: how many these are.
        k: length of the list.
        score: of the product.
        needed: score of the k-th of the list; NaN where fewer than k may be offered.
        gap: by part of the score, what the product lacks against the k-th; a row a tower: tower,
            label, lacks (positive: speaks against it). Empty when it is listed.
        held: sentence, or None when it is not held.
        eligibility: sentences of the rules that bit.
        suitability: sentences of the rules that bit.
        addition: the smallest addition that brings it in; None where it was not asked for.
        model: sentence on the score alone.
    """

    product: str
    name: str
    rank: int
    of: int
    k: int
    score: float
    needed: float
    gap: pd.DataFrame
    held: str | None
    eligibility: tuple[str, ...]
    suitability: tuple[str, ...]
    addition: Addition | None
    model: str

    @property
    def offered(self) -> bool:
        """Whether nothing at all speaks against it."""
        return self.rank <= self.k and not (self.held or self.eligibility or self.suitability)


@torch.inference_mode()
def why_not(
    scorer: FusedScorer,
    customer: Cohort,
    product: str,
    allowed: np.ndarray,
    k: int,
    eligibility: Sequence[str] = (),
    suitability: Sequence[str] = (),
    held: str | None = None,
    with_addition: bool = True,
) -> WhyNot:
    """Everything that keeps one product off one customer's list.

    Args:
        scorer: a trained network.
        customer: one customer.
        product: product id.
        allowed: bool [N], what may be offered by the data.
        k: length of the list.
        eligibility: what the policy's eligibility rules say, in sentences.
        suitability: what its suitability rules say.
        held: what the policy says of the product being held; None: told from the history.
        with_addition: look for the smallest addition that brings it in.

    Raises:
        DataError: when the catalogue lacks the product.
    """
    catalogue = scorer.given.catalogue
    index = catalogue.position(product)
    table = variants.vectors(scorer)
    encoded = sequences.encode(customer, scorer.given.customers)
    batch = sequences.batch(encoded, np.array([0]), scorer.length).to(table.device)
    evidence = scorer.network.eval().explain(batch, table)
    scores = evidence.scores[0].cpu().numpy()
    open_ = allowed.copy()
    open_[index] = True
    rank = int((scores[open_] >= scores[index]).sum())
    others = np.flatnonzero(allowed & (np.arange(len(allowed)) != index))
    order = others[np.argsort(-scores[others], kind="stable")]
    last = int(order[k - 1]) if len(order) >= k else None
    parts = {
        **{n: c[0].cpu().numpy() for n, c in evidence.contributions.items()},
        "bias": scorer.network.prior().cpu().numpy(),
    }
    gap = [
        {"tower": n, "label": TOWERS[n], "lacks": float(values[last] - values[index])}
        for n, values in parts.items()
        if last is not None and rank > k
    ]
    frame = pd.DataFrame(gap, columns=["tower", "label", "lacks"])
    name = str(catalogue.table[NAME].iloc[index])
    taken = held if held is not None else (None if allowed[index] else _taken(customer, index))
    found = None
    if with_addition and rank > k and allowed[index]:
        found = addition.fewest_additions(scorer, customer, index, allowed, k, table)
    return WhyNot(
        product, name, rank, int(open_.sum()), k, float(scores[index]),
        float("nan") if last is None else float(scores[last]),
        frame.sort_values("lacks", ascending=False, ignore_index=True),
        taken, tuple(eligibility), tuple(suitability), found, _words(name, rank, k, frame),
    )  # fmt: skip


def _taken(customer: Cohort, index: int) -> str:
    when = customer.times[customer.products == index]
    if not len(when):
        return "It may not be offered again."
    day = pd.to_datetime(int(when.max()), unit="s")
    return f"The customer has it already, since {day:%d %b %Y}."


def _words(name: str, rank: int, k: int, gap: pd.DataFrame) -> str:
    if rank <= k:
        return f"By its score {name} is number {rank}, within the first {k}."
    said = f"By its score {name} is number {rank:,}, not within the first {k}"
    if len(gap) and gap["lacks"].max() > 0:
        worst = gap.iloc[int(gap["lacks"].argmax())]
        label = worst["label"]
        said += f"; what it lacks most: {label[0].lower()}{label[1:]} (−{worst['lacks']:.2f})"
    return said + "."
