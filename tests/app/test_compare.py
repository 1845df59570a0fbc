"""Compare: reference results as committed, comparisons of one's own, two models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finrec import snapshots
from finrec.figures import comparison, formats
from finrec.pipeline import compare, comparing, gains, published, report
from finrec.schema import DataError
from tests.app.conftest import Screen, calm, texts
from tests.figures.test_reference import ROWS


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of results with the paper's tables and no reference results yet."""
    paper = (published.RESULTS / "paper.csv").read_bytes()
    (tmp_path / "paper.csv").write_bytes(paper)
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    return tmp_path / "reference.csv"


def opened(screen: Screen, part: str) -> Any:
    app = screen("compare")
    app.session_state["compare part"] = part
    return app.run()


def test_missing_reference_results_are_said(screen: Screen, results: Path) -> None:
    app = calm(opened(screen, "Reference results"))
    assert "reference.csv is missing" in texts(app)
    assert "none of these cells is measured" in texts(app)


def test_reference_results_are_drawn_as_they_stand_in_the_file(
    screen: Screen, results: Path
) -> None:
    ROWS.to_csv(results, index=False)
    app = calm(opened(screen, "Reference results"))
    assert app.selectbox(key="reference metric").value == "ndcg@3"
    assert "Popularity with 0\\.5000" in texts(app)
    app = calm(app.selectbox(key="reference slice").select("cold").run())
    assert "Popularity with 0\\.1000" in texts(app)
    assert app.selectbox(key="reference slice").options == ["All", "New"]
    app = calm(app.selectbox(key="reference protocol").select("P").run())
    assert app.selectbox(key="reference metric").value == "f1"
    more = pd.concat([ROWS, ROWS[ROWS["method"] == "popularity"].assign(method="new", value=0.9)])
    more.to_csv(results, index=False)
    app = calm(app.selectbox(key="reference protocol").select("R2").run())
    assert "new with 0\\.9000" in texts(app), "a changed file is read again"


