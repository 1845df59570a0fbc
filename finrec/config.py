"""Settings: where things live, and each choice of the model and its training, once.

Everything here is frozen; a run's ``config.json`` is one :class:`RunSettings`, so that a run can
be repeated from that file alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from finrec.schema import DataError

PARTS: dict[str, tuple[bool, bool]] = {  # name: (text given, graph given)
    "baseline": (False, False),
    "+tl": (True, False),
    "+gnn": (False, True),
    "+tl+gnn": (True, True),
}
Parts = Literal["baseline", "+tl", "+gnn", "+tl+gnn"]
Device = Literal["auto", "cpu", "cuda"]


def home() -> Path:
    """The folder that holds data/ and models/: FINREC_HOME, by default the project's own."""
    return Path(os.environ.get("FINREC_HOME") or Path(__file__).parent.parent)


def data_dir() -> Path:
    """Where snapshots, the inbox, caches and the app's own database live."""
    return home() / "data"


def models_dir() -> Path:
    """Where runs live."""
    return home() / "models"


def text_model_dir() -> Path | None:
    """Folder of the text encoder's weights, from FINREC_TEXT_MODEL; None: the packaged MiniLM."""
    named = os.environ.get("FINREC_TEXT_MODEL")
    return Path(named) if named else None


def text_encoder_dir(name: str) -> Path:
    """Folder of a text encoder that was pretrained, adapted or fine-tuned here.

    Raises:
        DataError: when the name could lead elsewhere, or is that of the unfinished jobs' folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}", name):
        raise DataError(f"{name!r} is no name of an encoder; use letters, digits, _, . and -.")
    if name.lower() == "jobs":
        raise DataError(f"{name!r} is kept for unfinished jobs; choose another name.")
    return models_dir() / "texts" / name


class Frozen(BaseModel):
    """Base of all settings: immutable, and an unknown name is an error rather than ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def refusal(error: ValidationError, of: str = "") -> DataError:
    """What is wrong with settings, as a sentence; ``of`` stands before the setting's name."""
    first = error.errors()[0]
    if not first["loc"]:  # what is wrong is how settings go together
        return DataError(f"{first['msg'].removeprefix('Value error, ')}.")
    where = of + ".".join(map(str, first["loc"]))
    return DataError(f"Setting {where}: {first['msg']} (given: {first['input']!r}).")


class ModelSettings(Frozen):
    """Shape of the fused network."""

    width: int = Field(128, ge=8, le=1024, description="D, width of every vector")
    layers: int = Field(2, ge=1, le=12, description="N, encoder layers over the events")
    decoder_layers: int = Field(1, ge=0, le=6, description="M, decoder layers (0: none)")
    heads: int = Field(2, ge=1, le=16, description="H, attention heads; must divide width")
    inner: int = Field(4, ge=1, le=8, description="feed-forward width as a multiple of width")
    dropout: float = Field(0.3, ge=0, lt=1, description="on inputs, attention output and FFN")
    length: int = Field(50, ge=2, le=1000, description="most recent events read")
    gaps: bool = Field(
        True, description="read the days between events, and since the last one (R2 only)"
    )
    repeats: bool = Field(
        True, description="score products of the own past by the time since (R2 only)"
    )
    trend: bool = Field(
        True, description="read what many take of late, before each moment (R2 only)"
    )
    calendar: bool = Field(
        False, description="read the month of each event and of the moment asked about (R2 only)"
    )
    pre_norm: bool = Field(True, description="normalise before each sub-layer; False: after it")
    text_encoder: str = Field(
        "", description="name of an encoder in models/texts; empty: the one that is packaged"
    )
    id_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of products known by text alone in a step (cold start)"
    )
    text_layers: int = Field(
        0, ge=0, le=12, description="top layers of the text encoder that learn along"
    )
    graph_kind: Literal["gcn", "gat", "gatv2", "lightgcn"] = Field(
        "gcn", description="aggregation of the graph network"
    )
    graph_layers: int = Field(2, ge=1, le=4, description="hops over the customer-product graph")
    graph_attributes: bool = Field(
        False, description="customers' attributes are nodes of the graph, too"
    )
    graph_links: bool = Field(
        True,
        description="who is linked to a customer is a node of the graph, where data have links",
    )
    graph_neighbours: int = Field(
        0, ge=0, description="neighbours of a product drawn in each step (GAT only); 0: about all"
    )
    matching: Literal["auto", "dot", "cosine", "mlp"] = Field(
        "auto",
        description="match by dot product, by cosine, or by dot product and a network over pairs; "
        "auto: by cosine where products are many",
    )
    sharpness: float = Field(
        16.0, gt=0, le=100, description="what a cosine is multiplied by: one over the temperature"
    )
    timing: bool = Field(
        True, description="foretell when a customer takes anything at all, as a second task (R2)"
    )
    regime: bool = Field(
        True, description="read rates, inflation and the like, where the data bring them (R2 only)"
    )

    @model_validator(mode="after")
    def _heads(self) -> ModelSettings:
        if self.width % self.heads:
            raise ValueError(
                f"model.width {self.width} is not a multiple of model.heads {self.heads}; "
                "change one of them"
            )
        return self


