"""Groups: what the page shows is what was measured; small groups and old models are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finrec import pipeline, schema, snapshots
from finrec.evaluation import groups as measure
from finrec.figures import formats
from finrec.pipeline import groups
from tests.app.conftest import Screen, calm, texts, tiny, turned


@pytest.fixture(scope="module")
def grouped(shared_home: Path, small_dataset: schema.Dataset) -> Any:
    """A tiny model whose levelling was measured on groups of eight and more."""
    snapshots.write(small_dataset, {"source": "tests", "files": []})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "LEAST", 8)
        return pipeline.train(tiny("baseline"))


def test_page_says_when_no_group_is_large_enough(screen: Screen, grouped: Any) -> None:
    app = calm(screen("groups"))
    assert "gives two groups of at least 50 test cases" in texts(app)


def test_page_shows_what_the_pipeline_measured(screen: Screen, grouped: Any) -> None:
    app = screen("groups")
    app = calm(app.number_input(key="least").set_value(8).run())
    app = calm(app.selectbox(key="group column").select("occupation").run())
    cases = groups.tested(grouped.id, 8)
    assert cases is not None
    assert list(app.selectbox(key="group column").options) == [
        formats.words(c) for c in cases.columns
    ]
    expected = groups.served(cases, "occupation", cases.headline, 8)
    assert expected.gap is not None
    assert f"highest for {expected.gap.best} and lowest for {expected.gap.worst}" in texts(app)
    shown = groups.exposed(grouped.id, "occupation", 5, 8)
    assert shown.frame.groupby("group")["share"].sum().tolist() == pytest.approx(
        [1.0] * shown.frame["group"].nunique()
    )
    assert formats.counted(shown.customers, "customer") in texts(app)


def test_quality_by_group_adds_up_to_the_runs_own_figure(grouped: Any) -> None:
    cases = groups.tested(grouped.id, 1)
    assert cases is not None
    found = groups.served(cases, "occupation", cases.headline, 1)
    own = grouped.metrics["R2"]["masked"][cases.headline]
    assert (found.frame["mean"] * found.frame["cases"]).sum() / found.frame[
        "cases"
    ].sum() == pytest.approx(own)
    assert found.mean == pytest.approx(own)


def test_strength_is_said_with_its_cost(screen: Screen, grouped: Any) -> None:
    app = screen("groups")
    app.number_input(key="least").set_value(8).run()
    app.selectbox(key="group column").select("occupation").run()
    app = calm(app.select_slider(key="levelling strength").set_value(1.0).run())
    row = grouped.metrics["levelling"]["occupation"]["strengths"][-1]
    assert formats.markdown(formats.metric(row["ndcg"])) in texts(app)
    assert "exposure gap goes from" in texts(app)


def test_model_without_metrics_of_each_case_asks_to_train_again(
    screen: Screen, grouped: Any
) -> None:
    file = grouped.path / "per_case.parquet"
    kept = file.read_bytes()
    file.unlink()
    try:
        app = calm(screen("groups"))
    finally:
        file.write_bytes(kept)
    assert "Train it again" in texts(app)


def test_compare_shows_the_three_variants_of_yes_and_no(screen: Screen, grouped: Any) -> None:
    app = turned(screen("compare"), "compare section", "Yes or no")
    shown = next(d.value for d in app.dataframe if "Answers" in d.value.columns)
    assert len(shown) == 9
    found = grouped.metrics["P"]["variants"]["natural"]
    assert "All products not taken" in app.selectbox(key="answers variant").options
    assert shown["F1"].iloc[6] == found["f1"]
    assert formats.markdown(formats.share(found["ece"], 2)) in texts(app)
