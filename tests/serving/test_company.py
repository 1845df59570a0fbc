"""Counted on disk is counted as from the split: who has which products together."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from finrec import pipeline, presets, schema, snapshots
from finrec.features.company import Company
from finrec.scorer import Catalogue, cohort
from finrec.serving.company import company
from finrec.split import split


def by_hand(dataset: schema.Dataset, protocol: str) -> dict[tuple[str, str], int]:
    train = split(dataset, protocol).test.train
    counts: dict[tuple[str, str], int] = {}
    for _, theirs in train.groupby(schema.CUSTOMER):
        for pair in itertools.permutations(sorted(set(theirs[schema.PRODUCT])), 2):
            counts[pair] = counts.get(pair, 0) + 1
    return counts


def variant(dataset: schema.Dataset, name: str) -> schema.Dataset:
    events = dataset.events
    if name == "no dates":
        info = dataclasses.replace(dataset.info, split=())
        kinds = events[schema.KIND].mask(np.arange(len(events)) % 9 == 0, schema.DROPPED)
        return dataclasses.replace(
            dataset, info=info, events=events.assign(**{schema.KIND: kinds.astype("str")})
        )
    if name == "declared":
        place = np.arange(len(events)) % 10
        fold = np.where(place < 6, "train", np.where(place < 8, "valid", "test"))
        return dataclasses.replace(dataset, events=events.assign(**{schema.FOLD: fold}))
    return dataset


@pytest.mark.parametrize(
    ("name", "protocol"),
    [("dates", "R1"), ("dates", "R2"), ("no dates", "R1"), ("no dates", "R2"), ("declared", "R2")],
)
def test_on_disk_as_by_hand(small_dataset: schema.Dataset, name: str, protocol: str) -> None:
    dataset = variant(small_dataset, name)
    kept = snapshots.write(dataset)
    catalogue = Catalogue(dataset.products)
    found = company(kept, protocol, catalogue)
    expected = by_hand(dataset, protocol)
    assert sum(expected.values()) > 100
    for offer in range(len(catalogue)):
        others = [p for p in range(len(catalogue)) if p != offer]
        told = found.together(offer, others)
        ids = catalogue.ids
        assert told == {p: expected.get((ids[offer], ids[p]), 0) for p in others}


def test_of_histories_and_of_another_catalogue(small_dataset: schema.Dataset) -> None:
    kept = snapshots.write(small_dataset)
    fewer = Catalogue(small_dataset.products.iloc[::-2].reset_index(drop=True))
    train = split(small_dataset, "R2").test.train
    histories = cohort(
        train[schema.CUSTOMER].unique(), train, small_dataset.customers, fewer,
        train[schema.TIME].max(),
    )  # fmt: skip
    memory, disk = Company.of(histories, len(fewer)), company(kept, "R2", fewer)
    for offer in range(len(fewer)):
        every = range(len(fewer))
        assert memory.together(offer, every) == disk.together(offer, every)
    assert memory.together(0, []) == {}
    with pytest.raises(schema.DataError, match="choose R1 or R2"):
        company(kept, "R3", fewer)


def test_customers_looked_up_on_disk_are_those_in_memory(small_dataset: schema.Dataset) -> None:
    snapshot = snapshots.write(small_dataset)
    settings = presets.settings(
        snapshot.info, snapshot.ref, "quick", "+gnn", 0, "cpu",
        {"width": 16, "layers": 1, "heads": 2}, {"epochs": 1},
    )  # fmt: skip
    bank = pipeline.load(pipeline.train(settings).id)
    ids = sorted(bank.known)
    disk, memory = bank.cohort(ids, on_disk=True), bank._cohort(ids, False)
    for name in ("ids", "offsets", "products", "kinds", "times", "amounts", "asof"):
        np.testing.assert_array_equal(getattr(disk, name), getattr(memory, name))
    pd.testing.assert_frame_equal(disk.profile, memory.profile)
    assert bank.last == small_dataset.events[schema.TIME].max()
