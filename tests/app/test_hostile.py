"""Names from data are shown letter by letter, whatever is in them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from finrec import pipeline, schema, snapshots
from tests.app.conftest import HOSTILE, Screen, calm, texts, tiny


@pytest.fixture(scope="module")
def hostile(shared_home: Path, small_dataset: schema.Dataset) -> str:
    """A model of data in which everything that has a name has a nasty one."""
    products = small_dataset.products.assign(name=[f"{HOSTILE} {i}" for i in range(12)])
    customers = small_dataset.customers.assign(occupation=HOSTILE)
    info = dataclasses.replace(
        small_dataset.info, title=HOSTILE, origin=HOSTILE, notes=(HOSTILE,), product_word=HOSTILE
    )
    nasty = dataclasses.replace(small_dataset, info=info, products=products, customers=customers)
    snapshots.write(nasty)
    return pipeline.train(tiny("+gnn")).id


@pytest.mark.parametrize("name", ["overview", "customers", "data", "train", "compare", "book"])
def test_no_name_is_read_as_markup(screen: Screen, hostile: str, name: str) -> None:
    app = calm(screen(name))
    said = texts(app) + "\n".join(f"{m.label}" for m in app.metric)
    assert "Gold" in said
    for line in said.splitlines():
        if "Gold" in line:
            assert "**Gold" not in line
            assert not re.search(r"(?<!\\)\[card|(?<!\\)<b|http:/|(?<!\\):red", line), line


def test_planned_campaign_and_tried_policy_read_no_name_as_markup(
    screen: Screen, hostile: str
) -> None:
    app = screen("campaign")
    app.multiselect(key="products").set_value(["P09"]).run()
    planned = calm(app.button(key="plan campaign").click().run())
    tried = calm(screen("policy"))
    for app in (planned, tried):
        said = texts(app)
        assert "Gold" in said
        assert not re.search(r"(?<!\\)\[card|(?<!\\)<b|http:/|(?<!\\):red\[|\*\*Gold", said)
