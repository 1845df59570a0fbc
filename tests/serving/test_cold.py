"""A product that does not exist yet: scored by the network's own path for words and attributes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finrec import pipeline, presets, schema, snapshots
from finrec.pipeline import products
from finrec.scorer import Cohort
from finrec.serving import cold
from finrec.training import calibrate, transfer

TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}


def _tiny(dataset: schema.Dataset, parts: str, epochs: int) -> Any:
    """A tiny model of these parts, trained and loaded."""
    snapshot = snapshots.write(dataset, {"source": "tests", "files": []})
    course = {"epochs": epochs, "batch": 32}
    told = presets.settings(snapshot.info, snapshot.ref, "quick", parts, 0, "cpu", TINY, course)
    return pipeline.load(pipeline.train(told).id)


def _twice(recommender: Any, people: Cohort) -> np.ndarray:
    """Probability of P12 for each customer, were it in the catalogue once more and on offer."""
    scores, may = recommender.scorer.score(people), recommender.offerable(people)
    widened = np.concatenate([scores, scores[:, [11]]], axis=1)
    allowed = np.concatenate([may, np.ones((len(people), 1), dtype=bool)], axis=1)
    temperature = recommender.run.provenance["temperature"]
    return np.asarray(calibrate.probabilities(widened, allowed, temperature)[:, -1])


@pytest.fixture(scope="module")
def reading(shared_home: Path, small_dataset: schema.Dataset) -> Any:
    """With texts and graph."""
    return _tiny(small_dataset, "+tl+gnn", 1)


def test_imagined_product_is_lent_what_its_twin_in_the_catalogue_is(reading: Any) -> None:
    """P12 has no purchase, but a text: known products with texts alike lend to both."""
    twin = reading.catalogue.table.iloc[11]
    network = reading.scorer.network
    assert network.lending.new.tolist() == [11]
    people = reading.cohort(products.asked(reading))
    given = {"type": twin["type"], "rate": float(twin["rate"])}
    found = cold.imagine(reading, people, str(twin["name"]), str(twin["description"]), given)
    by_customer = found.customers.set_index("customer_id").loc[list(people.ids)]
    np.testing.assert_allclose(by_customer["probability"], _twice(reading, people), rtol=1e-3)


@pytest.fixture(scope="module")
def recommender(shared_home: Path, small_dataset: schema.Dataset) -> Any:
    """Without texts, with attributes and graph."""
    return _tiny(small_dataset, "+gnn", 2)


def test_imagined_product_scores_as_its_twin_that_nobody_bought(recommender: Any) -> None:
    """P12 has no purchase: the network knows it by its attributes alone, as an imagined one."""
    twin = recommender.catalogue.table.iloc[11]
    people = recommender.cohort(products.asked(recommender))
    given = {"type": twin["type"], "rate": float(twin["rate"])}
    found = cold.imagine(recommender, people, "twin", "", given)
    by_customer = found.customers.set_index("customer_id").loc[list(people.ids)]
    np.testing.assert_allclose(by_customer["probability"], _twice(recommender, people), rtol=1e-4)
    scores, may = recommender.scorer.score(people), recommender.offerable(people)
    better = ((scores > scores[:, [11]]) & may).sum(1)
    # The twin itself ties; rounding may put it before or after.
    assert np.abs(by_customer["place"].to_numpy() - 1 - better).max() <= 1
    assert set(found.read) == {"type", "rate"}
    assert found.unread == ()
    assert found.alike["product_id"].iloc[0] == "P12"
    assert found.alike["similarity"].iloc[0] == pytest.approx(1.0, abs=1e-4)


def test_nothing_readable_is_said_so(recommender: Any) -> None:
    people = recommender.cohort(["001"])
    with pytest.raises(schema.DataError, match="without the products' texts"):
        cold.imagine(recommender, people, "Unheard of", "No attribute is given.")
    with pytest.raises(schema.DataError, match="no attribute 'colour'"):
        cold.imagine(recommender, people, "X", "", {"colour": "red"})
    with pytest.raises(schema.DataError, match="no name"):
        cold.imagine(recommender, people, " ")


@pytest.mark.parametrize("rate", ["abc", float("nan"), 1e300])
def test_a_number_that_cannot_be_read_is_not_said_to_be(recommender: Any, rate: Any) -> None:
    people = recommender.cohort(["001"])
    kind = str(recommender.catalogue.table["type"].iloc[0])
    found = cold.imagine(recommender, people, "X", "", {"type": kind, "rate": rate})
    assert (found.read, found.unread) == (("type",), ("rate",))
    with pytest.raises(schema.DataError, match="none of the attributes given"):
        cold.imagine(recommender, people, "X", "", {"rate": rate})


def test_product_page_counts_what_the_tables_hold(
    recommender: Any, small_dataset: schema.Dataset
) -> None:
    ref = recommender.snapshot.ref
    events = small_dataset.events
    holders = events[events["product_id"] == "P01"]["customer_id"].nunique()
    view = products.product(ref, "P01")
    assert view.holders == holders
    assert view.trend["customers"].sum() == holders
    groups = products.holders(ref, "P01", "occupation")
    assert groups["customers"].min() >= products.SMALLEST
    ages = products.holders(ref, "P01", "age")
    assert ages["holders"].sum() <= holders
    linked = products.companions(ref, "P01")
    assert linked.nodes["product_id"].iloc[0] == "P01"
    pair = linked.edges[(linked.edges["source"] == "P01") & (linked.edges["target"] == "P03")]
    both = events.groupby("customer_id")["product_id"].agg(lambda p: {"P01", "P03"} <= set(p)).sum()
    assert int(pair["customers"].iloc[0]) == both
    assert products.product(ref, "P12").holders == 0
    assert products.companions(ref, "P12").edges.empty
    with pytest.raises(schema.DataError, match="not in small@"):
        products.product(ref, "P99")
    with pytest.raises(schema.DataError, match="can't be grouped"):
        products.holders(ref, "P01", 'age" ; DROP')


def test_best_customers_may_be_offered_the_product(recommender: Any) -> None:
    found = products.best_customers(recommender, "P02", 5)
    people = recommender.cohort(list(found["customer_id"]))
    assert recommender.offerable(people)[:, 1].all()
    assert found["probability"].is_monotonic_decreasing
    imagined = products.imagine(recommender, "New card", "", {"type": "card"})
    lean = products.leaning(recommender, imagined, "occupation")
    weighted = (lean["times"] * lean["customers"]).sum() / lean["customers"].sum()
    assert weighted == pytest.approx(1.0, abs=1e-6)


def test_a_name_is_not_read_by_who_learned_from_names_that_only_count(
    shared_home: Path, small_dataset: schema.Dataset
) -> None:
    counted = [f"Product {i}" for i in range(len(small_dataset.products))]
    bare = small_dataset.products[["product_id"]].assign(name=counted, description="")
    named = dataclasses.replace(small_dataset, products=bare)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "PLAIN_PASSES", 1)
        model = _tiny(named, "+tl", 1)
    assert not cold.reads_text(model)
    with pytest.raises(schema.DataError, match="without the products' texts"):
        cold.imagine(model, model.cohort(products.asked(model)), "Gold card", "A card of gold.")
