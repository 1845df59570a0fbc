"""Data that can't be split are told so, with a remedy that is one; odd amounts are unknown."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from finrec.schema import (
    AMOUNT,
    CUSTOMER,
    DESCRIPTION,
    DROPPED,
    KIND,
    NAME,
    ORDER,
    PRODUCT,
    PROFILES,
    TIME,
    DataError,
    Dataset,
    DatasetInfo,
)
from finrec.scorer import MOST_LINKED, Catalogue, cohort, seconds
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


def test_where_nothing_is_taken_that_is_said(small_dataset: Dataset) -> None:
    given_up = small_dataset.events.assign(**{KIND: "dropped"})
    info = replace(small_dataset.info, split=())
    with pytest.raises(DataError, match="Nothing is taken in small"):
        split(replace(small_dataset, info=info, events=given_up), "R2")
    with pytest.raises(DataError, match="has three events"):
        split(replace(small_dataset, info=info, events=given_up), "R1")


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


def test_leaving_one_out_foretells_no_event_by_which_something_was_given_up() -> None:
    kinds = ["acquired", "acquired", "dropped", "acquired", "dropped", "acquired", "dropped"]
    days = pd.date_range("2024-01-01", periods=len(kinds))
    few = ["acquired", "dropped", "acquired", "dropped", "dropped", "dropped", "dropped"]
    events = pd.DataFrame(
        {
            CUSTOMER: ["A"] * 7 + ["B"] * 7,
            PRODUCT: list("abacbde") * 2,
            TIME: [*days, *days],
            KIND: kinds + few,
            AMOUNT: np.nan,
            ORDER: list(range(7)) * 2,
        }
    )
    products = pd.DataFrame({PRODUCT: list("abcde"), NAME: list("abcde"), DESCRIPTION: ""})
    people = pd.DataFrame({CUSTOMER: ["A", "B"]})
    bank = Dataset(DatasetInfo("bank", "A bank", protocol="R1"), people, products, events)
    parts = split(bank)
    names = np.array(list("abcde"))
    for fold, target, known in ((parts.valid, "c", "aba"), (parts.test, "d", "abacb")):
        asked = fold.cases.customers
        assert list(asked.ids) == ["A"] and names[fold.cases.relevant].tolist() == [target]
        assert names[asked.products].tolist() == list(known)
    learned = parts.test.train
    assert learned[learned[CUSTOMER] == "A"][PRODUCT].tolist() == list("aba")
    assert len(learned[learned[CUSTOMER] == "B"]) == 7, "too few were taken to leave any out"


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
