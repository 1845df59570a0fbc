"""The weight of the graph's paths is chosen on validation, and never makes that worse."""

import pytest

from finrec import presets
from finrec.evaluation import protocols
from finrec.split import split
from finrec.training import assemble, fit, paths


@pytest.fixture
def fitted(small_dataset):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
        model={"width": 16}, train={"epochs": 2},
    )  # fmt: skip
    cut = split(small_dataset)
    given, histories = assemble.inputs(cut, "valid", settings)
    return fit.fit(given, histories, settings, None, epochs=2).scorer, cut


def test_choice_is_the_protocols_own_figure_and_no_worse_than_off(fitted):
    scorer, cut = fitted
    before = protocols.ranking(scorer, cut.valid.cases, (3,), True, False).mean()["ndcg@3"]
    found = paths.choose(scorer, cut.valid.cases, True, 3)
    after = protocols.ranking(scorer, cut.valid.cases, (3,), True, False).mean()["ndcg@3"]
    assert found["ndcg_without"] == pytest.approx(before, abs=1e-6)
    assert found["ndcg"] == pytest.approx(after, abs=1e-6)
    assert after >= before


def test_copy_gives_another_network_the_same_choice(fitted):
    scorer, cut = fitted
    paths.choose(scorer, cut.valid.cases, True, 3)
    given, histories = assemble.inputs(
        cut, "test", presets.settings(cut_info(cut), "small@0", "quick", parts="+gnn",
                                      model={"width": 16})
    )  # fmt: skip
    other = fit.fit(
        given, histories,
        presets.settings(cut_info(cut), "small@0", "quick", parts="+gnn", device="cpu",
                         model={"width": 16}, train={"epochs": 1}),
        None, epochs=1,
    ).scorer  # fmt: skip
    paths.copy(scorer, other)
    for name in ("strength", "sharpness", "decay"):
        assert getattr(other.network.paths, name) == getattr(scorer.network.paths, name)


def cut_info(cut):
    from finrec.schema import DatasetInfo

    return DatasetInfo(name="small", title="Small", protocol=cut.protocol)
