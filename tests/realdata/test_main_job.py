"""The whole main job on real data: ingest, split, train, evaluate, recommend, explain."""

import pytest

from finrec import pipeline, presets
from finrec.split import split


def test_insurance_beats_both_popularity_rows_for_customers_with_a_past(real_data):
    made = pipeline.ingest("insurance", real_data / "bruun_insurance")
    assert made.rows["events"] == 61_740 and made.rows["products"] == 16
    settings = presets.settings(made.info, made.ref, "quick", parts="+gnn", device="cpu")
    run = pipeline.train(settings)
    found = run.metrics["R2"]
    assert found["cases"] == 5_376 and found["slices"]["warm"]["cases"] == 1_111
    popular = found["references"]["popularity"]
    assert popular["masked"]["hr@3"] == pytest.approx(0.6793, abs=5e-4)
    assert popular["masked"]["ndcg@3"] == pytest.approx(0.530, abs=5e-4)
    recent = found["references"]["recent_popularity"]
    assert recent["slices"]["warm"]["hr@3"] == pytest.approx(0.5797, abs=5e-4)
    for other in (popular, recent):
        assert found["slices"]["warm"]["hr@3"] > other["slices"]["warm"]["hr@3"]
    top = pipeline.recommend(run.id, ["1255"], 3)
    assert top["rank"].tolist() == [1, 2, 3]
    why = pipeline.explain(run.id, "1255", top["product_id"][0])
    assert why.score == pytest.approx(why.fast_score, abs=1e-4) and why.sentences


def test_amazon_is_the_published_benchmark_and_trains(real_data):
    made = pipeline.ingest("amazon", real_data / "amazon_beauty_5core")
    assert (made.rows["customers"], made.rows["products"], made.rows["events"]) == (
        22_363, 12_101, 198_502,
    )  # fmt: skip
    parts = split(made.load())
    assert len(parts.valid.train) == 198_502 - 2 * 22_363
    settings = presets.settings(
        made.info, made.ref, "quick", parts="+gnn", device="cpu",
        model={"width": 32, "decoder_layers": 0}, train={"epochs": 1, "batch": 512},
    )  # fmt: skip
    run = pipeline.train(settings)
    found = run.metrics["R1"]
    assert found["masked"]["ndcg@10"] > found["references"]["popularity"]["masked"]["ndcg@10"]
    top = pipeline.recommend(run.id, ["1"], 5)
    assert len(top) == 5 and top["name"].str.len().min() > 0
