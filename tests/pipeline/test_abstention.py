"""The threshold of "no offer today" comes from validation alone, whatever the test period holds."""

from dataclasses import replace

import numpy as np
import pytest

from finrec import pipeline, presets, snapshots
from finrec.datasets import demo
from finrec.pipeline import outreach, standing
from finrec.schema import PRODUCT
from finrec.serving import abstain
from finrec.split import split

TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}


def policy(right):
    found = outreach.policy()
    return found.model_copy(update={"value": found.value.model_copy(update={"right": right})})


def trained(dataset, protocol):
    snapshot = snapshots.write(dataset, {"source": "tests", "files": []})
    settings = presets.settings(
        snapshot.info, snapshot.ref, "quick", "baseline", 0, "cpu", TINY, {"epochs": 2}
    ).model_copy(update={"protocol": protocol})
    return pipeline.load(pipeline.train(settings).id)


def same(one, two):
    assert (one.threshold is None) == (two.threshold is None) and one.cases == two.cases
    numbers = [(a.threshold or 0.0, a.precision, a.low, a.coverage) for a in (one, two)]
    assert numbers[0] == pytest.approx(numbers[1], nan_ok=True, rel=1e-4)


@pytest.fixture(scope="module")
def dataset():
    return demo.generate(5, 250, 60, 1500)


def test_test_cases_do_not_move_the_threshold_by_time(shared_home, dataset):
    cut = split(dataset, "R2").test.until
    late = (dataset.events["time"] >= cut).to_numpy()
    assert 20 < late.sum() < len(late) / 2
    products = dataset.events[PRODUCT].to_numpy(dtype=object).copy()
    products[late] = np.random.default_rng(1).permutation(products[late])
    other = replace(dataset, events=dataset.events.assign(**{PRODUCT: products}))
    first, second = trained(dataset, "R2"), trained(other, "R2")
    assert first.snapshot.ref != second.snapshot.ref
    kept = first.run.provenance["best_offers"]
    assert kept["cases"] > 0 and kept["threshold"]
    assert second.run.provenance["best_offers"] == kept
    for right in (0.01, 0.1, 0.9):
        one, two = (standing.abstention(r, policy(right)) for r in (first, second))
        same(one, two)
    # Precision among the cases kept is that of the curve, so the kept measure is the whole of it.
    chosen = standing.abstention(first, policy(0.001))
    assert chosen.threshold in kept["threshold"] and chosen.cases == kept["cases"]


def test_a_run_that_kept_no_measure_offers_nothing_rather_than_look_at_the_test(
    shared_home, dataset
):
    found = trained(dataset, "R2")
    bare = {k: v for k, v in found.run.provenance.items() if k != "best_offers"}
    old = replace(found, run=replace(found.run, provenance=bare))
    judged = standing.abstention(old, policy(0.1))
    assert judged.threshold is None and judged.cases == 0
    assert "train it again" in judged.sentence(3, 0.5)
    chance, allowed = np.full((1, 3), 0.3), np.ones((1, 3), dtype=bool)
    assert judged.decide(chance, allowed).tolist() == [3]


def test_leaving_one_out_is_measured_on_validation_kept_or_not(shared_home, dataset):
    found = trained(dataset, "R1")
    bare = {k: v for k, v in found.run.provenance.items() if k != "best_offers"}
    old = replace(found, run=replace(found.run, provenance=bare))
    for right in (0.01, 0.9):
        kept, anew = (standing.abstention(r, policy(right)) for r in (found, old))
        same(kept, anew)


def test_what_is_kept_is_all_that_the_choice_needs():
    rng = np.random.default_rng(0)
    confidence = rng.random(400)
    right = rng.random(400) < confidence
    kept = abstain.Measured.read(vars(abstain.points(confidence, right)))
    assert len(kept.threshold) <= abstain.MOST_TESTED and kept.cases == 400
    for at, above, hits in zip(kept.threshold, kept.above, kept.right, strict=True):
        assert above == (confidence >= at).sum() and hits == right[confidence >= at].sum()
    chosen = abstain.choose(kept, 0.7)
    assert chosen == abstain.fit(confidence, right, 0.7) and chosen.low >= 0.7
