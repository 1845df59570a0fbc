"""From the training part of a split to a network with its inputs, and back from a saved run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from finrec.config import PARTS, ModelSettings, RunSettings, text_encoder_dir
from finrec.features import graph as graphs
from finrec.features import nodes, profile, sequences, text
from finrec.features import regime as regimes
from finrec.features import trend as trends
from finrec.features.profile import Profile
from finrec.networks.behaviour import BehaviourTransformer, EventSizes
from finrec.networks.context import AttributeGraph, LinkedCustomers, MarketRegime
from finrec.networks.fusion import LivingTextTower, ProfileTower, TextTower
from finrec.networks.language import TextTower as LanguageTower
from finrec.networks.matching import MOST_PRODUCTS, MatchingNetwork
from finrec.networks.recommender import FusedRecommender
from finrec.networks.relations import Hidden, ProductGraph
from finrec.networks.repeats import RepeatTower
from finrec.networks.timing import TimingHead
from finrec.networks.trend import TrendTower
from finrec.networks.walks import PathTower
from finrec.schema import CUSTOMER, DataError
from finrec.scorer import KINDS, SECONDS_PER_DAY, Catalogue, Cohort, cohort
from finrec.split import Fold, FoldName, Split
from finrec.training import encoders
from finrec.training.fused_scorer import FusedScorer

MANY_PRODUCTS = 1_000  # from here on the match is by cosine unless told otherwise
MOST_LIVING = 2_000  # products whose texts are read in each step
SIZES = EventSizes(len(KINDS), sequences.N_GAPS, 12, sequences.N_AMOUNTS)


@dataclass(frozen=True)
class Inputs:
    """What a network is built from besides its weights; saved with a run.

    Args:
        catalogue: the products, in the order of the score matrix.
        customers: how customers' attributes become numbers.
        products: how products' attributes become numbers.
        texts: float32 [N, V]; None without the text part.
        graph: None without the graph part.
        paths: None without the graph part.
        known: bool [N], whether a product has any training event; one that has none is described
            by text, attributes and graph alone.
        encoder: the text encoder whose top layers shall learn, its tokens and where they are;
            None where text vectors stay as they are.
        nodes: attribute nodes of the graph; None without.
        regime: state of the economy by day; None without.
        links: whether linked customers are a node of the graph.
        trend: what was taken when; None where moments are not known.
        nearest: of buckets of days, see :func:`finrec.features.sequences.nearest_met`; None: each
            is read as it is.
    """

    catalogue: Catalogue
    customers: Profile
    products: Profile
    texts: np.ndarray | None
    graph: graphs.Graph | None
    paths: graphs.Paths | None
    known: np.ndarray
    encoder: tuple[LanguageTower, Tensor, Tensor] | None = None
    nodes: nodes.AttributeNodes | None = None
    regime: regimes.Regime | None = None
    links: bool = False
    trend: trends.Trend | None = None
    nearest: tuple[np.ndarray, np.ndarray] | None = None


def inputs(
    split: Split,
    fold: FoldName,
    settings: RunSettings,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Inputs, Cohort]:
    """Inputs made from a fold's training part, and that part's histories, one a customer."""
    with_text, with_graph = PARTS[settings.parts]
    part = split.fold(fold)
    known = part.train[CUSTOMER].unique()
    linked = split.links if with_graph and settings.model.graph_links else None
    histories = cohort(known, part.train, split.customers, split.catalogue, part.until, linked)
    texts, encoder = None, None
    if with_text:
        described = text.describe(split.catalogue.table)
        if text.anonymous(described):  # +tl can transfer behaviour only
            if settings.model.text_layers:
                raise DataError(
                    "model.text_layers: the products have no texts to learn from, only ids; set it "
                    "to 0."
                )
            described = [""] * len(described)
        name = settings.model.text_encoder
        folder = text_encoder_dir(name) if name else None
        texts = text.encode(described, folder, progress=progress)
        if settings.model.text_layers:
            encoder = _living(described, settings.model.text_layers, folder)
    n = len(split.catalogue)
    graph = graphs.build(histories, n) if with_graph else None
    paths = graphs.paths(histories, n) if with_graph else None
    sold = np.zeros(n, dtype=bool)
    sold[histories.products] = True
    table = split.catalogue.table
    people = profile.fit(split.customers[split.customers[CUSTOMER].isin(known)])
    has_nodes = with_graph and settings.model.graph_attributes
    given = Inputs(
        split.catalogue,
        people,
        profile.fit(table),
        texts,
        graph,
        paths,
        sold,
        encoder,
        nodes.build(histories, people, n) if has_nodes else None,
        regimes.fit(split.regime, part.until) if settings.model.regime else None,
        histories.linked is not None,
        _trend(histories, part, settings),
        sequences.nearest_met(histories, settings.model.length),
    )
    return given, histories


def _trend(histories: Cohort, part: Fold, settings: RunSettings) -> trends.Trend | None:
    if settings.protocol == "R1" or not settings.model.trend:
        return None
    until = int(part.cases.customers.asof.max()) // SECONDS_PER_DAY
    return trends.count(histories, until)


def _living(texts: list[str], layers: int, folder: Path | None) -> tuple[Any, Tensor, Tensor]:
    if len(texts) > MOST_LIVING:
        raise DataError(
            f"model.text_layers reads every product's text in each step; with {len(texts):,} "
            f"products (more than {MOST_LIVING:,}) set it to 0 and adapt the encoder beforehand "
            "with `finrec pretrain adapt`."
        )
    try:
        return encoders.tower(texts, layers, folder)
    except ValueError as error:
        raise DataError(f"model.text_layers: {error}.") from error


def settled(scorer: FusedScorer) -> FusedScorer:
    """The scorer with text vectors that no longer learn, as it is saved."""
    tower = scorer.network.text
    if not isinstance(tower, LivingTextTower):
        return scorer
    with torch.no_grad():
        vectors = tower.eval().now().detach().cpu()
    frozen = TextTower(vectors, tower.project.out_features)
    frozen.project.load_state_dict(tower.project.state_dict())
    scorer.network.text = frozen.to(scorer.network.bias.device)
    scorer.network.settle_lending()
    return replace(scorer, given=replace(scorer.given, texts=vectors.numpy(), encoder=None))


def network(given: Inputs, settings: RunSettings) -> FusedRecommender:
    """The network for these inputs, with fresh weights from torch's current generator."""
    shape = settings.model
    if settings.protocol == "R1":  # when a held-out event happened is not known there
        undated = dict.fromkeys(("gaps", "calendar", "repeats", "regime", "timing", "trend"), False)
        shape = shape.model_copy(update=undated)
    attributes = None
    if not given.products.empty:
        numbers, codes = given.products.encode(given.catalogue.table)
        tower = ProfileTower(given.products.n_numbers, given.products.sizes, shape.width)
        attributes = (tower, torch.from_numpy(numbers), torch.from_numpy(codes))
    graph = None
    if given.graph is not None:
        graph = ProductGraph(
            shape.graph_kind,
            shape.graph_layers,
            shape.width,
            torch.from_numpy(given.graph.indptr),
            torch.from_numpy(given.graph.indices),
            torch.from_numpy(given.graph.values),
            shape.graph_neighbours,
        )
    gaps, past = (None, None) if given.nearest is None else map(torch.from_numpy, given.nearest)
    if past is not None:  # the repeat tower's buckets begin with one before the same day
        past = torch.cat([past.new_zeros(1), past[: len(sequences.GAP_EDGES)] + 1])
    return FusedRecommender(
        torch.from_numpy(given.known),
        BehaviourTransformer(shape, SIZES, _regime(given, shape), gaps),
        ProfileTower(given.customers.n_numbers, given.customers.sizes, shape.width),
        attributes,
        _text_tower(given, shape.width),
        graph,
        None
        if given.paths is None
        else PathTower(*map(torch.from_numpy, vars(given.paths).values())),
        RepeatTower(sequences.GAP_EDGES.tolist(), shape.width, past) if shape.repeats else None,
        shape.id_dropout,
        _attribute_graph(given, shape.width),
        _matching(given, shape),
        LinkedCustomers(shape.width) if given.links else None,
        shape.sharpness if _by_cosine(given, shape) else None,
        TimingHead(shape.width) if shape.timing else None,
        _trend_tower(given, shape),
    )


