"""Customers of the test cases read on disk are those of the split, in its order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from finrec import schema, snapshots
from finrec.schema import DataError
from finrec.serving.cases import test_customers as on_disk
from finrec.split import split
from tests.serving.test_company import variant


def shaped(dataset: schema.Dataset, name: str) -> schema.Dataset:
    """Besides a split's variants: baskets of two products, and times that are all alike."""
    events = dataset.events
    if name == "baskets":
        number = pd.Series(np.arange(len(events)) // 2).astype("str")
        return dataclasses.replace(
            dataset, events=events.assign(**{schema.BASKET: events[schema.CUSTOMER] + number})
        )
    if name == "months":
        month = events[schema.TIME].dt.to_period("M").dt.to_timestamp()
        return dataclasses.replace(dataset, events=events.assign(**{schema.TIME: month}))
    return variant(dataset, name)


@pytest.mark.parametrize("protocol", ["R1", "R2"])
@pytest.mark.parametrize("name", ["dates", "no dates", "declared", "baskets", "months"])
def test_as_of_the_split(small_dataset: schema.Dataset, name: str, protocol: str) -> None:
    kept = snapshots.write(shaped(small_dataset, name))
    ids = split(kept.load(), protocol).test.cases.customers.ids
    expected = list(pd.unique(np.asarray(ids)))
    assert len(expected) > 5
    assert list(on_disk(kept, protocol)) == expected


def test_unknown_protocol_is_said(small_dataset: schema.Dataset) -> None:
    with pytest.raises(DataError, match="R3"):
        on_disk(snapshots.write(small_dataset), "R3")
