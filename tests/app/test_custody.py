"""Quality, comparison, deleting and erasing on the Data screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finrec import schema, snapshots
from tests.app.conftest import Screen, calm, texts, turned


@pytest.fixture
def two(shared_home: Path, small_dataset: schema.Dataset) -> Any:
    """Two snapshots; the newer one lacks a customer."""
    for snapshot in snapshots.snapshots():
        snapshots.delete(snapshot)
    older = snapshots.write(small_dataset)
    gone = small_dataset.customers["customer_id"].iloc[0]
    kept = small_dataset.customers["customer_id"] != gone
    stay = small_dataset.events["customer_id"] != gone
    newer = snapshots.write(
        schema.Dataset(
            small_dataset.info,
            small_dataset.customers[kept].reset_index(drop=True),
            small_dataset.products,
            small_dataset.events[stay].reset_index(drop=True),
        )
    )
    return older, newer, gone


def test_quality_names_figures_and_compares(screen: Screen, two: Any) -> None:
    older, newer, _ = two
    app = calm(screen("data", data=newer.ref))
    assert {"Sparsity", "Customers without an event"} <= {m.label for m in app.metric}
    assert "coefficient is" in texts(app)
    app = turned(app, "data part", "Compare")
    shown = {m.label: m.value for m in app.metric}
    assert (shown["New customers"], shown["Lost customers"]) == ("0", "1")
    assert "How far each column moved" in texts(app)


def test_a_snapshot_is_deleted_only_after_asking(screen: Screen, two: Any) -> None:
    older, newer, _ = two
    app = turned(screen("data", data=newer.ref), "data part", "Delete and erase")
    assert newer.ref in texts(app) and len(snapshots.snapshots()) == 2
    app = calm(app.button(key="delete for good").click().run())
    assert [s.ref for s in snapshots.snapshots()] == [older.ref]


def test_a_customer_is_erased_with_a_proof_that_does_not_repeat_the_id(
    screen: Screen, two: Any
) -> None:
    gone = two[2]
    app = turned(screen("data", data=two[0].ref), "data part", "Delete and erase")
    app.text_input(key="erase id").set_value(gone)
    app = next(b for b in app.button if b.label == "Erase for good").click().run()
    said = texts(app)
    assert "read again afterwards" in said and "None mentions the customer" in said
    assert f"`{gone}`" not in said
    assert all(gone not in set(s.load().customers["customer_id"]) for s in snapshots.snapshots())
