"""Attributes of monthly tables: a model is tested with what was known before, not after."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finrec import intake, snapshots
from finrec.schema import PROFILES, DataError
from finrec.split import split
from tests.intake import here

MONTHS = pd.to_datetime([f"2023-{m:02d}-28" for m in range(1, 11)])
PRODUCTS = ["account", "card", "fund", "loan", "pension", "deposit"]


def panel(people: int = 200) -> pd.DataFrame:
    """Ten months of holdings; ``latest`` names the product taken last, ``band`` never changes."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(people):
        month_of = rng.integers(0, 14, len(PRODUCTS))  # from 10 on: never
        for m, month in enumerate(MONTHS):
            held = (month_of <= m).astype(int)
            taken = [p for p, at in zip(PRODUCTS, month_of, strict=True) if at == m]
            rows.append(
                [f"C{person:03d}", month, 20 + person % 50, "AB"[person % 2], m + person,
                 taken[0] if taken else "calm", *held]
            )  # fmt: skip
    return pd.DataFrame(
        rows, columns=["client", "month", "age", "band", "balance", "latest", *PRODUCTS]
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    panel().to_csv(tmp_path / "panel.csv", index=False)
    return [tmp_path / "panel.csv"]


def test_who_is_tested_is_known_as_before_the_validation_date(files: list[Path]) -> None:
    dataset, _ = intake.read(files, intake.propose(files))
    frame = panel()
    history = dataset.extra[PROFILES]
    assert set(history.columns) == {"customer_id", "time", "balance", "latest"}, "what changes"
    assert any("known before the dates held out" in note for note in dataset.info.notes)
    last = frame[frame["month"] == MONTHS[-1]].set_index("client")
    now = dataset.customers.set_index("customer_id")
    assert (now["balance"] == last["balance"].reindex(now.index)).all(), "served as known last"
    assert list(now["latest"]) == list(last["latest"].reindex(now.index))
    parts = split(dataset)
    date = parts.valid.until
    for who in (
        parts.customers.set_index("customer_id"),
        parts.test.cases.customers.profile.set_index(parts.test.cases.customers.ids),
        parts.valid.cases.customers.profile.set_index(parts.valid.cases.customers.ids),
    ):
        assert list(who.columns) == list(now.columns)
        assert (who.dtypes == now.dtypes).all()
        told = frame[frame["month"] < date].merge(
            who.reset_index(names="client"), on="client", suffixes=("", "_told")
        )
        same = (told["balance"] == told["balance_told"]) & (told["latest"] == told["latest_told"])
        known = set(told.loc[same, "client"])
        assert known == set(who.index), "each as one of the rows before the date says"
        assert (who["age"] == now["age"].reindex(who.index)).all()


def test_leaving_one_out_knows_the_first_row_only(files: list[Path]) -> None:
    dataset, _ = intake.read(files, intake.propose(files))
    first = panel().drop_duplicates("client").set_index("client")
    told = split(dataset, "R1").customers.set_index("customer_id")
    assert (told["balance"] == first["balance"].reindex(told.index)).all()


def test_what_a_list_of_purchases_says_later_is_not_known_before(tmp_path: Path) -> None:
    rows = [
        f"{c},{p},2024-{1 + i:02d}-15,since {1 + i:02d}"
        for c in range(30)
        for i, p in enumerate(("card", "fund", "loan", "pension", "account", "deposit"))
    ] + ["new,card,2024-06-20,since 06"]
    file = tmp_path / "sales.csv"
    file.write_text("customer,product,date,segment\n" + "\n".join(rows) + "\n")
    mapping = intake.propose([file])
    (table,) = mapping.tables
    segment = replace(table.columns[3], role="attribute", type="text")
    table = replace(table, columns=(*table.columns[:3], segment))
    dataset, _ = intake.read([file], replace(mapping, tables=(table,)))
    parts = split(dataset)
    told = parts.customers.set_index("customer_id")["segment"]
    assert pd.isna(told["new"]), "first seen in the test month"
    assert (told.drop("new") < f"since {parts.valid.until.month:02d}").all()
    assert (dataset.customers["segment"] == "since 06").all()


def test_tables_without_change_or_dates_have_no_profiles(tmp_path: Path) -> None:
    frame = panel().drop(columns=["balance", "latest"])
    frame.to_csv(tmp_path / "still.csv", index=False)
    assert PROFILES not in here.read([tmp_path / "still.csv"]).tables
    frame[frame["month"] == MONTHS[0]].drop(columns="month").to_csv(
        tmp_path / "now.csv", index=False
    )
    assert PROFILES not in here.read([tmp_path / "now.csv"]).tables


def test_profiles_are_kept_checked_and_erased(files: list[Path]) -> None:
    made, _ = intake.ingest_uploaded(files)
    dataset = made.load()
    assert "C003" in set(dataset.extra[PROFILES]["customer_id"])
    wrong = dict(dataset.extra) | {PROFILES: dataset.extra[PROFILES].drop(columns="time")}
    with pytest.raises(DataError, match="Table profiles .*no column time"):
        snapshots.write(
            type(dataset)(dataset.info, dataset.customers, dataset.products, dataset.events,
                          dataset.links, extra=wrong),
            {"source": "tests", "files": []},
        )  # fmt: skip
    snapshots.erase("C003")
    for file in made.path.parent.glob("*/profiles.parquet"):
        assert "C003" not in set(pd.read_parquet(file)["customer_id"])


def test_a_file_a_month_says_what_one_file_of_all_months_says(
    files: list[Path], tmp_path: Path
) -> None:
    whole = here.read(files)
    parts = []
    for number, (_, month) in enumerate(panel().groupby("month")):
        part = month.drop(columns=["loan"]) if number == 4 else month  # a column was forgotten
        parts.append(tmp_path / f"month{number}.csv")
        part[list(part.columns)[:: -1 if number % 2 else 1]].to_csv(parts[-1], index=False)
    apart = here.read(parts)
    for name in ("customers", PROFILES):
        keys = [c for c in ("customer_id", "time") if c in whole.tables[name].columns]
        one, many = (r.tables[name].sort_values(keys, ignore_index=True) for r in (whole, apart))
        pd.testing.assert_frame_equal(many[one.columns.tolist()], one)
    columns = ["customer_id", "product_id", "time", "kind"]
    one, many = (r.tables["events"].query("product_id != 'loan'")[columns] for r in (whole, apart))
    pd.testing.assert_frame_equal(
        many.sort_values(columns, ignore_index=True), one.sort_values(columns, ignore_index=True)
    )
    loans = apart.tables["events"].query("product_id == 'loan'")
    assert len(loans) == len(whole.tables["events"].query("product_id == 'loan'"))
    assert set(loans["kind"]) == {"held", "acquired"}, "a product not asked about is not dropped"


def test_days_of_opening_told_in_several_files_are_one_event_each(tmp_path: Path) -> None:
    row = "client,card_opened,loan_opened\n1,2024-01-05,\n2,2024-02-01,2024-03-01\n"
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(row)
    events = here.read([tmp_path / "a.csv", tmp_path / "b.csv"]).tables["events"]
    assert len(events) == 3
