"""A report's further tables, and how comparisons are kept when data are held out both ways."""

from __future__ import annotations

import pandas as pd
import pytest

from finrec import snapshots
from finrec.pipeline import compare, origins, published, report, report_tables


@pytest.fixture
def both(home, small_dataset):
    snapshots.write(small_dataset)
    made = compare.plan("small", ["popularity", "itemcf"], ["R1", "R2"])
    assert compare.run(made, apart=False) == []
    return made


def test_pairs_of_two_ways_of_holding_out_are_kept_apart(both, tmp_path) -> None:
    rows = compare.tidy(both)
    key = ["protocol", "split", "masked", "slice", "method", "seed", "metric"]
    assert not rows.duplicated(key).any()
    assert set(rows.loc[rows["protocol"] == "P", "split"]) == {"R1", "R2"}
    file = tmp_path / "reference.csv"
    for protocol in ("R1", "R2"):
        one = compare.plan("small", ["popularity", "itemcf"], [protocol])
        compare.run(one, apart=False)
        compare.refer(one, file)
    kept = pd.read_csv(file)
    assert len(kept) == len(rows), "one's pairs don't take the other's place"
    f1 = rows[(rows["protocol"] == "P") & (rows["slice"] == "all") & (rows["metric"] == "f1")]
    by_time = f1[(f1["split"] == "R2") & (f1["method"] == "itemcf")]["value"].iloc[0]
    assert published._means(kept)["small", "itemcf", "f1"] == pytest.approx(by_time, rel=1e-5)


def test_a_file_from_before_the_split_was_told_is_read(both, tmp_path) -> None:
    file = tmp_path / "reference.csv"
    old = compare.tidy(both)
    old = old[old["split"] == "R1"].drop(columns="split")
    old.to_csv(file, index=False)
    assert set(published.with_split(old)["split"]) == {"R1"}
    one = compare.plan("small", ["popularity", "itemcf"], ["R1"])
    compare.refer(one, file)
    assert len(pd.read_csv(file)) == len(old)


def test_masked_is_only_said_where_something_was_left_out(home, small_dataset) -> None:
    from dataclasses import replace

    again = replace(small_dataset, info=replace(small_dataset.info, name="again", repeatable=True))
    for dataset, masked in ((small_dataset, {True, False}), (again, {False})):
        ref = snapshots.write(dataset).ref
        made = compare.plan(ref, ["popularity"])
        compare.run(made, apart=False)
        rows = compare.tidy(made)
        lists = rows[rows["protocol"] == "R2"]
        assert set(lists["masked"]) == masked
        read = published.headline(lists)
        assert set(read["masked"]) == {max(masked)} and "warm" in set(read["slice"]) | {"warm"}


def test_a_report_shows_pairs_lists_and_sources(both) -> None:
    titles = [t.title for t in report_tables.tables(both)]
    assert {"Yes or no, R1: one product drawn at random", "What is shown, R2"} <= set(titles)
    for suffix in (".md", ".html"):
        text = report.to_bytes(both, suffix).decode()
        assert "Where the methods are from" in text
        assert origins.source("itemcf").split(",")[0] in text
    rows = compare.tidy(both)
    mine = rows[(rows["protocol"] == "P") & (rows["split"] == "R2") & (rows["slice"] == "natural")]
    value = mine[(mine["method"] == "itemcf") & (mine["metric"] == "pr_auc")]["value"].iloc[0]
    table = next(t for t in report_tables.tables(both) if t.title.startswith("Yes or no, R2: all"))
    assert any(f"{value:.4f}" in row for row in table.cells)
    own = mine[(mine["method"] == "itemcf") & (mine["metric"] == "precision")].iloc[0]
    row = dict(zip(table.names, next(r for r in table.cells if "Item" in r[0]), strict=True))
    assert row["95 % of Precision"] == f"{own['low']:.4f} to {own['high']:.4f}"
    assert {"95 % of Recall", "95 % of F1", "Brier", "ECE"} <= set(row)


