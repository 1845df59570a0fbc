"""Training in the background: killed, resumed, cancelled; and what a run looks like."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from finrec import config, pipeline, presets, snapshots
from finrec.features import text
from finrec.schema import CheckpointError, DataError
from finrec.training import checkpoint, fit, jobs, runs
from finrec.training.objective import Objective

ROOT = Path(__file__).resolve().parents[2]


def settings(small_dataset, **train):
    made = snapshots.write(small_dataset)
    shape = {"width": 16, "length": 20, "dropout": 0.2, "decoder_layers": 1}
    course = {"epochs": 6, "batch": 8, "patience": 6, **train}
    return presets.settings(
        made.info, made.ref, "quick", parts="+gnn", device="cpu", model=shape, train=course
    )


def weights(run):
    return checkpoint.read_tensors(run.path / "weights.safetensors")


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_same_seed_same_weights_other_seed_other_weights(small_dataset):
    first, second = (pipeline.train(settings(small_dataset)) for _ in range(2))
    other = pipeline.train(settings(small_dataset, seed=1))
    assert same(weights(first), weights(second))
    assert not same(weights(first), weights(other))
    assert first.metrics == second.metrics
    assert not jobs.jobs()


class Killed(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("stage", ["choose", "refit"])
def test_a_crash_in_the_middle_of_an_epoch_resumes_to_the_same_weights(
    small_dataset, monkeypatch, stage
):
    whole = pipeline.train(settings(small_dataset))
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0.0)  # a checkpoint at every step
    run = jobs.create(settings(small_dataset))

    def die(event):
        at = (event.get("stage"), event["event"], event.get("epoch"))
        if at == (stage, "step", 0) and event["share"] > 0.4:
            raise Killed

    with pytest.raises(Killed):
        pipeline.work(run, die)
    assert jobs.read(run).state == "failed"
    assert not (runs.config.models_dir() / run).exists()
    resumed = pipeline.work(run)
    assert same(weights(whole), weights(resumed))
    assert whole.metrics == resumed.metrics


def wait(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_kill_9_of_a_real_training_leaves_nothing_half_written_and_resumes(small_dataset, home):
    long = settings(small_dataset, epochs=20, patience=20)
    whole = pipeline.train(long)
    run = jobs.start(long)
    saved = jobs.folder(run) / "checkpoint" / "choose"
    wait(lambda: any(saved.glob("latest-*")) and "epoch" in set(jobs.read_log(run)["event"]))
    pid = jobs.read(run).pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: jobs.read(run).state == "stopped")
    assert [r.id for r in runs.runs()] == [whole.id]
    jobs.resume(run)
    wait(lambda: any(r.id == run for r in runs.runs()))
    assert same(weights(whole), weights(runs.find(run)))
    log = jobs.read_log(run)
    assert "resumed" in set(log["event"]) and log["event"].iloc[-1] == "done"


def test_cancel_stops_at_a_step_and_can_be_resumed(small_dataset):
    run = jobs.start(settings(small_dataset, epochs=900, patience=900))
    wait(lambda: "step" in set(jobs.read_log(run).get("event", [])))
    jobs.cancel(run)
    wait(lambda: jobs.read(run).state == "cancelled")
    assert "cancelled" in set(jobs.read_log(run)["event"])
    jobs.forget(run)
    assert not jobs.jobs()


def test_a_job_that_runs_cannot_be_worked_on_twice_or_forgotten(small_dataset):
    run = jobs.create(settings(small_dataset))
    with jobs.working(run):
        assert jobs.read(run).state == "running"
        with pytest.raises(CheckpointError, match="running"):
            jobs.forget(run)
        done = subprocess.run(
            [sys.executable, "-m", "finrec", "work", run],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 2 and "Another process works" in done.stderr
    assert jobs.read(run).state == "stopped"


@pytest.mark.parametrize("left", ["all", "some", "nothing"])
def test_a_kill_after_the_run_was_kept_leaves_a_run_that_is_done(small_dataset, monkeypatch, left):
    def die(run):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "clear", die)
        with pytest.raises(Killed):
            pipeline.train(settings(small_dataset, epochs=1))
    (run,) = pipeline.runs()
    if left != "all":
        (jobs.folder(run.id) / "lock").unlink()
        shutil.rmtree(jobs.folder(run.id) / "checkpoint")
    if left == "nothing":
        shutil.rmtree(jobs.folder(run.id))
    assert jobs.jobs() == [], "it is not told twice"
    before = weights(run)
    again = pipeline.work(run.id, lambda event: pytest.fail("it learned again"))
    assert again.id == run.id and same(before, weights(again))
    assert not jobs.folder(run.id).exists()
    with pytest.raises(CheckpointError, match="is among the runs|no job"):
        jobs.resume(run.id)


def test_what_killed_trainings_left_is_removed_after_a_day(small_dataset):
    left = config.models_dir() / ".writing-old"
    fresh = config.models_dir() / ".writing-new"
    for folder in (left, fresh):
        folder.mkdir(parents=True)
    day = time.time() - 25 * 3600
    os.utime(left, (day, day))
    run = pipeline.train(settings(small_dataset, epochs=1))
    assert not left.exists() and fresh.exists(), "another process may be at it"
    assert [r.id for r in pipeline.runs()] == [run.id]


def test_a_job_goes_on_with_the_text_encoder_that_began_it_alone(small_dataset, monkeypatch):
    told = settings(small_dataset, epochs=1).model_copy(update={"parts": "+tl"})
    monkeypatch.setattr(text, "identity", lambda folder=None: "first")
    monkeypatch.setattr(
        text, "encode", lambda texts, *_, **__: np.ones((len(texts), 4), dtype=np.float32)
    )

    def die(event):
        raise Killed

    with pytest.raises(Killed):
        pipeline.train(told, die)
    (job,) = jobs.jobs()
    assert job.reader == "first"
    with monkeypatch.context() as patch:
        patch.setattr(text, "identity", lambda folder=None: "second")
        with pytest.raises(CheckpointError, match="begun with the text encoder first"):
            pipeline.work(job.run)
    assert pipeline.work(job.run).provenance["text_encoder"] == "first"


def test_the_latest_run_to_begin_with_is_the_latest_when_it_was_asked_for(small_dataset):
    first = pipeline.train(settings(small_dataset, epochs=1))
    second = pipeline.train(settings(small_dataset, epochs=1, start_from="latest"))
    assert second.settings.train.start_from == first.id


def test_a_loss_that_is_no_number_is_said_in_a_sentence(small_dataset, monkeypatch):
    def lost(self, rows):
        return next(self.net.parameters()).sum() * float("nan")

    monkeypatch.setattr(Objective, "__call__", lost)
    with pytest.raises(DataError, match=r"not a finite number in pass 1; lower train\.rate"):
        pipeline.train(settings(small_dataset))
    (job,) = jobs.jobs()
    assert job.state == "failed" and "lower train.rate" in job.message


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden"])
def test_names_of_jobs_cannot_leave_the_folder(name):
    with pytest.raises(CheckpointError, match="not the name"):
        jobs.folder(name)


def test_checkpoints_survive_a_crash_while_saving(tmp_path, monkeypatch):
    kept = checkpoint.Checkpoints(tmp_path)
    kept.save({"x": torch.ones(3)}, {"step": 1})

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "publish", crash)
    with pytest.raises(OSError):
        kept.save({"x": torch.zeros(3)}, {"step": 2})
    tensors, state = kept.load()
    assert state == {"step": 1} and torch.equal(tensors["x"], torch.ones(3))


def test_a_damaged_run_is_named_with_its_fault(small_dataset):
    run = pipeline.train(settings(small_dataset, epochs=1))
    (run.path / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="weights.safetensors can't be read"):
        run.scorer()
    (run.path / "config.json").write_text("{")
    assert runs.runs() == []
    with pytest.raises(CheckpointError, match="config.json can't be read"):
        runs.find(run.id)


def test_a_run_holds_no_pickle_and_loads_to_equal_scores(small_dataset):
    run = pipeline.train(settings(small_dataset, epochs=2))
    assert {f.suffix for f in run.path.iterdir()} <= {".json", ".safetensors", ".parquet", ".jsonl"}
    recommender = pipeline.load(run.id)
    again = pipeline.load(run.id)
    people = recommender.cohort(sorted(recommender.known))
    left, right = recommender.scorer.score(people), again.scorer.score(people)
    assert (left == right).all()
