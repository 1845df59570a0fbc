"""From files to a trained and tested run: ingest, train, estimate."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finrec import config, datasets, memory, presets
from finrec import snapshots as store
from finrec.baselines.popularity import Popularity
from finrec.config import RunSettings
from finrec.evaluation import protocols
from finrec.features import text
from finrec.pipeline import best_offers, code
from finrec.pipeline import foretold as foretelling
from finrec.schema import CheckpointError
from finrec.scorer import Cohort
from finrec.serving.recommender import offerable
from finrec.serving.worth import Activity
from finrec.snapshots import Snapshot
from finrec.split import FoldName, Split, split
from finrec.training import assemble, calibrate, course, fit, jobs, paths
from finrec.training import runs as run_store
from finrec.training.checkpoint import Checkpoints
from finrec.training.device import device_of
from finrec.training.estimate import Estimate
from finrec.training.estimate import estimate as estimate_seconds
from finrec.training.fused_scorer import FusedScorer
from finrec.training.runs import Run

Progress = Callable[[dict[str, Any]], None]
RECENT_DAYS = 90.0


def ingest(
    source: str, path: Path | None = None, options: Mapping[str, str] | None = None
) -> Snapshot:
    """Read a source's files and keep them as a snapshot; ``options`` are those of the source."""
    files: list[Path] = []
    with store.staging() as folder:
        dataset = datasets.stage(source, path, folder, options)
        if path is not None:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
        lineage = {"source": source, "files": store.file_lineage(files)}
        return store.write(dataset, lineage | ({"options": dict(options)} if options else {}))


def snapshots() -> list[Snapshot]:
    """All snapshots, newest first."""
    return store.snapshots()


def runs() -> list[Run]:
    """All trained runs, newest first."""
    return run_store.runs()


def train(settings: RunSettings, progress: Progress = lambda event: None) -> Run:
    """Train in this process; every event is told to ``progress`` and to the job's log."""
    return work(jobs.create(*_fixed(settings)), progress)


def start(settings: RunSettings) -> str:
    """Train in a process of its own when its turn comes; returns the name of the run to be."""
    store.find(settings.snapshot)
    return jobs.start(*_fixed(settings))


def _fixed(settings: RunSettings) -> tuple[RunSettings, str, str]:
    """Settings, code and text encoder of a job: what could change before it is done, as it is."""
    device_of(settings)  # a device that is not there is told before a job is made
    if settings.train.start_from:
        begun = run_store.find(settings.train.start_from).id  # not another "latest" by then
        train = settings.train.model_copy(update={"start_from": begun})
        settings = settings.model_copy(update={"train": train})
    return settings, code.of_fused(), _reader(settings)


def _reader(settings: RunSettings) -> str:
    """Hash of the text encoder; empty where no text is read."""
    if "tl" not in settings.parts:
        return ""
    name = settings.model.text_encoder
    return text.identity(config.text_encoder_dir(name) if name else None)


def _same_reader(job: jobs.Job) -> None:
    """Refuse to go on with another text encoder than the one that began."""
    if job.reader and job.reader != (now := _reader(job.settings)):
        raise CheckpointError(
            f"{job.run} was begun with the text encoder {job.reader}, and now there is {now}; put "
            "the other one back (FINREC_TEXT_MODEL, models/texts) to go on, or train anew."
        )


def work(run: str, progress: Progress = lambda event: None) -> Run:
    """Do a job, from its latest checkpoint if it has one, and keep the result as a run.

    Raises:
        FinrecError: when the data or the checkpoint can't be used.
        Cancelled: when the user asked for a stop.
    """

    def tell(event: dict[str, Any]) -> None:
        if event["event"] != "step" or time.monotonic() - told[0] > 0.5:
            told[0] = time.monotonic()
            jobs.log(run, event)
        progress(event)

    if jobs.became(run):  # killed after the run was kept and before its job was removed
        jobs.clear(run)
        return run_store.find(run)
    told = [0.0]
    with jobs.working(run):
        job = jobs.read(run)
        _same_reader(job)
        torch.set_num_threads(job.threads)
        try:
            done = _train(job, tell)
        except fit.Cancelled:
            jobs.stopped(run)
            raise
        except Exception as error:
            jobs.finish(run, "failed", str(error) or type(error).__name__)
            tell({"event": "failed", "message": str(error) or type(error).__name__})
            raise
    jobs.clear(run)
    return done