def test_ownership_stands_beside_persistence(monkeypatch, both) -> None:
    block = {"accuracy": 0.99, "precision": 0.8, "recall": 0.9, "f1": 0.85}
    whole = {**block, "persistence": {**block, "f1": 0.84}, "never": {"accuracy": 0.98},
             "taken": {"f1": 0.1}}  # fmt: skip
    first = both.done[0].result()
    told = {**first, "metrics": {**first["metrics"], "O": whole}}
    monkeypatch.setattr("finrec.pipeline.cells.Cell.result", lambda cell: told)
    table = next(t for t in report_tables.tables(both) if t.title == "Ownership, O")
    assert [row[0] for row in table.cells] == [
        "Persistence: what is held now", "Never: nobody holds anything", "Popularity",
        "Item-based CF",
    ]  # fmt: skip
    slices = compare.tidy(both).query("protocol == 'O'")["slice"]
    assert {"all", "persistence", "never", "taken"} == set(slices)
    assert not compare.tidy(both).query("protocol == 'O'")["masked"].any()
    assert compare.tidy(both).query("protocol == 'P'")["masked"].all()


def test_the_papers_tables_stand_beside_ours_in_markdown_and_html(home, small_dataset) -> None:
    from dataclasses import replace

    asked = replace(small_dataset, info=replace(small_dataset.info, name="senate"))
    made = compare.plan(snapshots.write(asked).ref, ["popularity", "robo_advisor"])
    assert compare.run(made, apart=False) == []
    table = next(t for t in report_tables.tables(made) if t.title.startswith("The paper's table 1"))
    mine = [row for row in table.cells if row[0] == "Jung et al. (2018)"]
    f1 = compare.tidy(made).query(
        "protocol == 'P' and slice == 'all' and method == 'robo_advisor' and metric == 'f1'"
    )
    ours = f"{100 * f1['value'].iloc[0]:.2f}"
    assert any("84.46" in row and ours in row and "Robo-advisor" in row for row in mine)
    assert "customers" in table.note, "why they can't be compared"
    for suffix in (".md", ".html"):
        text = report.to_bytes(made, suffix).decode()
        assert "84.46" in text and all(
            f"The paper&#x27;s table {n} " in text or f"The paper's table {n} " in text
            for n in (1, 2, 3, 4)
        )


def test_stand_ins_are_named() -> None:
    assert "stand-in for Zhang" in origins.source("sasrec")
    near = published.beside(pd.DataFrame())
    zhang = near[near["method"] == "Zhang et al. (2019)"]
    assert set(zhang["here"]) == {"SASRec, a stand-in"}
    jung = near[near["method"] == "Jung et al. (2018)"]
    assert set(jung["here"]) == {"Robo-advisor"}
    table = origins.table(["sasrec", "itemcf"]).set_index("Method")
    assert table.loc["SASRec", "Stands in for"] == "Zhang et al. (2019), a survey"
    assert table.loc["SASRec", "Source"].startswith("Kang and McAuley (2018)")
    assert table["Stands in for"].iloc[1] == ""


def test_a_report_says_what_was_ranked_and_why_a_robo_advisor_is_popularity(
    home, small_dataset
) -> None:
    from dataclasses import replace

    again = replace(small_dataset, info=replace(small_dataset.info, name="again", repeatable=True))
    for dataset, ranked in ((small_dataset, report.RANKED), (again, report.RANKED_AGAIN)):
        made = compare.plan(snapshots.write(dataset).ref, ["popularity", "robo_advisor"])
        assert compare.run(made, apart=False) == []
        for suffix in (".md", ".html"):
            text = report.to_bytes(made, suffix).decode()
            assert ranked in text and "R1, leave one out" not in text
            assert "robo-advisor ranks as popularity" in text
        assert 'aria-label="Yes or no, R2: all products not taken"' in text
