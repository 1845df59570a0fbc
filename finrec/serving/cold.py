"""A product that does not exist yet: who would want it, by its words and attributes alone.

The network's own inductive path is used: the vector of a product without any purchase is its
attributes plus its text, and what is lent by known products with texts like its own
(:mod:`finrec.networks.lending`). Without a text its score begins where the known products' begin on
average, and it has no neighbours in the graph. It is in nobody's past, and is taken of late as much
as the known products are on average. Nothing is learned here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from finrec.config import text_encoder_dir
from finrec.features import sequences, text
from finrec.schema import CUSTOMER, DESCRIPTION, NAME, PRODUCT, DataError
from finrec.scorer import Cohort
from finrec.serving.recommender import Recommender
from finrec.training import calibrate

LONGEST = 5_000  # characters of a description
BATCH = 512


@dataclass(frozen=True)
class Imagined:
    """Who would want a product that does not exist yet.

    Args:
        customers: customer_id, probability, place (1: before every product that exists), best
            first; one row a customer that was asked about.
        alike: product_id, name, similarity (cosine of the products' own vectors), nearest first.
        read: what the network read of the product: ``text``, and names of attributes.
        unread: names of attributes that were given but that this model does not read, or whose
            value it has never seen.
    """

    customers: pd.DataFrame
    alike: pd.DataFrame
    read: tuple[str, ...]
    unread: tuple[str, ...]


def attributes(recommender: Recommender) -> dict[str, tuple[str, ...] | tuple[float, float]]:
    """Attributes of products that the network reads: values of words, bounds of numbers.

    Dates are left out: when a product was launched says little about one that is not.
    """
    profile = recommender.scorer.given.products
    found: dict[str, tuple[str, ...] | tuple[float, float]] = {
        c.name: c.values for c in profile.categories
    }
    found |= {c.name: (c.low, c.high) for c in profile.numbers if not c.date}
    return found


def reads_text(recommender: Recommender) -> bool:
    """Whether the network learned to read products' texts, with an encoder still at hand."""
    texts = recommender.scorer.given.texts
    learned = texts is not None and bool(texts.any())  # not from names that only count
    return learned and not recommender.run.settings.model.text_layers


def imagine(
    recommender: Recommender,
    customers: Cohort,
    name: str,
    description: str = "",
    given: Mapping[str, Any] | None = None,
) -> Imagined:
    """Score a product by what is said of it, for these customers as known now.

    Args:
        recommender: a run with its data.
        customers: B customers.
        name: of the product.
        description: what it offers; empty where unknown.
        given: values of :func:`attributes`; those left out are unknown.

    Raises:
        DataError: when this model can read nothing of what was said.
    """
    row = _row(recommender, name, description, given or {})
    vector, words, read, unread = _vector(recommender, row, given or {})
    probability, place = _ranked(recommender, customers, vector, words)
    order = np.lexsort((customers.ids.astype(str), place, -probability))
    table = pd.DataFrame(
        {
            CUSTOMER: customers.ids[order],
            "probability": probability[order],
            "place": place[order],
        }
    )
    return Imagined(table, _alike(recommender, vector), read, unread)


def _row(
    recommender: Recommender, name: str, description: str, given: Mapping[str, Any]
) -> pd.DataFrame:
    if not name.strip():
        raise DataError("The product has no name; give it one.")
    if len(name) + len(description) > LONGEST:
        raise DataError(f"Name and description have more than {LONGEST:,} characters; shorten.")
    known = attributes(recommender)
    strange = sorted(set(given) - set(known))
    if strange:
        raise DataError(
            f"This model reads no attribute {strange[0]!r} of products; it reads "
            f"{', '.join(known) or 'none'}."
        )
    columns = {c: given.get(c) for c in recommender.catalogue.table.columns if c not in _WORDS}
    return pd.DataFrame([{NAME: name.strip(), DESCRIPTION: description.strip(), **columns}])


_WORDS = (PRODUCT, NAME, DESCRIPTION)


@torch.inference_mode()
def _vector(
    recommender: Recommender, row: pd.DataFrame, given: Mapping[str, Any]
) -> tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...], tuple[str, ...]]:
    """What is read of the product, [1, D]; its text, [1, V]; what was read and what was not."""
    network, inputs = recommender.scorer.network, recommender.scorer.given
    network.eval()
    device = network.bias.device
    vector = torch.zeros(1, network.embedding.shape[1], device=device)
    words: torch.Tensor | None = None
    read: list[str] = []
    said = {k for k, v in given.items() if v is not None and v != ""}
    if network.attributes is not None:
        numbers, codes = inputs.products.encode(row)
        named = [c.name for c in inputs.products.categories]
        seen = {n for n, code in zip(named, codes[0], strict=True) if code}
        unknown = numbers[0, 1::2]  # a word in place of a number, or one beyond belief
        seen |= {c.name for c, no in zip(inputs.products.numbers, unknown, strict=True) if not no}
        read += sorted(said & seen)
        vector = vector + network.attributes(
            torch.from_numpy(numbers).to(device), torch.from_numpy(codes).to(device)
        )
    if network.text is not None and reads_text(recommender):
        named_encoder = recommender.run.settings.model.text_encoder
        folder = text_encoder_dir(named_encoder) if named_encoder else None
        words = torch.from_numpy(text.encode(text.describe(row), folder)).to(device)
        vector = vector + network.text(words)
        read.insert(0, "text")
    if not read:
        why = (
            "learned its text encoder along, which is not kept"
            if recommender.run.settings.model.text_layers
            else "was trained without the products' texts"
        )
        raise DataError(
            f"Run {recommender.run.id} {why}, and none of the attributes given is one it reads, "
            "so it knows nothing of this product; choose a model with the text part, or give "
            f"{', '.join(attributes(recommender)) or 'texts to a new one'}."
        )
    return vector, words, tuple(read), tuple(sorted(said - set(read)))


