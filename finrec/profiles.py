"""Attributes of customers as known at a moment, where the data say how they were before."""

from __future__ import annotations

import pandas as pd

from finrec.schema import CUSTOMER, PROFILES, TIME, Dataset


def then(dataset: Dataset, moment: pd.Timestamp | None) -> pd.DataFrame:
    """The customers table as it was before a moment; the same rows, columns and types.

    What the table of profiles does not have is as last known; what it has only from later on is
    unknown.

    Args:
        dataset: with or without the table PROFILES: CUSTOMER, TIME from which a row holds, and the
            attributes that change.
        moment: nothing told at it or after it is used; None: what is told first of each.
    """
    history = dataset.extra.get(PROFILES)
    if history is None:
        return dataset.customers
    ordered = history.sort_values(TIME, kind="stable")
    if moment is None:
        known = ordered.drop(columns=TIME).groupby(CUSTOMER).first()
    else:
        known = ordered[ordered[TIME] < moment].drop(columns=TIME).groupby(CUSTOMER).last()
    found = dataset.customers.copy()
    rows = known.reindex(found[CUSTOMER]).set_axis(found.index)
    for column in rows.columns.intersection(found.columns):
        found[column] = rows[column].astype(found[column].dtype)
    return found
