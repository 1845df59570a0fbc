"""Tune a method's settings on validation: the same budget for every method, resumable."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finrec import baselines, config, locks, presets
from finrec import snapshots as store
from finrec.config import PARTS, RunSettings
from finrec.evaluation import protocols
from finrec.pipeline import code
from finrec.schema import DataError
from finrec.split import Split, split
from finrec.training import assemble, fit
from finrec.training.checkpoint import read_json, write_json
from finrec.training.fused_scorer import FusedScorer

# What may be tried of our own network besides what the preset says, which comes first.
FUSED: dict[str, dict[str, tuple[Any, ...]]] = {
    "model": {
        "dropout": (0.2, 0.3, 0.4), "decoder_layers": (0, 1), "layers": (1, 2),
        "matching": ("dot", "cosine"),
    },
    "train": {
        "rate": (5e-4, 1e-3, 2e-3), "epochs": (4, 6, 8, 12), "half_life_days": (180.0, 365.0),
        "average": (1.0,),
    },
}  # fmt: skip
AS_PRESET = object()  # in place of a value
SEED = 0


def _folder(ref: str, protocol: str, method: str, preset: str) -> Path:
    stamp = code.of_fused() if method in PARTS else code.of_method(method)
    told = json.dumps([ref, protocol, method, preset if method in PARTS else "", stamp])
    name = f"{method.strip('+').replace('+', '-')}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    return config.data_dir() / "tuning" / name


@dataclass(frozen=True)
class Tuned:
    """What tuning has found so far.

    Args:
        settings: the best on validation; empty: the preset of our network as it is.
        seconds: that the trials of all calls took, those left out that were killed.
        whole: whether everything was tried, so that more time brings nothing.
    """

    settings: dict[str, Any]
    seconds: float
    whole: bool


def tuned(ref: str, protocol: str, method: str, preset: str = "standard") -> Tuned | None:
    """What tuning found; None where no trial has ended yet."""
    file = _folder(ref, protocol, method, preset) / "best.json"
    if not file.is_file():
        return None
    told = read_json(file)
    return Tuned(dict(told["settings"]), told.get("seconds", 0.0), told.get("whole", False))


def tune(
    snapshot: str,
    method: str,
    protocol: str = "",
    preset: str = "standard",
    trials: int = 0,
    minutes: float = 0.0,
) -> dict[str, Any]:
    """Try settings, the defaults first, and keep those with the best validation NDCG.

    Killed, it goes on from the trials that are done, each of which is kept as it ends. Test cases
    are not looked at.

    Args:
        snapshot: name, ref or start of a hash.
        method: of :data:`finrec.baselines.METHODS`, or a part of the ablation.
        protocol: R1 or R2; empty: the snapshot's own.
        preset: of our own network.
        trials: most trials in all; 0: no limit but the time and the space.
        minutes: of this call; 0: no limit but the trials and the space. A trial that takes longer
            is ended, in a program's main thread.

    Returns:
        The best settings: arguments of a method, or ``model`` and ``train`` of our network; none
        where no trial has ended, so that what is usual stays.

    Raises:
        DataError: for a limit below 0, or while another process tunes the same.
    """
    import optuna

    if not (minutes >= 0 and trials >= 0):  # not a number is refused, too
        raise DataError("Trials and minutes of tuning can't be below 0; 0 means no limit.")
    found = store.find(snapshot)
    chosen = protocol or found.info.protocol
    space = _space(method)
    folder = _folder(found.ref, chosen, method, preset)
    folder.mkdir(parents=True, exist_ok=True)
    parts = split(found.load(), chosen)
    metric = f"ndcg@{found.info.ks[0]}"

    def objective(trial: optuna.Trial) -> float:
        # Values are named by their place, because some of them are None.
        places = {name: trial.suggest_categorical(name, range(len(v))) for name, v in space.items()}
        settings = _nested(method, {name: space[name][i] for name, i in places.items()})
        for other in trial.study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
            if other.params == trial.params and other.value is not None:
                return float(other.value)  # tried before
        with _ended_at(until):
            if method in PARTS:
                info = found.info
                run = presets.settings(
                    info, found.ref, preset, method, SEED, model=settings.get("model"),
                    train=settings.get("train"), protocol=chosen,
                )  # fmt: skip
                return _fused(run, parts, metric, trial)
            fitted = baselines.method(method).build(settings, SEED).fit(parts.valid, parts)
            cases = parts.valid.cases
            ranked = protocols.ranking(fitted, cases, (found.info.ks[0],), True, parts.repeatable)
            return ranked.mean()[metric]

    def keep(ended: list[Any], settings: dict[str, Any], whole: bool, cut: float = 0.0) -> None:
        write_json(folder / "best.json", {
            "settings": settings, "metric": metric,
            "value": study.best_value if ended else None,
            "trials": len(ended), "snapshot": found.ref, "protocol": chosen,
            "method": method, "whole": whole,
            "seconds": cut + sum(t.duration.total_seconds() for t in ended),
        })  # fmt: skip

    every = 1
    for values in space.values():
        every *= len(values)
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    taken = DataError(f"Another process tunes {method} on the same data; wait until it has ended.")
    with locks.alone(folder / "lock", taken):  # an unended trial is a dead one
        study = _study(folder, method, dict.fromkeys(space, 0))
        while True:
            ended = _ended(study)
            distinct = {tuple(sorted(t.params.items())) for t in ended}
            # A sampler that keeps to what it knows has nothing more to say.
            whole = len(distinct) >= every or len(ended) > 3 * every
            settings: dict[str, Any] = {}
            if ended:
                settings = _nested(method, {n: space[n][i] for n, i in study.best_params.items()})
                keep(ended, settings, whole)
                if whole or time.monotonic() >= until or (trials and len(ended) >= trials):
                    return settings
            began = time.monotonic()
            try:
                study.optimize(objective, n_trials=1)
            except _Spent:
                keep(ended, settings, whole, cut=time.monotonic() - began)
                return settings


class _Spent(Exception):
    """The time is over."""


@contextmanager
def _ended_at(until: float) -> Iterator[None]:
    """End the body at that monotonic time; only a main thread can be told to."""
    if until == float("inf") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise _Spent

    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, ring)
    theirs, _ = signal.setitimer(signal.ITIMER_REAL, max(until - began, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if theirs:  # whoever waited for an alarm gets it when it was due
            signal.setitimer(signal.ITIMER_REAL, max(theirs + began - time.monotonic(), 0.001))


def _study(folder: Path, method: str, defaults: dict[str, int]) -> Any:
    """The trials so far, ready for the next; the defaults are next until they were tried."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a failed trial raises
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "trials.log"))),
        study_name=method,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2),
    )
    for dead in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(dead.number, state=TrialState.FAIL)
    # Were it seeded alike, one that goes on would draw again what it drew before it was killed.
    seed = SEED + len(_ended(study))
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5)
    waiting = study.get_trials(states=(TrialState.WAITING,))
    tried = [t.system_attrs.get("fixed_params") for t in waiting]
    tried += [t.params for t in _ended(study)]
    if defaults not in tried:
        study.enqueue_trial(defaults)
    return study