class TrainSettings(Frozen):
    """How weights are learned."""

    epochs: int = Field(20, ge=1, le=1000, description="most passes over the customers")
    batch: int = Field(
        256, ge=1, le=65536, description="customers in a batch; fewer where they are few"
    )
    rate: float = Field(1e-3, gt=0, le=1, description="peak learning rate")
    weight_decay: float = Field(0.01, ge=0, le=10, description="AdamW's decay")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of steps with a rising rate")
    patience: int = Field(4, ge=1, le=1000, description="epochs without a gain before stopping")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing")
    half_life_days: float | None = Field(
        None, gt=0, description="an event this old counts half; None: all count the same"
    )
    baskets: bool = Field(
        True, description="events of one moment are foretold together, from before it (R2 only)"
    )
    balance: Literal["none", "weights", "over", "under"] = Field(
        "none",
        description="for rare products: class weights, or draw their customers more often, or "
        "leave out events of frequent products",
    )
    balance_power: float = Field(
        0.5, ge=0, le=1, description="0: as they are; 1: every product counts the same"
    )
    focal: float = Field(0.0, ge=0, le=5, description="focal loss's gamma; 0: cross-entropy")
    negatives: int = Field(
        0, ge=0, description="products drawn for a sampled softmax; 0: the whole catalogue"
    )
    masked_passes: int | None = Field(
        None,
        ge=0,
        le=100,
        description="passes of masked-event modelling before; None: some where +tl has no texts",
    )
    start_from: str = Field("", description="run whose Transformer layers this one begins with")
    timing: float = Field(
        0.1, ge=0, le=10, description="weight of the second task: when anything is taken at all"
    )
    average: float | None = Field(
        None,
        ge=0,
        le=10,
        description="weights are averaged over so many epochs, the last most; 0: not; None: half "
        "an epoch where data are split by time",
    )
    hide_own_edges: bool = Field(
        False,
        description="hide a batch's own edges from the graph while learning from it (not GAT, "
        "which leaves out edges at random)",
    )
    minutes: float = Field(20.0, gt=0, description="no new epoch is begun after this time")
    seed: int = Field(0, ge=0, description="of weights, batches and dropout")

    @model_validator(mode="after")
    def _one_of(self) -> TrainSettings:
        if self.focal and self.smoothing:
            raise ValueError(
                "train.focal and train.smoothing exclude each other; set one of them to 0"
            )
        return self


class RunSettings(Frozen):
    """All that a training run is told."""

    snapshot: str = Field(description="name@hash of the snapshot it learns from")
    protocol: Literal["R1", "R2"] = Field("R2", description="how data are held out")
    parts: Parts = Field("+tl+gnn", description="which of the ablation's parts are in")
    preset: str = "standard"
    device: Device = "auto"
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