def _with_graph(network: Any, vector: torch.Tensor) -> torch.Tensor:
    """The vector after the graph's layers, for a node that nothing is linked to."""
    if network.graph is None or network.graph.kind not in ("gat", "gatv2"):
        return vector  # sums over no neighbours: each layer adds nothing
    edges = torch.zeros(2, 0, dtype=torch.int64, device=vector.device)
    graph = network.graph
    for convolution, strength in zip(graph.convolutions, graph.strength, strict=True):
        vector = vector + strength * torch.nn.functional.elu(convolution(vector, edges))
    return vector


def _settled(
    network: Any, products: torch.Tensor, described: torch.Tensor, words: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The vector as it is matched, [1, D], and what its score begins with, [1]."""
    if words is not None and (lent := network.lent(products, described, words)) is not None:
        return lent
    known = network.known if network.known.any() else torch.ones_like(network.known)
    return _with_graph(network, described), network.bias[known].mean()[None]


@torch.inference_mode()
def _ranked(
    recommender: Recommender,
    customers: Cohort,
    described: torch.Tensor,
    words: torch.Tensor | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Chance (as any product's: if the customer takes something next) and place, [B] each."""
    scorer = recommender.scorer
    network = scorer.network
    encoded = sequences.encode(customers, scorer.given.customers)
    products = network.products()
    vector, prior = _settled(network, products, described, words)
    temperature = recommender.run.provenance["temperature"]
    may = recommender.offerable(customers)
    probability = np.empty(len(customers), dtype=np.float32)
    place = np.empty(len(customers), dtype=np.int64)
    for rows in sequences.bucketed(np.minimum(customers.lengths, scorer.length), BATCH):
        batch = sequences.batch(encoded, rows, scorer.length).to(network.bias.device)
        fits = network.match(network.customers(batch, products), vector, prior)  # [b, 1]
        if network.trend is not None and network.known.any():
            fits = fits + network.trend.now(batch)[:, network.known].mean(1, keepdim=True)
        own = fits.cpu().numpy()
        scores = np.concatenate([network(batch, products).cpu().numpy(), own], axis=1)
        allowed = np.concatenate([may[rows], np.ones((len(rows), 1), dtype=bool)], axis=1)
        probability[rows] = calibrate.probabilities(scores, allowed, temperature)[:, -1]
        place[rows] = 1 + ((scores[:, :-1] > own) & may[rows]).sum(1)
    return probability, place


@torch.inference_mode()
def _alike(recommender: Recommender, vector: torch.Tensor) -> pd.DataFrame:
    """All products by the cosine of what the network reads of them with the new one's."""
    network, table = recommender.scorer.network, recommender.catalogue.table
    described = torch.zeros_like(network.embedding)  # like with like: no learned embedding
    if network.attributes is not None:
        described = described + network.attributes(
            network.attribute_numbers, network.attribute_codes
        )
    if network.text is not None and reads_text(recommender):
        described = described + network.text()
    cosine = torch.nn.functional.cosine_similarity(described, vector).cpu().numpy()
    found = pd.DataFrame(
        {
            PRODUCT: table[PRODUCT].to_numpy(dtype=object),
            NAME: table[NAME].to_numpy(dtype=object),
            "similarity": cosine,
        }
    )
    return found.sort_values("similarity", ascending=False, kind="stable", ignore_index=True)