def _train(job: jobs.Job, tell: Progress) -> Run:
    run, settings = job.run, job.settings
    snapshot = store.find(settings.snapshot)
    parts = split(snapshot.load(), settings.protocol)
    tell({"event": "start", "message": f"Learning from {parts.description}"})
    k = snapshot.info.ks[0]
    folder = jobs.folder(run)

    def stage(fold: FoldName, name: str, **how: Any) -> fit.Fitted:
        given, histories = assemble.inputs(
            parts,
            fold,
            settings,
            lambda done, total: tell({"event": "text", "share": done / max(total, 1)}),
        )
        return fit.fit(
            given,
            histories,
            settings,
            checkpoints=Checkpoints(folder / "checkpoint" / name),
            progress=lambda event: tell({"stage": name, "metric": f"ndcg@{k}", **event}),
            cancelled=lambda: jobs.cancelled(run),
            **how,
        )

    def validate(scorer: FusedScorer) -> float:
        found = protocols.ranking(
            scorer, parts.valid.cases, (k,), masked=True, repeatable=parts.repeatable
        )
        return found.mean()[f"ndcg@{k}"]

    chosen = stage("valid", "choose", validate=validate)
    tell({"event": "evaluating", "message": "Weighing the graph's paths on validation."})
    weighed = paths.choose(chosen.scorer, parts.valid.cases, not parts.repeatable, k)
    final = chosen
    if settings.protocol == "R2":  # what was held out to choose is learned from before the test
        final = stage("test", "refit", validate=None, epochs=chosen.epochs)
        paths.copy(chosen.scorer, final.scorer)
    memory.give_back()
    scale = _temperature(chosen.scorer, parts)
    # By the network before the refit, which knows nothing of these cases.
    told = (chosen.scorer, parts.valid.cases, len(parts.catalogue), parts.repeatable, scale)
    best, foretold = best_offers.measured(*told), foretelling.foretell(*told)
    memory.give_back()
    tell({"event": "evaluating", "message": "Testing once on what was held out."})
    scorers = {"valid": chosen.scorer, "test": final.scorer}
    references = {
        "popularity": Popularity().fit(parts.test, parts),
        "recent_popularity": Popularity(RECENT_DAYS).fit(parts.test, parts),
    }
    taught = final.scorer.network.timing is not None and settings.train.timing > 0
    timed = {"counted": counted} if taught else None
    measured = protocols.evaluate(
        lambda fold: scorers[fold], parts, snapshot.info, references, timed=timed
    )
    provenance = _provenance(snapshot, settings, chosen, final, scale)
    provenance |= {"text_encoder": job.reader or _reader(settings)}
    provenance |= {"paths": weighed, "best_offers": vars(best)}
    if job.code != provenance["code"]:  # neither code alone made these weights
        provenance["code"] = f"{job.code or 'unknown'}, then {provenance['code']}"
    if measured.metrics.get("T", {}).get("best_on_validation") == "network":
        provenance["intensity"] = measured.metrics["T"]["intensity"]
    tell({"event": "done", "message": f"Done: {run}."})
    log = jobs.folder(run) / "log.jsonl"
    return run_store.write(
        run, final.scorer, settings, measured.metrics, provenance, log, measured.per_case,
        foretold.tensors(),
    )  # fmt: skip


def counted(customers: Cohort, window: float) -> np.ndarray:
    """Chance that anything is taken, by how often customers alike did in the window before."""
    return Activity.fit(customers, max(1, round(window))).chance(customers)


def _temperature(scorer: FusedScorer, parts: Split, most: int = 2000) -> float:
    sample = foretelling.drawn(parts.valid.cases, most)
    allowed = offerable(sample.customers, len(parts.catalogue), parts.repeatable)
    if sample.allowed is not None:
        allowed = sample.allowed
    row = np.repeat(np.arange(len(sample)), np.diff(sample.offsets))
    return calibrate.temperature(scorer.score(sample.customers), allowed, row, sample.relevant)


def _provenance(
    snapshot: Snapshot,
    settings: RunSettings,
    chosen: fit.Fitted,
    final: fit.Fitted,
    temperature: float,
) -> dict[str, Any]:
    net = final.scorer.network
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": asdict(snapshot.info),
        "snapshot": snapshot.ref,
        "code": code.of_fused(),
        "commit": code.commit(),
        "epochs": chosen.epochs,
        "valid": chosen.valid,
        "curve": chosen.curve,
        "seconds_train": chosen.seconds,
        "seconds_refit": final.seconds if final is not chosen else 0.0,
        "targets": final.targets,
        "parameters": sum(p.numel() for p in net.parameters()),
        "temperature": temperature,
        "device": str(net.bias.device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "seed": settings.train.seed,
    }


def demo(progress: Progress = lambda event: None) -> Run:
    """The demo bank and a first run of it, made if ``models/`` has none."""
    have = [r for r in runs() if r.settings.snapshot.startswith("demo@")]
    if have:
        return have[0]
    snapshot = ingest("demo")
    for job in jobs.jobs():  # a first start that was interrupted goes on where it was
        if job.settings.snapshot == snapshot.ref and job.state in (
            "stopped",
            "paused",
            "cancelled",
        ):
            return work(job.run, progress)
    return train(presets.settings(snapshot.info, snapshot.ref, "standard"), progress)


def estimate(settings: RunSettings) -> Estimate:
    """How long a training with these settings will take on this machine."""
    rows = store.find(settings.snapshot).rows
    customers = rows["customers"] or rows["events"]
    rounds = course.passes(customers, course.batch_size(customers, settings.train.batch))
    return estimate_seconds(settings, rows["events"] * rounds, rows["products"], runs())


def device_name() -> str:
    """The device that ``auto`` takes, for people."""
    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name(0)}"
    return f"CPU, {torch.get_num_threads()} threads"
