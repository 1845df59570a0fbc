"""Products that nobody has bought: nobody's negative, found by their text."""

import numpy as np
import pandas as pd
import pytest

from finrec import presets, snapshots
from finrec.pipeline import cold
from finrec.schema import DataError, Dataset, DatasetInfo
from finrec.split import split
from finrec.training import assemble, fit

GROUPS = 4


def shops() -> Dataset:
    """Customers buy ten products of one of four groups; a product's text names its group."""
    rng = np.random.default_rng(0)
    rows = []
    for customer in range(240):
        own = GROUPS * rng.permutation(20)[:10] + customer % GROUPS
        for day, product in enumerate(own):
            rows.append((f"C{customer}", f"P{product:02d}", pd.Timestamp("2024-01-01")
                         + pd.Timedelta(days=30 * day + customer % 30), day))  # fmt: skip
    events = pd.DataFrame(rows, columns=["customer_id", "product_id", "time", "order"])
    events["kind"], events["amount"] = "acquired", np.nan
    ids = [f"P{p:02d}" for p in range(GROUPS * 20)]
    names = [f"group {int(p[1:]) % GROUPS}" for p in ids]
    products = pd.DataFrame({"product_id": ids, "name": names, "description": ""})
    customers = pd.DataFrame({"customer_id": events["customer_id"].drop_duplicates()})
    info = DatasetInfo(name="shops", title="Shops", protocol="R1", ks=(10,))
    return Dataset(info, customers, products, events)


@pytest.fixture
def made(home, monkeypatch):
    def encode(texts, *_, **__):
        group = np.array([int(t.split("group ")[1][0]) for t in texts])
        return np.eye(GROUPS, 16, dtype=np.float32)[group]

    monkeypatch.setattr(assemble.text, "encode", encode)
    snapshot = snapshots.write(shops())

    def settings(parts):
        return presets.settings(snapshot.info, snapshot.ref, "quick", parts, model={"width": 16},
                                train={"epochs": 6, "batch": 32, "rate": 0.01})  # fmt: skip

    return settings


def test_text_finds_what_nobody_has_bought_and_popularity_cannot(made):
    with pytest.raises(DataError, match="give a smaller -k"):
        cold.products(made("+tl"), share=0.1, k=10_000)
    found = cold.products(made("+tl"), share=0.1, k=15)
    assert found.held_out == 8 and found.cases > 10
    assert found.popularity == 0 and found.random < 0.4
    assert found.recall > 0.5 and found.recall > cold.products(made("baseline"), 0.1, k=15).recall


def test_its_embedding_is_never_learned_and_its_bias_is_ordinary(made):
    dataset = shops()
    part = split(dataset)
    never = dataset.events["product_id"] == "P00"
    kept = Dataset(dataset.info, dataset.customers, dataset.products, dataset.events[~never])
    settings = made("+tl")
    given, histories = assemble.inputs(split(kept), "valid", settings)
    assert given.known.sum() == len(part.catalogue) - 1 and not given.known[0]
    fitted = fit.fit(given, histories, settings, None, epochs=2).scorer.network
    np.testing.assert_allclose(
        fitted.own_vectors()[0].detach(), fitted.text()[0].detach(), atol=1e-6
    )
    group = [p for p in range(GROUPS, len(given.known), GROUPS)]  # described as it is
    places = fitted.lending.places[0].tolist()
    assert set(places) <= set(group) and len(places) == 5
    begins = fitted.bias[places].mean()  # all five are described alike, so they count the same
    assert float(fitted.prior()[0].detach()) == pytest.approx(float(begins.detach()), abs=1e-6)


def test_without_texts_its_score_begins_where_others_do_on_average(made):
    dataset = shops()
    never = dataset.events["product_id"] == "P00"
    kept = Dataset(dataset.info, dataset.customers, dataset.products, dataset.events[~never])
    settings = made("baseline")
    given, histories = assemble.inputs(split(kept), "valid", settings)
    fitted = fit.fit(given, histories, settings, None, epochs=1).scorer.network
    assert fitted.lending is None
    assert float(fitted.prior()[0].detach()) == pytest.approx(
        float(fitted.bias[given.known].mean().detach())
    )
