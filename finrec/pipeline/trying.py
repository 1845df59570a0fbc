"""What if: a customer with other events or attributes; and customers who are alike, in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from finrec.features import sequences
from finrec.pipeline.products import SMALLEST, asked
from finrec.schema import CUSTOMER, NAME, PRODUCT, DataError
from finrec.scorer import KINDS, SECONDS_PER_DAY, Cohort
from finrec.serving.recommender import Recommender
from finrec.training import calibrate

MOST_ADDED = 20
_alike: dict[tuple[str, str], tuple[list[str], np.ndarray]] = {}


def attributes(recommender: Recommender) -> dict[str, tuple[str, ...] | tuple[float, float]]:
    """Attributes of customers that the network reads: values of words, bounds of numbers."""
    profile = recommender.scorer.given.customers
    found: dict[str, tuple[str, ...] | tuple[float, float]] = {
        c.name: c.values for c in profile.categories
    }
    return found | {c.name: (c.low, c.high) for c in profile.numbers if not c.date}


def what_if(
    recommender: Recommender,
    customer: str,
    without: Sequence[str] = (),
    also: Sequence[str] = (),
    changed: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """How the ranking moves when a customer's past or attributes were others; nothing is kept.

    Args:
        recommender: a run with its data.
        customer: id.
        without: products whose events are left out.
        also: products taken besides, in this order, on the day before the recommendation.
        changed: values of :func:`attributes`; None for unknown.

    Returns:
        product_id, name, before, after (place among what may be offered; NA where it may not),
        probability, probability_after; best after the change first.

    Raises:
        DataError: for an unknown customer, product or attribute.
    """
    now = recommender.cohort([customer])
    then = altered(recommender, now, without, also, changed or {})
    table = recommender.catalogue.table
    out = pd.DataFrame({PRODUCT: table[PRODUCT].to_numpy(), NAME: table[NAME].to_numpy()})
    for people, place, chance in (
        (now, "before", "probability"),
        (then, "after", "probability_after"),
    ):
        may = recommender.offerable(people)[0]
        scores = recommender.scorer.score(people)
        temperature = recommender.run.provenance["temperature"]
        probability = calibrate.probabilities(scores, may[None], temperature)[0]
        order = np.lexsort((np.arange(len(may)), -np.where(may, scores[0], -np.inf)))
        rank = np.empty(len(may), dtype=np.int64)
        rank[order] = np.arange(1, len(may) + 1)
        out[place] = pd.array(rank, dtype="Int64")
        out.loc[~may, place] = pd.NA
        out[chance] = np.where(may, probability, np.nan)
    return out.sort_values(["after", PRODUCT], na_position="last", ignore_index=True)


def altered(
    recommender: Recommender,
    one: Cohort,
    without: Sequence[str],
    also: Sequence[str],
    changed: Mapping[str, Any],
) -> Cohort:
    """A cohort of one with other events and attributes.

    Raises:
        DataError: for an unknown product or attribute, or too many products.
    """
    if len(also) > MOST_ADDED:
        raise DataError(f"At most {MOST_ADDED} products can be added.")
    gone = [recommender.catalogue.position(p) for p in without]
    more = np.array([recommender.catalogue.position(p) for p in also], dtype=np.int64)
    kept = ~np.isin(one.products, gone)
    read = attributes(recommender)
    profile = one.profile.copy()
    for column, value in changed.items():
        if column not in read:
            raise DataError(f"The model reads no attribute {column!r}; it reads {', '.join(read)}.")
        # A list, so that a number takes the place of a whole one, and a word of a category.
        profile[column] = pd.Series([value], dtype=object if isinstance(value, str) else None)
    # Not before what is known, and not at the moment of asking itself.
    last = int(one.times.max()) if len(one.times) else 0
    when = max(last, int(one.asof[0]) - SECONDS_PER_DAY)
    return replace(
        one,
        offsets=np.array([0, int(kept.sum()) + len(more)], dtype=np.int64),
        products=np.concatenate([one.products[kept], more]),
        kinds=np.concatenate(
            [one.kinds[kept], np.full(len(more), KINDS.index("acquired"), dtype=np.int64)]
        ),
        times=np.concatenate([one.times[kept], np.full(len(more), when, dtype=np.int64)]),
        amounts=np.concatenate([one.amounts[kept], np.full(len(more), np.nan, dtype=np.float32)]),
        profile=profile,
    )


@dataclass(frozen=True)
class Alike:
    """Customers whom the network reads as it reads this one, together.

    Args:
        customers: how many.
        products: product_id, name, share (of them who have it), everybody (share of all asked),
            held (whether this customer has it); those of fewer than ten left out.
        attributes: attribute, theirs, everybody, own (means of numbers, most frequent words).
    """

    customers: int
    products: pd.DataFrame
    attributes: pd.DataFrame


def alike(recommender: Recommender, customer: str, count: int = 100) -> Alike:
    """The ``count`` customers nearest to one by the cosine of the network's vectors, in sum.

    Up to 10,000 customers are looked at. Only sums over the group are given, never an id.
    """
    key = (recommender.run.id, recommender.snapshot.ref)
    if key not in _alike:
        people = asked(recommender)
        _alike.clear()  # of one model at a time
        _alike[key] = (people, _vectors(recommender, recommender.cohort(people)))
    people, vectors = _alike[key]
    own = _vectors(recommender, recommender.cohort([customer]))[0]
    near = vectors @ own
    near[[i for i, name in enumerate(people) if name == customer]] = -np.inf
    chosen = np.argsort(-near, kind="stable")[: min(count, len(people) - 1)]
    return _summed(recommender, customer, people, chosen)


@torch.inference_mode()
def _vectors(recommender: Recommender, people: Cohort) -> np.ndarray:
    """Customers' vectors of length 1, float32 [B, D]."""
    scorer = recommender.scorer
    scorer.network.eval()
    encoded = sequences.encode(people, scorer.given.customers)
    products = scorer.network.products()
    out = np.empty((len(people), products.shape[1]), dtype=np.float32)
    for rows in sequences.bucketed(np.minimum(people.lengths, scorer.length), 512):
        batch = sequences.batch(encoded, rows, scorer.length).to(products.device)
        vectors = scorer.network.customers(batch, products)
        out[rows] = torch.nn.functional.normalize(vectors, dim=-1).cpu().numpy()
    return out


def _summed(
    recommender: Recommender, customer: str, people: list[str], chosen: np.ndarray
) -> Alike:
    n = len(recommender.catalogue)
    held = recommender.cohort(people).held(n)
    own = recommender.cohort([customer])
    count = held[chosen].sum(0)
    table = recommender.catalogue.table
    products = pd.DataFrame(
        {
            PRODUCT: table[PRODUCT].to_numpy(),
            NAME: table[NAME].to_numpy(),
            "share": count / max(len(chosen), 1),
            "everybody": held.mean(0),
            "held": own.held(n)[0],
        }
    )[count >= SMALLEST]
    products = products.sort_values("share", ascending=False, ignore_index=True)
    rows = recommender.dataset.customers.set_index(CUSTOMER).reindex(people)
    told = []
    for column in attributes(recommender):
        told.append(
            {
                "attribute": column,
                "theirs": _typical(rows[column].iloc[chosen]),
                "everybody": _typical(rows[column]),
                "own": own.profile[column].iloc[0],
            }
        )
    return Alike(len(chosen), products, pd.DataFrame(told))


def _typical(values: pd.Series) -> Any:
    """Mean of numbers, most frequent of words; None where nothing is known."""
    known = values.dropna()
    if known.empty:
        return None
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        return float(known.mean())
    return known.astype("str").mode().iloc[0]
