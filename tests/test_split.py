"""Data that can't be split are told so, with a remedy that is one; odd amounts are unknown."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from finrec.schema import (
    ACQUIRED,
    AMOUNT,
    CUSTOMER,
    DROPPED,
    KIND,
    PROFILES,
    TIME,
    DataError,
    Dataset,
)
from finrec.scorer import KINDS, MOST_LINKED, Catalogue, cohort, seconds
from finrec.split import next_moment, split


def test_too_few_dates_name_the_other_protocol_only_where_it_helps(small_dataset: Dataset) -> None:
    undated = replace(small_dataset, info=replace(small_dataset.info, split=()))
    one_day = small_dataset.events.assign(**{TIME: small_dataset.events[TIME].iloc[0]})
    with pytest.raises(DataError, match=r"or choose leaving one out \(R1\)"):
        split(replace(undated, events=one_day), "R2")
    each_once = one_day.drop_duplicates(CUSTOMER)
    with pytest.raises(DataError) as told:
        split(replace(undated, events=each_once), "R2")
    assert "R1" not in str(told.value)
    with pytest.raises(DataError, match="has three events"):
        split(replace(undated, events=each_once), "R1")


def test_an_amount_beyond_float32_is_unknown(small_dataset: Dataset) -> None:
    amounts = small_dataset.events[AMOUNT].astype("float64").copy()
    amounts.iloc[::3] = 1e300
    amounts.iloc[1::3] = 12.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = split(
            replace(small_dataset, events=small_dataset.events.assign(**{AMOUNT: amounts}))
        )
    found = parts.test.cases.customers.amounts
    assert not np.isinf(found).any() and np.isnan(found).any() and (found == 12.5).any()


def test_leave_one_out_asks_for_nothing_that_was_dropped(small_dataset: Dataset) -> None:
    one = small_dataset.events.drop_duplicates(CUSTOMER).head(1)
    a, b = small_dataset.products["product_id"].tolist()[:2]
    told = [(a, ACQUIRED), (b, ACQUIRED), (a, DROPPED), (a, ACQUIRED), (b, DROPPED), (b, ACQUIRED),
            (b, DROPPED)]  # fmt: skip
    events = pd.concat([one] * len(told), ignore_index=True).assign(
        product_id=[p for p, _ in told], kind=[k for _, k in told], order=range(len(told))
    )
    parts = split(replace(small_dataset, events=events), "R1")
    for fold, known, held, taken in ((parts.valid, 3, b, a), (parts.test, 5, a, b)):
        people = fold.cases.customers
        found = zip(parts.catalogue.ids[people.products], people.kinds, strict=True)
        assert [(p, KINDS[k]) for p, k in found] == told[:known]
        assert parts.catalogue.ids[fold.cases.relevant].tolist() == [taken]
        assert parts.catalogue.ids[people.held(len(parts.catalogue))[0]].tolist() == [held]
        assert fold.train[KIND].tolist() == [k for _, k in told[:3]]


def test_attributes_are_those_told_before_validation_begins(small_dataset: Dataset) -> None:
    told = [
        small_dataset.customers[[CUSTOMER]].assign(**{TIME: pd.Timestamp(day), "income": value})
        for day, value in (("2024-06-30", 1.0), ("2024-07-01", 2.0), ("2024-11-01", 3.0))
    ]
    dataset = replace(small_dataset, extra={PROFILES: pd.concat(told, ignore_index=True)})
    parts = split(dataset)
    for people in (parts.customers, parts.test.cases.customers.profile):
        assert set(people["income"]) == {1.0}


def test_the_moment_asked_about_is_as_long_after_the_last_as_is_usual() -> None:
    days = pd.Series(pd.to_datetime(["2024-01-01", "2024-02-01", "2024-02-29", "2024-03-01"]))
    assert next_moment(days, pd.Timestamp("2024-03-02")) == pd.Timestamp("2024-03-29")
    assert next_moment(days, pd.Timestamp("2024-04-02")) == pd.Timestamp("2024-04-02")
    assert next_moment(days[:3], pd.Timestamp("2024-03-02")) == pd.Timestamp("2024-03-28")


def test_of_linked_customers_the_latest_that_they_took_is_known(small_dataset: Dataset) -> None:
    one = small_dataset.events.head(1)
    times = pd.date_range("2024-01-01", periods=MOST_LINKED + 4, freq="D")
    events = pd.concat([one] * len(times), ignore_index=True).assign(
        **{CUSTOMER: "021", TIME: times}
    )
    events.loc[len(times) - 1, KIND] = DROPPED
    people, catalogue = small_dataset.customers, Catalogue(small_dataset.products)
    links = small_dataset.links.head(1).assign(source="002", target="021")
    found = cohort(["002"], events, people, catalogue, times[-1], links).linked
    assert found is not None and found.offsets.tolist() == [0, MOST_LINKED]
    assert found.times.tolist() == seconds(pd.Series(times[3:-1])).tolist()
