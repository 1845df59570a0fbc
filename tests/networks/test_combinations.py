"""Settings go together: any choice of them learns, scores alike in any batch, and is explained."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from finrec import presets
from finrec.explain import explanation
from finrec.schema import PRODUCT, DataError
from finrec.serving.company import Company
from finrec.split import split
from finrec.training import assemble, fit, runs

MODEL: dict[str, list[Any]] = {
    "layers": [1, 2], "decoder_layers": [0, 1, 2], "heads": [1, 2, 4], "inner": [1, 4],
    "dropout": [0.0, 0.3], "length": [2, 7, 50], "gaps": [True, False],
    "repeats": [True, False], "trend": [True, False], "calendar": [True, False],
    "pre_norm": [True, False], "id_dropout": [0.0, 0.4], "graph_layers": [1, 2, 3],
    "graph_kind": ["gcn", "gat", "gatv2", "lightgcn"], "graph_attributes": [True, False],
    "graph_links": [True, False], "graph_neighbours": [0, 3], "timing": [True, False],
    "matching": ["auto", "dot", "cosine", "mlp"],
}  # fmt: skip
TRAIN: dict[str, list[Any]] = {
    "baskets": [True, False], "balance": ["none", "weights", "over", "under"],
    "focal": [0.0, 2.0], "negatives": [0, 4], "masked_passes": [None, 0, 1],
    "average": [None, 0.0, 1.0], "hide_own_edges": [True, False],
    "half_life_days": [None, 90.0], "timing": [0.0, 0.1],
}  # fmt: skip


@pytest.mark.parametrize("seed", range(14))
def test_any_choice_of_settings_learns_scores_and_explains(home, small_dataset, seed: int) -> None:
    draw = random.Random(seed)
    model = {name: draw.choice(values) for name, values in MODEL.items()}
    train = {name: draw.choice(values) for name, values in TRAIN.items()}
    parts_of_model = draw.choice(["baseline", "+tl", "+gnn", "+tl+gnn"])
    protocol = draw.choice(["R1", "R2"])
    settings = presets.settings(
        small_dataset.info, "x@0", "quick", parts_of_model, seed,
        model={"width": 16, **model}, train={"batch": 16, **train},
    ).model_copy(update={"protocol": protocol})  # fmt: skip
    parts = split(small_dataset, protocol)
    given, histories = assemble.inputs(parts, "valid", settings)
    scorer = fit.fit(given, histories, settings, None, epochs=1).scorer
    customers = parts.test.cases.customers
    scores = scorer.score(customers)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scorer.score(customers, batch=3), scores, atol=2e-4)
    runs.write("one", scorer, settings, {}, {})
    np.testing.assert_allclose(runs.find("one").scorer().score(customers), scores, atol=1e-5)
    top = int(scores[0].argmax())
    told = explanation.explain(
        scorer,
        customers.take(np.array([0])),
        str(parts.catalogue.table[PRODUCT].iloc[top]),
        np.ones(len(parts.catalogue), dtype=bool),
        Company.of(histories, len(parts.catalogue)),
    )
    above = scores[0, top] - scores[0].mean()
    assert told.ledger["contribution"].sum() == pytest.approx(above, abs=3e-3)


@pytest.mark.parametrize(
    ("model", "train", "said"),
    [
        ({"width": 64, "heads": 3}, {}, "model.width 64 is not a multiple of model.heads 3"),
        ({}, {"focal": 2.0, "smoothing": 0.1}, "train.focal and train.smoothing exclude"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(small_dataset, model, train, said) -> None:
    with pytest.raises(DataError, match=said):
        presets.settings(small_dataset.info, "x@0", model=model, train=train)
