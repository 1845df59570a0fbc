"""Trained runs on disk: ``models/<run>/``, there whole or not at all.

A run holds ``config.json`` (its settings), ``weights.safetensors``, ``features.safetensors`` (text
vectors and graph), ``ids.parquet`` (the catalogue), ``profile.json`` (how attributes become
numbers), ``metrics.json``, ``per_case.parquet``, ``foretold.safetensors`` (validation cases),
``provenance.json`` and ``log.jsonl``. Nothing in it is pickled.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from finrec import config
from finrec.config import RunSettings
from finrec.features.graph import Graph, Paths
from finrec.features.nodes import AttributeNodes
from finrec.features.profile import Profile
from finrec.features.regime import Regime
from finrec.features.trend import Trend
from finrec.schema import CheckpointError
from finrec.scorer import Catalogue
from finrec.snapshots import publish, sweep
from finrec.training import checkpoint
from finrec.training.assemble import Inputs, network
from finrec.training.fused_scorer import FusedScorer

SETTINGS = "config.json"
PER_CASE = "per_case.parquet"
FORETOLD = "foretold.safetensors"  # of validation cases, before they were learned from
PATH_ARRAYS = ("indptr", "indices", "values")
GRAPH_ARRAYS = (*PATH_ARRAYS, "inverse_root_degree")
NEAREST_ARRAYS = ("nearest.gaps", "nearest.past")
TREND_ARRAYS = ("days", "products", "later", "counts")


@dataclass(frozen=True)
class Run:
    """A trained run.

    Args:
        id: its name, also its folder's.
        path: its folder.
        settings: what it was told.
        metrics: by protocol, as evaluation wrote them.
        provenance: data set, versions, machine, epochs, seconds, parameters.
    """

    id: str
    path: Path
    settings: RunSettings
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def per_case(self) -> pd.DataFrame | None:
        """Metrics of each test case; None for runs that were made before these were kept."""
        file = self.path / PER_CASE
        return pd.read_parquet(file) if file.is_file() else None

    def scorer(self, device: torch.device | None = None) -> FusedScorer:
        """The trained network, in memory.

        Raises:
            CheckpointError: when a file is missing, damaged or does not fit the others.
        """
        given = read_inputs(self.path)
        net = network(given, self.settings)
        weights = checkpoint.read_tensors(self.path / "weights.safetensors")
        checkpoint.load_weights(net, weights, self.id)
        return FusedScorer(
            net.to(device or torch.device("cpu")).eval(), given, self.settings.model.length
        )


def write(
    run: str,
    scorer: FusedScorer,
    settings: RunSettings,
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    log: Path | None = None,
    per_case: pd.DataFrame | None = None,
    foretold: Mapping[str, Tensor] | None = None,
) -> Run:
    """Keep a trained network as ``models/<run>/``.

    Args:
        run: its name.
        scorer: the network.
        settings: what it was told.
        metrics: by protocol.
        provenance: where it comes from.
        log: of its training.
        per_case: metrics of each test case.
        foretold: of validation cases.
    """
    folder = config.models_dir()
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        checkpoint.write_json(staging / SETTINGS, settings.model_dump())
        checkpoint.write_json(staging / "metrics.json", metrics)
        checkpoint.write_json(staging / "provenance.json", provenance)
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in scorer.network.state_dict().items()},
            staging / "weights.safetensors",
        )
        write_inputs(staging, scorer.given)
        if per_case is not None:
            per_case.to_parquet(staging / PER_CASE, index=False)
        if foretold is not None:
            save_file(dict(foretold), staging / FORETOLD)
        if log is not None and log.exists():
            shutil.copyfile(log, staging / "log.jsonl")
        publish(staging, folder / run)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return read(folder / run)


def write_inputs(folder: Path, given: Inputs) -> None:
    """Write what a network is built from besides its weights."""
    given.catalogue.table.to_parquet(folder / "ids.parquet", index=False)
    checkpoint.write_json(
        folder / "profile.json",
        {
            "customers": given.customers.to_json(),
            "products": given.products.to_json(),
            "relation": None if given.graph is None else given.graph.relation,
            "regime": [] if given.regime is None else list(given.regime.names),
            "links": given.links,
            "until": None if given.trend is None else given.trend.until,
        },
    )
    arrays: dict[str, np.ndarray] = {"known": given.known}
    if given.texts is not None:
        arrays["texts"] = given.texts
    if given.graph is not None:
        arrays |= {f"graph.{name}": getattr(given.graph, name) for name in GRAPH_ARRAYS}
    if given.paths is not None:
        arrays |= {f"paths.{name}": getattr(given.paths, name) for name in PATH_ARRAYS}
    if given.nodes is not None:
        arrays |= {f"nodes.{name}": value for name, value in vars(given.nodes).items()}
    if given.regime is not None:
        arrays |= {f"regime.{name}": getattr(given.regime, name) for name in ("days", "values")}
    if given.trend is not None:
        arrays |= {f"trend.{name}": getattr(given.trend, name) for name in TREND_ARRAYS}
    if given.nearest is not None:
        arrays |= dict(zip(NEAREST_ARRAYS, given.nearest, strict=True))
    save_file(
        {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()},
        folder / "features.safetensors",
    )


def read_inputs(folder: Path) -> Inputs:
    """Inverse of :func:`write_inputs`.

    Raises:
        CheckpointError: when a file is missing or damaged.
    """
    stored = checkpoint.read_json(folder / "profile.json")
    arrays = checkpoint.read_tensors(folder / "features.safetensors")
    try:
        table = pd.read_parquet(folder / "ids.parquet")
        graph = None
        if stored["relation"]:
            graph = Graph(
                **{name: arrays[f"graph.{name}"].numpy() for name in GRAPH_ARRAYS},
                relation=stored["relation"],
            )
        paths = None
        if "paths.indptr" in arrays:
            paths = Paths(**{name: arrays[f"paths.{name}"].numpy() for name in PATH_ARRAYS})
        texts = arrays["texts"].numpy() if "texts" in arrays else None
        nodes = regime = None
        if "nodes.indptr" in arrays:
            names = [f.name for f in fields(AttributeNodes)]
            nodes = AttributeNodes(**{name: arrays[f"nodes.{name}"].numpy() for name in names})
        if stored.get("regime"):
            days, values = arrays["regime.days"].numpy(), arrays["regime.values"].numpy()
            regime = Regime(tuple(stored["regime"]), days, values)
        trend = None
        if stored.get("until") is not None:
            told = {name: arrays[f"trend.{name}"].numpy() for name in TREND_ARRAYS}
            trend = Trend(**told, until=stored["until"])
        nearest = None
        if NEAREST_ARRAYS[0] in arrays:
            nearest = (arrays[NEAREST_ARRAYS[0]].numpy(), arrays[NEAREST_ARRAYS[1]].numpy())
        return Inputs(
            Catalogue(table),
            Profile.from_json(stored["customers"]),
            Profile.from_json(stored["products"]),
            texts,
            graph,
            paths,
            arrays["known"].numpy() if "known" in arrays else np.ones(len(table), dtype=bool),
            nodes=nodes,
            regime=regime,
            links=bool(stored.get("links", False)),
            trend=trend,
            nearest=nearest,
        )
    except (OSError, KeyError, TypeError, pa.ArrowException) as error:
        raise CheckpointError(f"Run {folder.name} is damaged: {error}.") from error


def read(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        CheckpointError: when the folder is none.
    """
    try:
        stored = checkpoint.read_json(folder / SETTINGS)
        if isinstance(stored.get("model"), dict):  # a run from before gaps were a choice of its own
            stored["model"].setdefault("gaps", stored["model"].get("calendar", False))
            stored["model"].setdefault("repeats", False)
            stored["model"].setdefault("matching", "dot")
            stored["model"].setdefault("timing", False)
            stored["model"].setdefault("trend", False)
        settings = RunSettings(**stored)
    except (ValidationError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"Run {folder.name}: its settings are not valid: {reason}."
        ) from error
    return Run(
        folder.name,
        folder,
        settings,
        checkpoint.read_json(folder / "metrics.json"),
        checkpoint.read_json(folder / "provenance.json"),
    )


def runs() -> list[Run]:
    """All runs, newest first; a damaged one is passed over."""
    found = []
    for file in config.models_dir().glob(f"*/{SETTINGS}"):
        if file.parent.name.startswith(".") or file.parent.name == "jobs":
            continue
        try:
            found.append(read(file.parent))
        except CheckpointError:
            continue
    return sorted(found, key=lambda r: (str(r.provenance.get("created")), r.id), reverse=True)


def find(name: str) -> Run:
    """The run of that name, or the only one that begins with it; ``latest`` is the newest.

    Raises:
        CheckpointError: when there is none, or more than one would fit.
    """
    every = runs()
    fits = [r for r in every if r.id == name] or [
        r for r in every if name and r.id.startswith(name)
    ]
    if name == "latest" and every:
        fits = every[:1]
    if len(fits) == 1:
        return fits[0]
    if not fits and (config.models_dir() / name / SETTINGS).is_file() and "/" not in name:
        return read(config.models_dir() / name)  # damaged: says how
    problem = "begins the names of several runs" if fits else "is not a run"
    known = ", ".join(r.id for r in every[:8]) or "none yet"
    raise CheckpointError(f"{name!r} {problem}; there are: {known}. Make one with `finrec train`.")
