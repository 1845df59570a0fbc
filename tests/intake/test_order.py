"""Events of one moment: a file's order counts only where it is not that of products or columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finrec import intake
from finrec.baselines.markov import Markov
from finrec.baselines.popularity import Popularity
from finrec.evaluation import protocols
from finrec.split import split
from tests.intake import here

PRODUCTS = [f"product_{c}" for c in "abcdefghij"]


def independent(people: int = 600) -> pd.DataFrame:
    """Who holds what, each product by a chance of its own: nothing follows from anything."""
    rng = np.random.default_rng(0)
    held = rng.random((people, len(PRODUCTS))) < np.linspace(0.15, 0.6, len(PRODUCTS))
    frame = pd.DataFrame(held.astype(int), columns=PRODUCTS)
    frame.insert(0, "client", [f"C{i:04}" for i in range(people)])
    return frame


def rising(events: pd.DataFrame) -> float:
    """Share of a customer's neighbouring events of one moment in which the product rises."""
    ordered = events.sort_values("order")
    same = (ordered[["customer_id", "time"]] == ordered[["customer_id", "time"]].shift()).all(
        axis=1
    )
    return float((ordered["product_id"] > ordered["product_id"].shift())[same].mean())


def long_table(tmp_path: Path, how: str, days: list[str] | None = None) -> list[Path]:
    """The same as a list, one row a product held, in an order told by ``how``."""
    frame = independent().melt("client", var_name="product", value_name="held")
    frame = frame[frame.pop("held") == 1]
    if days:
        frame["day"] = np.random.default_rng(1).choice(days, len(frame))
    if how == "chance":
        frame = frame.sample(frac=1, random_state=0)
    else:
        frame = frame.sort_values(["client", "product"], ascending=[True, how == "up"])
    frame.to_csv(tmp_path / "list.csv", index=False)
    return [tmp_path / "list.csv"]


def test_columns_say_nothing_of_what_came_first(tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    independent().to_csv(file, index=False)
    dataset, _ = intake.read([file], intake.propose([file]))
    assert 0.4 < rising(dataset.events) < 0.6
    assert any("random order is kept" in note for note in dataset.info.notes)
    assert not any("order is the file's" in note for note in dataset.info.notes)
    again, _ = intake.read([file], intake.propose([file]))
    pd.testing.assert_frame_equal(dataset.events, again.events)
    parts = split(dataset)
    assert "no dates" in parts.description
    by_hand = {}
    for method in (Popularity(), Markov()):
        scorer = method.fit(parts.test, parts)
        found = protocols.ranking(scorer, parts.test.cases, (3,), True, False)
        by_hand[type(method).__name__] = found.mean()["ndcg@3"]
    # In the order of columns a Markov chain finds the next column.
    assert by_hand["Markov"] < by_hand["Popularity"] + 0.03


@pytest.mark.parametrize("how", ["up", "down"])
@pytest.mark.parametrize("days", [None, ["2024-01-31", "2024-02-29", "2024-03-31"]])
def test_a_list_by_product_gets_a_random_order_within_a_moment(
    tmp_path: Path, how: str, days: list[str] | None
) -> None:
    events = here.read(long_table(tmp_path, how, days)).tables["events"]
    assert 0.4 < rising(events) < 0.6
    assert events.groupby("customer_id")["time"].is_monotonic_increasing.all()


def test_a_list_in_an_order_of_its_own_keeps_it(tmp_path: Path) -> None:
    files = long_table(tmp_path, "chance")
    dataset, _ = intake.read(files, intake.propose(files))
    expected = pd.read_csv(files[0]).groupby("client")["product"].agg(list)
    found = dataset.events.sort_values("order").groupby("customer_id")["product_id"].agg(list)
    assert found.tolist() == expected.tolist()
    assert any("order is the file's" in note for note in dataset.info.notes)


def test_numbers_are_read_as_numbers_and_a_few_rows_prove_nothing(tmp_path: Path) -> None:
    rows = [f"{c},{p}" for c in range(40) for p in (9, 10, 100)]  # as texts these don't rise
    (tmp_path / "many.csv").write_text("customer,product\n" + "\n".join(rows) + "\n")
    many = here.read([tmp_path / "many.csv"]).tables["events"]
    lists = many.sort_values("order").groupby("customer_id")["product_id"].agg(tuple)
    assert lists.nunique() > 3
    (tmp_path / "few.csv").write_text("customer,product\n" + "\n".join(rows[:9]) + "\n")
    few = here.read([tmp_path / "few.csv"]).tables["events"]
    lists = few.sort_values("order").groupby("customer_id")["product_id"].agg(tuple)
    assert set(lists) == {("9", "10", "100")}
