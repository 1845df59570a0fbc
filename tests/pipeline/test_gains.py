"""Who gains and who loses: by hand, from files of two seeds, with ids as in the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finrec import schema, snapshots
from finrec.figures import gains as figures
from finrec.pipeline import compare, gains
from finrec.pipeline.gains import Side
from finrec.schema import DataError
from finrec.split import split


def side(folder: Path, name: str, *seeds: list[float], codes: list[int] | None = None) -> Side:
    files = []
    for seed, values in enumerate(seeds):
        warm = np.arange(len(values)) != 1
        frame = pd.DataFrame(
            {"customer": codes or [0, 1, 0, 2], "warm": warm, "ndcg@3": values}
        )  # fmt: skip
        files.append(folder / f"{name}-{seed}.parquet")
        frame.to_parquet(files[-1])
    return Side(name, name, tuple(files))


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test cases of three customers, by code."""
    names = np.array(["C7", "C3", "C5"], dtype=object)
    monkeypatch.setattr(gains, "_customers", lambda snapshot, protocol: names)


def test_change_of_each_customer_is_the_mean_over_cases_and_seeds(
    three: None, tmp_path: Path
) -> None:
    old = side(tmp_path, "old", [0.0, 1.0, 0.5, 0.2], [0.0, 0.0, 0.5, 0.2])
    new = side(tmp_path, "new", [1.0, 0.0, 0.5, 0.2])
    found = gains.moved("bank@1", "R2", old, new, "ndcg@3")
    assert found.frame["customer_id"].tolist() == ["C7", "C5", "C3"]
    assert found.frame["cases"].tolist() == [2, 1, 1]
    assert found.frame["before"].tolist() == [0.25, 0.2, 0.5]
    assert found.frame["after"].tolist() == [0.75, 0.2, 0.0]
    assert found.frame["change"].tolist() == [0.5, 0.0, -0.5]
    assert (found.gained, found.lost, found.same) == (1, 1, 1)
    assert found.change == pytest.approx((1.0 - 0.5 + 0 + 0) / 4), "over cases, not customers"
    warm = gains.moved("bank@1", "R2", old, new, "ndcg@3", "warm")
    assert "C3" not in set(warm.frame["customer_id"])

    figure, words, table = figures.spread(found, "ndcg@3")
    assert words == "1 customer gains, 1 loses, for 1 nothing changes."
    assert sum(figure.data[0].y) == 2 == table["Customers"].sum()
    most = figures.most(found, "ndcg@3")
    assert most["Customer"].tolist() == ["C7", "C3"]
    assert figures.labels(most)["C3"] == "C3 (−0.5000)"
    still = gains.moved("bank@1", "R2", old, old, "ndcg@3")
    assert (still.gained, still.lost) == (0, 0) and figures.most(still, "ndcg@3").empty


def test_different_cases_or_metrics_are_said(three: None, tmp_path: Path) -> None:
    one = side(tmp_path, "one", [0.0] * 4)
    other = side(tmp_path, "other", [0.0] * 4, codes=[0, 1, 2, 2])
    with pytest.raises(DataError, match="same cases"):
        gains.moved("bank@1", "R2", one, other, "ndcg@3")
    with pytest.raises(DataError, match="'hr@9' was not measured; there are ndcg@3"):
        gains.moved("bank@1", "R2", one, one, "hr@9")
    both = replace(one, files=(*one.files, *other.files))
    with pytest.raises(DataError, match="different cases"):
        gains.moved("bank@1", "R2", both, one, "ndcg@3")


def test_methods_of_a_comparison_and_the_ids_of_their_customers(
    home: Path, small_dataset: schema.Dataset
) -> None:
    ref = snapshots.write(small_dataset).ref
    made = compare.plan("small", ["popularity", "markov"])
    compare.run(made, apart=False)
    first, second = gains.of_comparison(made, "R2")
    assert (first.key, second.title) == ("popularity", "Markov chain")
    assert gains.of_comparison(made, "R1") == []
    found = gains.moved(ref, "R2", first, second, "ndcg@3")
    cases = split(small_dataset, "R2").test.cases.customers.ids
    assert sorted(found.frame["customer_id"]) == sorted(set(cases))
    means = [c.result()["metrics"]["R2"]["masked"]["ndcg@3"] for c in made.cells]
    assert found.change == pytest.approx(means[1] - means[0])
    row = found.frame.iloc[0]
    own = np.flatnonzero(np.asarray(cases) == row["customer_id"])
    assert row["after"] == pytest.approx(made.cells[1].per_case()["ndcg@3"].iloc[own].mean())
