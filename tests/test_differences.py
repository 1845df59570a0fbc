"""Every two methods of a comparison, tested over customers and over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from finrec.pipeline import differences
from finrec.pipeline.cells import Cell
from finrec.schema import DataError


@dataclass
class Measured:
    """A cell as far as this asks of it."""

    method: str
    shift: float
    seed: int = 0

    def per_case(self) -> pd.DataFrame:
        rng = np.random.default_rng(7)
        values = np.clip(rng.random(600) + self.shift, 0, None)
        return pd.DataFrame(
            {"customer": np.arange(600), "warm": np.arange(600) % 2 == 0, "ndcg@5": values}
        )


def cells(**shifts: list[float]) -> list[Cell]:
    made: list[Any] = [
        Measured(name.replace("_", "+", 1) if name.startswith("_") else name, shift, seed)
        for name, values in shifts.items()
        for seed, shift in enumerate(values)
    ]
    return cast("list[Cell]", made)


def test_each_pair_is_there_once_with_the_better_method_first() -> None:
    found = differences.pairs(cells(_gnn=[0.2, 0.21], baseline=[0.1, 0.11], ease=[0.0]), "ndcg@5")
    assert found[["better", "worse"]].to_numpy().tolist() == [
        ["+gnn", "baseline"], ["+gnn", "ease"], ["baseline", "ease"],
    ]  # fmt: skip
    assert found["difference"].tolist() == pytest.approx([0.1, 0.205, 0.105])
    assert (found["p"] < 0.001).all() and (found["p_seeds"] < 0.05).all()


def test_a_difference_that_other_seeds_turn_around_is_none() -> None:
    found = differences.pairs(cells(_gnn=[0.3, -0.05], baseline=[0.1, 0.1]), "ndcg@5").iloc[0]
    assert found["p"] < 0.001 and found["p_seeds"] > 0.3


def test_where_chance_is_in_and_one_seed_was_run_nothing_is_said_of_seeds() -> None:
    one = differences.pairs(cells(sasrec=[0.3], ease=[0.0], markov=[0.1]), "ndcg@5")
    pair = one.set_index(["better", "worse"])["p_seeds"]
    assert np.isnan(pair["sasrec", "ease"]) and pair["markov", "ease"] < 0.05


def test_p_is_adjusted_for_the_number_of_pairs() -> None:
    two = differences.pairs(cells(ease=[0.0], markov=[0.1]), "ndcg@5")["p"].iloc[0]
    three = differences.pairs(cells(ease=[0.0], markov=[0.1], itemcf=[0.2]), "ndcg@5")["p"]
    assert three.iloc[0] == pytest.approx(3 * two)


def test_who_a_case_is_of_is_no_metric() -> None:
    with pytest.raises(DataError, match="there are ndcg@5"):
        differences.pairs(cells(ease=[0.0], markov=[0.1]), "customer")
