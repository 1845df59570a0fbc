"""Committed figures as tables; the README's are those that are committed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from finrec.pipeline import published, reference_tables

ROOT = Path(__file__).parents[2]


def row(method: str, seed: int, metric: str, value: float, **other: object) -> dict[str, object]:
    return {"dataset": "demo", "protocol": "R2", "masked": True, "slice": "all", "method": method,
            "seed": seed, "metric": metric, "value": value, "seconds_train": 10.0 * (seed + 1),
            "seconds_score": 0.5, "parameters": 1234, **other}  # fmt: skip


def test_a_table_by_hand() -> None:
    rows = pd.DataFrame([
        row("popularity", 0, "ndcg@5", 0.1), row("popularity", 0, "hr@5", 0.2),
        row("+tl", 0, "ndcg@5", 0.2, low=0.15, high=0.25), row("+tl", 1, "ndcg@5", 0.3),
        row("+tl", 0, "ndcg@5", 0.9, masked=False), row("+tl", 0, "f1", 0.5, protocol="P"),
    ])  # fmt: skip
    lines = reference_tables.table("demo", rows).splitlines()
    assert lines[2] == (
        "| **`+tl`** | 2 | .2500 ± .0707 | .1500 to .2500 |  | .5000 | 15 | 0.5 | 1,234 |"
    )
    assert lines[3] == "| Popularity | 1 | .1000 |  | .2000 |  | 10 | 0.5 | 1,234 |"
    assert reference_tables.table("demo", rows[:0]) == ""
    text = "before\n<!-- reference:demo -->\nold\n<!-- /reference -->\nafter\n"
    made = reference_tables.into(text, rows)
    assert "old" not in made and lines[2] in made
    assert made.startswith("before\n") and made.endswith("<!-- /reference -->\nafter\n")
    assert reference_tables.into(made, rows) == made


def test_the_readme_has_what_is_committed() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {m[1] for m in reference_tables.MARK.findall(text)} == set(reference_tables.HEADLINES)
    assert reference_tables.into(text) == text, (
        "run `python -m finrec report reference --out README.md`"
    )


@pytest.mark.parametrize("name", list(reference_tables.HEADLINES))
def test_committed_figures_have_every_data_set_with_ours_and_what_makes_a_row(name: str) -> None:
    rows = published.reference()
    mine = rows[rows["dataset"] == name]
    assert {"+tl+gnn", "baseline", "popularity"} <= set(mine["method"])
    assert mine["command"].str.startswith("finrec ").all() and mine["commit"].notna().all()
    assert not mine.duplicated(["protocol", "masked", "slice", "method", "seed", "metric"]).any()
