"""Which pass is kept: the best by steadied validation values, and its own weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from finrec.training.choosing import Choice, steadied


def test_each_value_is_averaged_with_its_neighbours_and_the_ends_with_themselves() -> None:
    assert steadied([1.0, 5.0, 2.0]) == pytest.approx([(1 + 2 + 5) / 4, (1 + 10 + 2) / 4, 11 / 4])
    assert steadied([3.0]) == [3.0]


def kept(values: list[float | None], fixed: bool = False) -> tuple[int, float]:
    """Epoch that is kept, and what its weights hold: the number of their pass."""
    choice = Choice(fixed)
    for epoch, value in enumerate(values, 1):
        weights = {"w": torch.tensor([float(epoch)])}
        choice.note({"epoch": epoch, "valid": value}, weights)
        weights["w"] += 100  # training goes on in the same tensors
    return choice.entry["epoch"], float(choice.weights["w"])


def test_one_lucky_pass_is_not_kept_before_many_good_ones() -> None:
    assert kept([0.50, 0.55, 0.50, 0.54, 0.545, 0.54, 0.50]) == (5, 5.0)


def test_of_passes_that_are_alike_the_first_is_kept() -> None:
    assert kept([0.5, 0.5]) == kept([0.5, 0.5, 0.5]) == (1, 1.0)


@pytest.mark.parametrize("seed", range(40))
def test_it_is_always_the_pass_with_the_highest_steadied_value_with_its_own_weights(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=rng.integers(1, 9)).round(2).tolist()
    for upto in range(1, len(values) + 1):  # the same at every stop on the way
        best = int(np.argmax(steadied(values[:upto]))) + 1
        assert kept(values[:upto]) == (best, float(best))


def test_the_last_pass_is_kept_where_their_number_is_fixed_and_the_first_where_none_is_judged() -> (
    None
):
    assert kept([None, None, None], fixed=True) == (3, 3.0)
    assert kept([None, None, None]) == (1, 1.0)


@pytest.mark.parametrize("stop", range(1, 6))
def test_it_goes_on_from_what_was_saved(stop: int) -> None:
    values = [0.2, 0.5, 0.1, 0.45, 0.44, 0.43]
    first, second = Choice(), Choice()
    for epoch, value in enumerate(values[:stop], 1):
        first.note({"epoch": epoch, "valid": value}, {"w": torch.tensor([float(epoch)])})
    second.resume(first.curve, first.before, first.best, first.last)
    for epoch, value in itertools.islice(enumerate(values, 1), stop, None):
        second.note({"epoch": epoch, "valid": value}, {"w": torch.tensor([float(epoch)])})
    assert (second.entry["epoch"], float(second.weights["w"])) == kept(values)