def _ended(study: Any) -> list[Any]:
    """Trials that came to a result: complete or pruned, not those that failed or were killed."""
    return [t for t in study.trials if t.state.name in ("COMPLETE", "PRUNED")]


def _space(method: str) -> dict[str, tuple[Any, ...]]:
    if method in PARTS:
        return {
            f"{g}.{n}": (AS_PRESET, *values)
            for g, names in FUSED.items()
            for n, values in names.items()
        }
    return {name: tuple(v) for name, v in baselines.method(method).space.items()}


def _nested(method: str, flat: dict[str, Any]) -> dict[str, Any]:
    if method not in PARTS:
        return flat
    out: dict[str, Any] = {}
    for name, value in flat.items():
        group, _, key = name.partition(".")
        if value is not AS_PRESET:
            out.setdefault(group, {})[key] = value
    return out


def _fused(settings: RunSettings, parts: Split, metric: str, trial: Any) -> float:
    import optuna

    given, histories = assemble.inputs(parts, "valid", settings)
    k = int(metric.partition("@")[2])
    step = 0

    def validate(scorer: FusedScorer) -> float:
        nonlocal step
        found = protocols.ranking(scorer, parts.valid.cases, (k,), True, parts.repeatable)
        value = found.mean()[metric]
        trial.report(value, step)
        step += 1
        if trial.should_prune():
            raise optuna.TrialPruned
        return value

    return fit.fit(given, histories, settings, validate).valid
