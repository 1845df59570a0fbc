"""The temperature: least log-loss of what was acquired, however many cases are read at once."""

from __future__ import annotations

import numpy as np
import pytest

from finrec.training import calibrate


@pytest.mark.parametrize("rows_at_once", [1, 7, 4096])
def test_scores_twice_too_sharp_get_a_temperature_of_two(
    monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(calibrate, "ROWS", rows_at_once)
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(3000, 8)).astype(np.float32)
    honest[:, 7] = 9.0  # never offered, so it must not count
    allowed = np.ones(honest.shape, dtype=bool)
    allowed[:, 7] = False
    share = calibrate.probabilities(honest, allowed, 1.0).cumsum(1)
    taken = (share < rng.random((3000, 1))).sum(1)
    found = calibrate.temperature(2 * honest, allowed, np.arange(3000), taken)
    assert found == pytest.approx(2.0, abs=0.15)
    assert not allowed[:, 7].any(), "what was passed in is left as it was"


def test_each_acquisition_counts_and_is_open_even_where_it_was_not_offered() -> None:
    scores = np.array([[2.0, 0.5, -1.0, 9.0], [0.0, 1.0, 3.0, 9.0]])
    allowed = np.array([[True, True, True, False], [True, True, False, False]])
    rows, taken = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 2])
    found = calibrate.temperature(scores, allowed, rows, taken)

    def loss(temperature: float) -> float:
        weights = np.exp(scores[:, :3] / temperature)
        return float(-np.log((weights / weights.sum(1, keepdims=True))[rows, taken]).mean())

    assert loss(found) <= min(map(loss, np.geomspace(0.06, 19, 400))) + 1e-6