def test_thirty_thousand_rows_are_drawn(screen: Screen, results: Path) -> None:
    parts = [ROWS.assign(method=f"method {i}", metric=f"ndcg@{j}", value=i / 70)
             for i in range(60) for j in range(30)]  # fmt: skip
    pd.concat(parts).to_csv(results, index=False)
    assert sum(map(len, parts)) > 30_000
    app = calm(opened(screen, "Reference results"))
    app = calm(app.selectbox(key="reference metric").select("ndcg@7").run())
    assert app.selectbox(key="reference metric").value == "ndcg@7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "lacks dataset"),
        ("", "No columns"),
        (ROWS.assign(value="good").to_csv(index=False), "row 2, value: 'good' is no number"),
        (ROWS.assign(masked="perhaps").to_csv(index=False), "masked is not always True or False"),
    ],
)
def test_damaged_reference_results_are_one_sentence(results: Path, text: str, said: str) -> None:
    results.write_text(text)
    with pytest.raises(DataError, match=said):
        published.reference()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the comparisons that the page has asked to be begun, without a process."""
    names: list[str] = []
    monkeypatch.setattr(comparing, "start", names.append)
    return names


def test_comparison_is_begun_from_the_form(
    screen: Screen, small_dataset: Any, begun: list[str]
) -> None:
    snapshots.write(small_dataset, {"source": "tests", "files": []})
    app = calm(opened(screen, "Comparisons"))
    assert "No comparison of this data is made yet." in texts(app)
    assert "12 measurements; this takes about" in texts(app), "four variants, three seeds"
    app = calm(app.radio(key="methods group").set_value("some").run())
    assert "Choose at least one method" in texts(app)
    app.multiselect(key="methods chosen").set_value(["popularity", "markov"]).run()
    app = calm(next(b for b in app.button if b.label == "Start the comparison").click().run())
    (made,) = compare.comparisons()
    assert begun == [made.name]
    assert [(c.method, c.protocol) for c in made.cells] == [("popularity", "R2"), ("markov", "R2")]
    assert "0 of 2 measurements made" in texts_of_progress(app)


def texts_of_progress(app: Any) -> str:
    return "\n".join(str(p.proto.text) for p in app.get("progress"))


def test_comparison_is_read_gone_on_with_and_deleted(
    screen: Screen, small_dataset: Any, begun: list[str]
) -> None:
    snapshots.write(small_dataset, {"source": "tests", "files": []})
    made = compare.plan("small", ["popularity", "markov"])
    compare.run(compare.Comparison(made.name, made.cells[:1], made.created), apart=False)
    app = calm(opened(screen, "Comparisons"))
    assert "1 of 2 measurements made" in texts_of_progress(app)
    first = made.cells[0].result()["metrics"]["R2"]["masked"]["ndcg@3"]
    assert formats.markdown(f"Best: Popularity with {first:.4f}") in texts(app)
    app = calm(app.button(key=f"go on {made.name}").click().run())
    assert begun == [made.name]
    compare.run(made, apart=False)
    app = calm(app.run())
    assert "Not done yet" not in texts(app)
    assert app.selectbox(key="method metric").value == "ndcg@3"
    app = calm(app.button(key=f"delete {made.name}").click().run())
    assert compare.comparisons() == []
    assert "No comparison of this data is made yet." in texts(app)


def test_one_comparison_beside_another(
    screen: Screen, small_dataset: Any, begun: list[str]
) -> None:
    snapshots.write(small_dataset, {"source": "tests", "files": []})
    older = compare.plan("small", ["popularity"])
    compare.run(older, apart=False)
    app = calm(opened(screen, "Comparisons"))
    app.radio(key="methods group").set_value("some").run()
    app.multiselect(key="methods chosen").set_value(["popularity", "markov"]).run()
    app = calm(next(b for b in app.button if b.label == "Start the comparison").click().run())
    (newer,) = begun
    assert app.selectbox(key="comparison").value == newer, "one of its cells was there before"
    compare.run(compare.find(newer), apart=False)
    app = calm(app.run())
    assert app.selectbox(key="comparison").options == [newer, older.name]
    app = calm(app.button(key=f"delete {newer}").click().run())
    assert app.selectbox(key="comparison").value == older.name
    page = report.to_bytes(older, ".html").decode()
    assert older.name in page and "https://" not in page.partition("<body>")[2]


def test_who_gains_is_found_and_opened_without_an_address(
    screen: Screen, small_dataset: Any, begun: list[str]
) -> None:
    ref = snapshots.write(small_dataset, {"source": "tests", "files": []}).ref
    made = compare.plan("small", ["popularity", "markov"])
    compare.run(made, apart=False)
    app = calm(opened(screen, "Comparisons"))
    key = f"{made.name} R2"
    app.selectbox(key=f"{key} before").select("popularity").run()
    app = calm(app.selectbox(key=f"{key} after").select("markov").run())
    first, second = gains.of_comparison(made, "R2")
    found = gains.moved(ref, "R2", first, second, "ndcg@3")
    assert f"{found.gained} customers gain" in texts(app)
    best = found.frame["customer_id"].iloc[0]
    assert app.selectbox(key=f"{key} customer").value == best
    app = calm(app.button(key=f"{key} open").click().run())
    assert app.title[0].value == "Customers"
    assert app.selectbox(key="customer").value == best
    assert best not in str(dict(app.query_params).values())


def test_a_clicked_bar_takes_the_others_place(
    screen: Screen, trained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = calm(screen("compare"))
    sides = gains.of_runs(trained, "R2")
    assert [s.key for s in sides] == ["baseline|quick", "+gnn|quick"]
    assert app.selectbox(key="models before").value != app.selectbox(key="models after").value
    figure = comparison.bars(comparison.measured(trained, "R2"), "ndcg@3")
    assert {"baseline|quick", "+gnn|quick", "popularity|"} <= set(figure.data[0].customdata)
    app = calm(app.selectbox(key="view").select("unmasked").run())
    assert "Who gains and who loses" not in texts(app), "cases are kept for one view"


def test_two_models_are_set_against_each_other(screen: Screen, trained: list[Any]) -> None:
    app = calm(opened(screen, "Two models"))
    assert {app.selectbox(key="versus one").value, app.selectbox(key="versus other").value} == {
        r.id for r in trained
    }
    shown = app.dataframe[0].value.set_index("Setting")
    assert sorted(shown.index) == ["parts", "train.seed"]
    assert "2 passes, best" in texts(app)
    assert "Probabilities are off on average by" in texts(app)
    same = app.selectbox(key="versus one").value
    app = calm(app.selectbox(key="versus other").select(same).run())
    assert "Choose two different models." in texts(app)
