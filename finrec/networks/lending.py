"""What a product that nobody has bought yet is lent by the products whose texts are like its own.

A known product's vector is what is read of it (attributes, text) plus what was learned of it (its
embedding, its neighbourhood in the graph). Of a new product only the first is there, and beside
the others it is found nowhere. So it takes the learned part of the known products that are
described most alike. This is the inductive side of the paper's transfer learning; the same idea,
with a network that has to be learned, is in Volkovs et al. (2017).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Chosen on validation cases of Amazon Beauty about products taken out of training (1,147 cases):
# Recall@10 .003 without lending; .034 from the nearest alone with all of the own part, .058 with
# two thirds of it; .061 from five so sharply weighed.
LENDERS = 5
SHARPNESS = 50.0  # one over the temperature of the weights
OWN = 2 / 3  # of what is read of the new product itself
BLOCK = 1024  # new products compared with all known ones at once


def lenders(texts: Tensor, known: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
    """The known products with the most similar texts, and their weights.

    Args:
        texts: of the catalogue, float [N, V].
        known: which of them may lend, bool [N].
        asked: texts of new products, float [C, V].

    Returns:
        Places int64 [C, L] and weights float [C, L], which add up to 1, or to 0 where nothing is
        alike (a product without a text, or no known product with one).
    """
    rows = known.nonzero().squeeze(1)
    having = F.normalize(texts[rows], dim=-1)
    places, weights = [], []
    for block in asked.split(BLOCK):
        near = F.normalize(block, dim=-1) @ having.T  # cosines, [c, known]
        best, place = near.topk(min(LENDERS, len(rows)), dim=1)
        share = (SHARPNESS * best).softmax(1) * (best[:, :1] > 0)
        places.append(rows[place])
        weights.append(share)
    return torch.cat(places), torch.cat(weights)


class Lending(nn.Module):
    """Vectors of a catalogue in which products nobody has bought have lenders. Has no weights.

    Args:
        texts: of the catalogue, float [N, V].
        known: bool [N], products with training events.

    Shapes: vectors [N, D] and what was read of them [N, D] -> [N, D].
    """

    new: Tensor
    places: Tensor
    weights: Tensor

    def __init__(self, texts: Tensor, known: Tensor) -> None:
        super().__init__()
        new = (~known).nonzero().squeeze(1)
        places, weights = lenders(texts, known, texts[new])
        some = weights.sum(1) > 0
        self.register_buffer("new", new[some], persistent=False)
        self.register_buffer("places", places[some], persistent=False)
        self.register_buffer("weights", weights[some], persistent=False)

    def forward(self, vectors: Tensor, described: Tensor) -> Tensor:
        """The vectors, those of new products replaced."""
        if not len(self.new):
            return vectors
        made = lend(vectors - described, self.places, self.weights, described[self.new])
        return vectors.index_copy(0, self.new, made)

    def prior(self, prior: Tensor) -> Tensor:
        """What a score begins with, [N]: a new product's as its lenders'."""
        if not len(self.new):
            return prior
        return prior.index_copy(0, self.new, (self.weights * prior[self.places]).sum(1))


def lend(learned: Tensor, places: Tensor, weights: Tensor, described: Tensor) -> Tensor:
    """Vectors of new products [C, D].

    The lenders' mean keeps their mean length, which averaging would shorten.

    Args:
        learned: what was learned of each product, float [N, D].
        places: lenders, int64 [C, L].
        weights: theirs, float [C, L].
        described: what is read of the new products, float [C, D].
    """
    parts = learned[places]  # [C, L, D]
    mean = (weights[..., None] * parts).sum(1)
    length = (weights * parts.norm(dim=-1)).sum(1, keepdim=True)
    return F.normalize(mean, dim=-1) * length + OWN * described
