"""The products' side of the recommender: embedding, attributes, text and graph in one vector."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from finrec.networks.fusion import ProfileTower, TextTower
from finrec.networks.lending import Lending, lend, lenders
from finrec.networks.relations import Hidden, ProductGraph


class ProductSide(nn.Module):
    """Vectors of N products and what their scores begin with.

    Args: see :class:`finrec.networks.recommender.FusedRecommender`, whose base this is.
    """

    known: Tensor

    def __init__(
        self,
        known: Tensor,
        width: int,
        attributes: tuple[ProfileTower, Tensor, Tensor] | None,
        text: TextTower | None,
        graph: ProductGraph | None,
        id_dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(len(known), width) * 0.02)
        self.bias = nn.Parameter(torch.zeros(len(known)))
        self.register_buffer("known", known.clone(), persistent=False)
        self.all_known = bool(known.all())
        self.attributes = attributes[0] if attributes else None
        if attributes:
            self.register_buffer("attribute_numbers", attributes[1], persistent=False)
            self.register_buffer("attribute_codes", attributes[2], persistent=False)
        self.text = text
        self.lending: Lending | None = None
        self.settle_lending()
        self.graph = graph
        self.id_dropout = id_dropout

    def train(self, mode: bool = True) -> Self:
        """As of any module; counts how often learning began, for whoever keeps what weights give.

        A fused optimiser changes weights without telling torch's own count of changes.
        """
        self.learning = getattr(self, "learning", 0) + mode
        return super().train(mode)

    def own_vectors(self) -> Tensor:
        """Products by themselves: embedding, attributes, text; [N, D]."""
        out = self.embedding
        if not self.all_known:
            out = out * self.known[:, None]
        if self.training and self.id_dropout and self.text is not None:
            kept = torch.rand(len(out), 1, device=out.device) >= self.id_dropout
            out = out * kept  # so that text alone must do, as for a product never sold
        return self._read(out)

    def described(self) -> Tensor:
        """What is read of the products, attributes and text, [N, D]; zeros where nothing is."""
        return self._read(torch.zeros_like(self.embedding))

    def _read(self, out: Tensor) -> Tensor:
        if self.attributes is not None:
            out = out + self.attributes(self.attribute_numbers, self.attribute_codes)
        if self.text is not None:
            out = out + self.text()
        return out

    def settle_lending(self) -> None:
        """Find lenders by the texts as they are now; none where all products are known."""
        if self.text is not None and not self.all_known and self.known.any():
            self.lending = Lending(self.text.vectors, self.known)

    def lent(
        self, products: Tensor, described: Tensor, words: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Vectors [C, D] and priors [C] of products that are not in the catalogue.

        Args:
            products: from :meth:`products`, [N, D].
            described: what is read of the new products, [C, D].
            words: their texts, [C, V].

        Returns:
            None where no known product has a text like one of theirs.
        """
        if self.text is None or not self.known.any():
            return None
        places, weights = lenders(self.text.vectors, self.known, words)
        if not (weights.sum(1) > 0).all():
            return None
        vectors = lend(products - self.described(), places, weights, described)
        return vectors, (weights * self.prior()[places]).sum(1)

    def prior(self) -> Tensor:
        """What every product's score begins with, [N]."""
        if self.all_known or not self.known.any():
            return self.bias
        prior = torch.where(self.known, self.bias, self.bias[self.known].mean())
        return prior if self.lending is None else self.lending.prior(prior)

    def products(self, hidden: Hidden | None = None) -> Tensor:
        """Product vectors [N, D], with their neighbourhood where there is a graph."""
        out = self.own_vectors()
        if self.graph is not None:
            out = self.graph(out, hidden)
        if self.lending is None or self.training:  # new products are nobody's target in training
            return out
        return self.lending(out, self.described())