def _trend_tower(given: Inputs, shape: ModelSettings) -> TrendTower | None:
    if given.trend is None or not shape.trend:
        return None
    days, shares = map(torch.from_numpy, trends.shares(given.trend, given.known))
    return TrendTower(days, shares)


def _regime(given: Inputs, shape: ModelSettings) -> MarketRegime | None:
    if given.regime is None or not shape.regime:
        return None
    days, values = torch.from_numpy(given.regime.days), torch.from_numpy(given.regime.values)
    return MarketRegime(days, values, shape.width)


def _attribute_graph(given: Inputs, width: int) -> AttributeGraph | None:
    if given.nodes is None:
        return None
    matrix = given.nodes.matrix(len(given.catalogue)).tocoo()
    edges = torch.from_numpy(np.stack([matrix.row, matrix.col]).astype(np.int64))
    return AttributeGraph(
        torch.from_numpy(given.nodes.starts),
        torch.from_numpy(given.nodes.cuts),
        edges,
        torch.from_numpy(matrix.data),
        matrix.shape,
        width,
    )


def _by_cosine(given: Inputs, shape: ModelSettings) -> bool:
    """With many products a long vector lets a popular one in everywhere; few need the lengths.

    Measured on validation: Amazon Beauty (12,101 products, ids only) .0520 by dot product and .0589
    by cosine in as many epochs; the demo bank (100 products) .2018 and .1986.
    """
    if shape.matching == "auto":
        return len(given.catalogue) > MANY_PRODUCTS
    return shape.matching == "cosine"


def _matching(given: Inputs, shape: ModelSettings) -> MatchingNetwork | None:
    if shape.matching != "mlp":
        return None
    if len(given.catalogue) > MOST_PRODUCTS:
        raise DataError(
            f"model.matching=mlp scores each pair by itself; with {len(given.catalogue):,} "
            f"products (more than {MOST_PRODUCTS:,}) choose dot or cosine."
        )
    return MatchingNetwork(shape.width)


def _text_tower(given: Inputs, width: int) -> TextTower | None:
    if given.texts is None:
        return None
    if given.encoder is not None:
        return LivingTextTower(*given.encoder, width)
    return TextTower(torch.from_numpy(given.texts), width)


def hidden_edges(
    given: Inputs, histories: Cohort, rows: np.ndarray, device: torch.device
) -> Hidden | None:
    """The graph edges that these customers made, to be hidden while they are learned from."""
    if given.graph is None:
        return None
    own = histories.take(rows)
    left, right, weight = graphs.pairs(own.offsets, own.products, given.graph.relation)
    root = given.graph.inverse_root_degree
    values = (weight * root[left] * root[right]).astype(np.float32)
    tensors: list[Tensor] = [torch.from_numpy(a).to(device) for a in (left, right, values)]
    return Hidden(*tensors)
