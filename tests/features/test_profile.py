"""Attributes as numbers: whatever stands in a file, what the network reads is small and finite."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from finrec.features import profile
from finrec.schema import CUSTOMER


@pytest.mark.parametrize("odd", [1e31, -1e38, 1e308, np.finfo(float).max, np.inf])
def test_a_number_that_can_not_be_one_is_unknown(odd: float) -> None:
    income = [float(i) for i in range(40)] + [odd, -odd]
    table = pd.DataFrame({CUSTOMER: [str(i) for i in range(42)], "income": income})
    plain = profile.fit(table[:40])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = profile.fit(table)
        numbers, _ = fitted.encode(table)
    assert fitted == plain, "it moves no mean and no scale"
    assert numbers[40:].tolist() == [[0.0, 1.0], [0.0, 1.0]], "nothing, and marked as unknown"
    assert np.abs(numbers[:40, 0]).max() < 3 and not numbers[:40, 1].any()


@pytest.mark.parametrize("largest", [1e6, 1e12, 9e29])
def test_a_large_number_is_one(largest: float) -> None:
    table = pd.DataFrame(
        {CUSTOMER: [str(i) for i in range(30)], "income": [0.0] * 15 + [largest] * 15}
    )
    numbers, _ = profile.fit(table).encode(table)
    assert np.allclose(numbers[:, 0], [-1] * 15 + [1] * 15) and not numbers[:, 1].any()


def test_what_lies_beyond_nearly_all_that_was_learned_from_is_read_as_their_end() -> None:
    fitted = profile.fit(pd.DataFrame({"income": np.arange(1001.0)}))
    numbers, _ = fitted.encode(pd.DataFrame({"income": [-5e5, 10.0, 500.0, 990.0, 1e6]}))
    assert numbers[[0, 4], 0].tolist() == numbers[[1, 3], 0].tolist()
    assert numbers[2, 0] == pytest.approx(0) and not numbers[:, 1].any()
