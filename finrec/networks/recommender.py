"""The fused recommender: behaviour Transformer, text and graph, fused and matched.

``forward`` gives scores; ``explain`` gives the same scores with the evidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from finrec.networks.behaviour import BehaviourTransformer
from finrec.networks.context import AttributeGraph, LinkedCustomers
from finrec.networks.evidence import Evidence
from finrec.networks.fusion import GatedFusion, ProfileTower, TextTower
from finrec.networks.groups import last_state
from finrec.networks.linear import linear
from finrec.networks.matching import MatchingNetwork
from finrec.networks.products import ProductSide
from finrec.networks.relations import Around, CustomerNode, ProductGraph
from finrec.networks.repeats import RepeatTower, own_past
from finrec.networks.timing import TimingHead
from finrec.networks.trend import TrendTower
from finrec.networks.walks import PathTower


class FusedRecommender(ProductSide):
    """Customers and products in one vector space, matched by dot product or cosine plus a bias.

    A product's vector is its embedding plus its attributes, plus its text (``text`` given), plus
    its neighbourhood in the graph (``graph`` given). A customer's vector is the state of the
    behaviour Transformer, plus, gated, the profile and the customer's node in the graph. With a
    graph the score also counts the paths through other customers.

    Args:
        known: bool [N], products with training events. Of the others the embedding and the bias
            can't be learned: they are lent by known products with texts alike (:class:`Lending`);
            without a text the embedding is left out, and the bias is the mean of the known ones.
        behaviour: the Transformer over events.
        profile: attributes of customers.
        attributes: attributes of products, with their inputs.
        text: frozen text vectors of products; None in ``baseline`` and ``+gnn``.
        graph: product graph; None in ``baseline`` and ``+tl``.
        paths: paths through other customers; None in ``baseline`` and ``+tl``.
        repeats: what was taken before and how long ago; None where that is not known.
        id_dropout: share of products whose embedding is left out in a training step, where there
            is text (Volkovs et al., 2017).
        attribute_graph: nodes of customers' attributes; only together with ``graph``.
        matching: adds a learned match to the dot product; None: the dot product alone.
        linked: node of customers linked to a customer; only together with ``graph``.
        sharpness: what cosines are multiplied by, where they are matched in place of dot
            products; None: dot products.
        timing: when anything is taken at all; None where that is not foretold.
        trend: what many take of late; None where moments are not known.
    """

    def __init__(
        self,
        known: Tensor,
        behaviour: BehaviourTransformer,
        profile: ProfileTower,
        attributes: tuple[ProfileTower, Tensor, Tensor] | None = None,
        text: TextTower | None = None,
        graph: ProductGraph | None = None,
        paths: PathTower | None = None,
        repeats: RepeatTower | None = None,
        id_dropout: float = 0.0,
        attribute_graph: AttributeGraph | None = None,
        matching: MatchingNetwork | None = None,
        linked: LinkedCustomers | None = None,
        sharpness: float | None = None,
        timing: TimingHead | None = None,
        trend: TrendTower | None = None,
    ) -> None:
        width = behaviour.settings.width
        super().__init__(known, width, attributes, text, graph, id_dropout)
        self.behaviour = behaviour
        self.profile = profile
        self.paths = paths
        self.repeats = repeats
        self.attribute_graph = attribute_graph
        self.matching = matching
        self.linked = linked
        self.sharpness = sharpness
        self.timing = timing
        self.trend = trend
        self.node = CustomerNode(width) if graph is not None else None
        towers = ["profile"] + (["graph"] if graph is not None else [])
        self.fusion = GatedFusion(width, towers)

    def _inputs(self, batch, products: Tensor) -> tuple[Tensor, Tensor]:
        start = self.profile(batch.numbers, batch.categories)  # [B, D]
        return start, F.embedding(batch.products, products)  # [B, T, D]

    def around(self, batch, products: Tensor) -> Around | None:
        """What a batch's customers are linked to besides their products; None without any."""
        if self.attribute_graph is None and self.linked is None:
            return None
        scale = math.sqrt(products.shape[1])
        attributes = products.new_zeros(len(batch.lengths), 0, products.shape[1])
        if self.attribute_graph is not None:
            attributes = self.attribute_graph.of(batch, products) * scale
        if self.linked is None:
            return Around(attributes)
        linked, there = self.linked(batch, products)
        return Around(attributes, linked * scale, there, batch.lengths)

    def towers(
        self, start: Tensor, events: Tensor, sequence: Tensor, around: Around | None = None
    ) -> dict[str, Tensor]:
        """What is fused with the sequence: profile [B, T + 1, D], and with a graph the node.

        Args:
            start: profile vectors [B, D].
            events: product vectors [B, T, D].
            sequence: states of the behaviour Transformer [B, T + 1, D].
            around: of :meth:`around`.
        """
        scale = math.sqrt(sequence.shape[-1])
        found = {"profile": (start * scale)[:, None].expand_as(sequence)}
        if self.node is not None:
            found["graph"] = self.node(start, events * scale, around)
        return found

    def sides(self, customers: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
        """Customer vectors [S, D] and product vectors [N, D] whose dot product is the match.

        By cosine these are directions, the customers' of length ``sharpness``. A softmax over them
        is that of Hou et al. (2022): no product is favoured by the length of its vector.
        """
        return self.customer_side(customers), self.product_side(products)

    def customer_side(self, customers: Tensor) -> Tensor:
        """The first of :meth:`sides`."""
        if self.sharpness is None:
            return customers
        return self.sharpness * F.normalize(customers, dim=-1)

    def product_side(self, products: Tensor) -> Tensor:
        """The second of :meth:`sides`."""
        return products if self.sharpness is None else F.normalize(products, dim=-1)

    def match(
        self, customers: Tensor, products: Tensor, prior: Tensor, side: Tensor | None = None
    ) -> Tensor:
        """Scores [S, N].

        Args:
            customers: vectors, [S, D].
            products: vectors, [N, D].
            prior: what each product's score begins with, [N].
            side: of :meth:`product_side`, where it is at hand.
        """
        right = self.product_side(products) if side is None else side
        out = linear(self.customer_side(customers), right, prior)
        return out if self.matching is None else out.add_(self.matching(customers, products))

    def states(self, batch, products: Tensor) -> Tensor:
        """Customer vectors at every moment, [B, T + 1, D]; the one at token t predicts event t."""
        return self.moments(batch, products)[0]

    def memory(self, batch, products: Tensor) -> Tensor:
        """What the encoder knew right after each event, [B, T + 1, D]."""
        return self.behaviour.memory(*self._inputs(batch, products), batch)

    def moments(self, batch, products: Tensor) -> tuple[Tensor, Tensor]:
        """:meth:`states`, and what the encoder knew right after each event, [B, T + 1, D] each."""
        start, events = self._inputs(batch, products)
        memory = self.behaviour.memory(start, events, batch)
        sequence = self.behaviour.answers(memory, batch)
        around = self.around(batch, products)
        return self.fusion(sequence, self.towers(start, events, sequence, around)), memory

    def customers(self, batch, products: Tensor) -> Tensor:
        """Customer vectors now, after all their events, [B, D]; the last of :meth:`states`."""
        return self.customers_of([batch], products)

    def customers_of(self, batches: Sequence[Any], products: Tensor) -> Tensor:
        """:meth:`customers` of several batches at once, [C, D]."""
        given = [(*self._inputs(batch, products), batch) for batch in batches]
        sequence = self.behaviour.last(given)[:, None]  # [C, 1, D]
        scale = math.sqrt(sequence.shape[-1])
        found = {"profile": torch.cat([start for start, _, _ in given])[:, None] * scale}
        if self.node is not None:
            last = self.node.last
            parts = [last(s, e * scale, b.seen(), self.around(b, products)) for s, e, b in given]
            found["graph"] = torch.cat(parts)
        return self.fusion(sequence, found)[:, 0]

    def forward(self, batch, products: Tensor | None = None) -> Tensor:
        """Scores [B, N]; pass ``products`` (from :meth:`products`) when scoring many batches."""
        table = self.products() if products is None else products
        scores = self.match(self.customers(batch, table), table, self.prior())
        return self.add_to(scores, torch.arange(len(scores), device=scores.device), batch, table)

    def add_to(self, scores: Tensor, rows: Tensor, batch, products: Tensor) -> Tensor:
        """Scores with what is no match of vectors added in place.

        Args:
            scores: from :meth:`match`, [S, N].
            rows: the row of scores that each customer of the batch has, int64 [B].
            batch: B customers.
            products: from :meth:`products`.
        """
        if self.repeats is not None:
            past = own_past(batch, self.repeats.edges, asked=False)
            cell = rows[past.rows] * len(products) + past.products
            scores.view(-1).index_add_(0, cell, self.repeats(products, past))
        if self.trend is not None:
            late = self.trend(batch.asof_day, batch.lengths)
            scores.index_add_(0, rows, late.values[late.of_row])
        if self.paths is not None:
            self.paths.add_to(scores, rows, batch.products, batch.lengths)
        return scores

    def own_past(self, batch, products: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        """Target row, product and addition to the score of each pair, for the loss; [K] each."""
        if self.repeats is None:
            return None
        past = own_past(batch, self.repeats.edges, asked=True)
        return past.rows, past.products, self.repeats(products, past)

    def chance(self, batch, products: Tensor, window: float, intensity: float) -> Tensor:
        """Chance that each customer takes anything within so many days, [B].

        NaN for customers without events, of whom no wait is known.

        Args:
            batch: B customers.
            products: from :meth:`products`.
            window: days from now.
            intensity: calibration of the hazards.
        """
        if self.timing is None:
            raise ValueError("This network was not taught when customers take anything.")
        memory = last_state(self.memory(batch, products), batch.lengths)
        known = batch.lengths > 0
        rows = torch.arange(len(known), device=known.device)[known]
        day = batch.days[rows, batch.lengths[known] - 1]
        since = (batch.asof_day[known] - day).clamp(min=0).float()
        out = memory.new_full((len(known),), float("nan"))
        out[known] = self.timing.chance(self.timing(memory[known]), since, window, intensity)
        return out

    def _repeated(self, batch, products: Tensor) -> Tensor:
        """What the own past adds to every score now, [B, N]."""
        past = own_past(batch, self.repeats.edges, asked=False)
        out = products.new_zeros(len(batch.lengths), len(products))
        return out.index_put((past.rows, past.products), self.repeats(products, past))

    def explain(self, batch, products: Tensor | None = None) -> Evidence:
        """The scores of ``forward`` and what they rest on."""
        table = self.products() if products is None else products
        start, events = self._inputs(batch, table)
        sequence, trail = self.behaviour.explain(start, events, batch)
        around = self.around(batch, table)
        towers = self.towers(start, events, sequence, around)
        gates = self.fusion.gates(sequence, towers)
        parts = {"sequence": sequence, **{n: gates[n] * towers[n] for n in self.fusion.towers}}
        whole = last_state(self.fusion(sequence, towers), batch.lengths)
        length = 1.0  # by which each part is divided, as the whole is
        if self.sharpness is not None:
            length = whole.norm(dim=-1, keepdim=True).clamp(min=1e-12) / self.sharpness
        right = self.sides(whole, table)[1]
        contributions = {
            n: (last_state(part, batch.lengths) / length) @ right.T for n, part in parts.items()
        }
        if self.matching is not None:
            contributions["matching"] = self.matching(whole, table)
        if self.repeats is not None:
            contributions["repeats"] = self._repeated(batch, table)
        if self.paths is not None:
            contributions["paths"] = self.paths(batch.products, batch.lengths)
        if self.trend is not None:
            contributions["trend"] = self.trend.now(batch)
        scores = self.prior() + sum(contributions.values())
        neighbours, of_attributes, of_linked = None, None, None
        if self.node is not None:
            scale = math.sqrt(sequence.shape[-1])
            neighbours, of_attributes, of_linked = self.node.coefficients(
                start, events * scale, batch.seen(), around
            )
        return Evidence(
            scores,
            trail,
            contributions,
            {n: last_state(g, batch.lengths)[:, 0] for n, g in gates.items()},
            neighbours,
            of_attributes,
            of_linked,
        )
