"""The facts of an Overview, from a bank with a trained model."""

from __future__ import annotations

import time

import pandas as pd

from finrec import pipeline, presets, snapshots
from finrec.datasets import demo
from finrec.pipeline import health, outreach


def test_facts_of_data_model_and_work(home):
    snapshot = snapshots.write(demo.generate(5, 80, 20, 260), {"source": "tests", "files": []})
    run = pipeline.train(
        presets.settings(
            snapshot.info,
            snapshot.ref,
            "quick",
            "baseline",
            0,
            "cpu",
            {"width": 16, "layers": 1},
            {"epochs": 1},
        )  # fmt: skip
    )
    dataset = snapshot.load()
    of = health.of_data(snapshot)
    assert of[0] == dataset.events["time"].max().date()
    assert of[1] == (~dataset.customers["customer_id"].isin(dataset.events["customer_id"])).sum()
    found = health.health(of, run)
    assert found == health.Health(*of, None, False, True, False, {}, found.policy, False)
    entry = outreach.record("signed_off", run=run.id, note="looked at")
    assert entry == 1 and health.health(of, run).signed
    signed = outreach.find_records(kinds=("signed_off",))["id"].iloc[0]
    outreach.undo(signed)
    assert not health.health(of, run).signed
    (run.path / "foretold.safetensors").unlink()
    assert not health.health(of, run).measured
    time.sleep(1.1)  # snapshots are told apart by the second
    later = dataset.events.assign(time=dataset.events["time"] + pd.Timedelta(days=1))
    newer = snapshots.write(
        type(dataset)(dataset.info, dataset.customers, dataset.products, later, dataset.links),
        {"source": "tests", "files": []},
    )
    assert health.health(of, run).newer == newer.ref
    outreach.save_policy(outreach.default_policy_text(), "tests")
    assert health.health(of, run).own_policy
