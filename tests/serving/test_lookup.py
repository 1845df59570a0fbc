"""A few customers looked up on disk are the same as those of the whole tables in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finrec import pipeline, presets, schema, snapshots
from finrec.scorer import cohort
from finrec.split import next_moment

TINY = {"width": 16, "layers": 1, "heads": 2, "length": 10}


@pytest.fixture(scope="module")
def recommender(shared_home: Path, small_dataset: schema.Dataset) -> Any:
    snapshot = snapshots.write(small_dataset, {"source": "tests", "files": []})
    course = {"epochs": 1, "batch": 32}
    told = presets.settings(
        snapshot.info, snapshot.ref, "quick", "baseline", 0, "cpu", TINY, course
    )
    return pipeline.load(pipeline.train(told).id)


def test_looked_up_is_what_the_tables_say(recommender: Any, small_dataset: schema.Dataset) -> None:
    ids = ["013", "007", "001", "060"]
    times = small_dataset.events["time"]
    now = next_moment(times, times.max() + pd.Timedelta(days=1))
    right = cohort(ids, small_dataset.events, small_dataset.customers, recommender.catalogue, now)
    found = recommender.cohort(ids)
    assert "dataset" not in vars(recommender), "a few customers don't need the whole tables"
    for name in ("ids", "offsets", "products", "kinds", "times", "amounts", "asof"):
        np.testing.assert_array_equal(getattr(found, name), getattr(right, name), err_msg=name)
    pd.testing.assert_frame_equal(found.profile, right.profile)
    np.testing.assert_array_equal(recommender.scorer.score(found), recommender.scorer.score(right))


def test_unknown_customer_is_named(recommender: Any) -> None:
    with pytest.raises(schema.DataError, match="'nobody' is not in small@"):
        recommender.cohort(["001", "nobody"])
    assert len(recommender.known) == 60
    assert "007" in recommender.known
