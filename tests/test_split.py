"""Data that can't be split are told so, with a remedy that is one; odd amounts are unknown."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from finrec.schema import ACQUIRED, AMOUNT, CUSTOMER, DROPPED, KIND, TIME, DataError, Dataset
from finrec.split import split


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


def test_what_was_dropped_is_known_but_never_the_answer_of_leaving_one_out(
    small_dataset: Dataset,
) -> None:
    events = small_dataset.events.copy()
    place = events.groupby(CUSTOMER).cumcount()
    events[KIND] = np.where(place % 2 == 1, DROPPED, ACQUIRED)  # often the last one
    parts = split(replace(small_dataset, events=events), "R1")
    bought = events[events[KIND] == ACQUIRED]
    enough = bought.groupby(CUSTOMER).size().ge(3)
    people = parts.test.cases.customers
    assert set(people.ids) == set(enough[enough].index)
    for nth, fold in ((-1, parts.test), (-2, parts.valid)):
        asked = parts.catalogue.ids[fold.cases.relevant]
        own = bought.groupby(CUSTOMER)["product_id"].nth(nth)
        own.index = bought.loc[own.index, CUSTOMER]
        assert list(asked) == list(own.reindex(fold.cases.customers.ids))
    one = str(people.ids[0])
    order = events[events[CUSTOMER] == one].reset_index(drop=True)
    before = order.index[order[KIND] == ACQUIRED][-1]
    assert people.lengths[0] == before, "drops before it are known, those after it are not"
