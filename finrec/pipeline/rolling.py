"""Backtest by month of any method: baselines by name, or a variant of our own network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from finrec import baselines, presets
from finrec import snapshots as store
from finrec.config import PARTS
from finrec.evaluation import asof, protocols
from finrec.schema import DatasetInfo
from finrec.scorer import Scorer
from finrec.split import Split
from finrec.training import assemble, fit
from finrec.training.fused_scorer import FusedScorer

Progress = Callable[[str, str], None]


def backtest(
    snapshot: str,
    methods: Sequence[str],
    last: int = 6,
    seed: int = 0,
    preset: str = "quick",
    progress: Progress = lambda method, month: None,
) -> pd.DataFrame:
    """Each method on each of the last months, trained on that month's past only.

    Args:
        snapshot: name, name@hash or the start of a hash.
        methods: of :data:`finrec.baselines.METHODS`, or parts of the ablation.
        last: number of months.
        seed: of methods with chance in them.
        preset: of our own network.
        progress: told method and month before each is learned.

    Returns:
        ``method``, ``month``, ``cases``, ``learned``, ``metric``, ``value``, ``low``, ``high``.

    Raises:
        DataError: for an unknown method, or data with no month to test.
    """
    found = store.find(snapshot)
    learners = {
        name: _fused(found.info, found.ref, name, preset, seed)
        if name in PARTS
        else _baseline(name, seed)
        for name in methods
    }
    dataset = found.load()
    starts = asof.months(dataset, last)
    frames = []
    for name, learn in learners.items():

        def tell(start: pd.Timestamp, name: str = name) -> None:
            progress(name, f"{start:%Y-%m}")

        frames.append(asof.backtest(dataset, learn, starts, tell).assign(method=name))
    columns = ["method", "month", "cases", "learned", "metric", "value", "low", "high"]
    return pd.concat(frames, ignore_index=True)[columns]


def _baseline(name: str, seed: int) -> Callable[[Split], Scorer]:
    method = baselines.method(name)
    return lambda cut: method.build(seed=seed).fit(cut.test, cut)


def _fused(
    info: DatasetInfo, ref: str, parts: str, preset: str, seed: int
) -> Callable[[Split], Scorer]:
    told = presets.settings(info, ref, preset, parts, seed).model_copy(update={"protocol": "R2"})
    k = info.ks[0]

    def learn(cut: Split) -> Scorer:
        def validate(scorer: FusedScorer) -> float:
            found = protocols.ranking(scorer, cut.valid.cases, (k,), True, cut.repeatable)
            return found.mean()[f"ndcg@{k}"]

        given, histories = assemble.inputs(cut, "valid", told)
        chosen = fit.fit(given, histories, told, validate)
        given, histories = assemble.inputs(cut, "test", told)
        return fit.fit(given, histories, told, None, epochs=chosen.epochs).scorer

    return learn
