"""Top layers of the text encoder that learn along with the recommender, and named encoders."""

import json

import numpy as np
import pytest

from finrec import presets
from finrec.schema import DataError
from finrec.split import split
from finrec.training import assemble, fit, runs
from tests.test_cli import call


def settings(small, **model):
    return presets.settings(
        small.info, "x@0", "quick", "+tl", train={"epochs": 2}, model={"width": 16, **model}
    )


def test_top_layers_learn_and_the_saved_run_scores_the_same(home, small_dataset):
    chosen = settings(small_dataset, text_layers=1)
    parts = split(small_dataset)
    given, histories = assemble.inputs(parts, "valid", chosen)
    fitted = fit.fit(given, histories, chosen, validate=None, epochs=2)
    moved = np.abs(fitted.scorer.given.texts - given.texts).max()
    assert moved > 1e-4 and fitted.scorer.given.encoder is None
    run = runs.write("living", fitted.scorer, chosen, {}, {})
    people = parts.valid.cases.customers
    np.testing.assert_allclose(run.scorer().score(people), fitted.scorer.score(people), atol=1e-5)


def test_a_large_catalogue_or_too_many_layers_are_refused(home, small_dataset, monkeypatch):
    parts = split(small_dataset)
    with pytest.raises(DataError, match="text_layers"):
        assemble.inputs(parts, "valid", settings(small_dataset, text_layers=12))
    with monkeypatch.context() as ids_alone, pytest.raises(DataError, match="only ids"):
        ids_alone.setattr(assemble.text, "anonymous", lambda texts: True)
        assemble.inputs(parts, "valid", settings(small_dataset, text_layers=1))
    monkeypatch.setattr(assemble, "MOST_LIVING", 3)
    with pytest.raises(DataError, match="more than 3"):
        assemble.inputs(parts, "valid", settings(small_dataset, text_layers=1))


def test_an_encoder_from_scratch_by_command_is_read_by_the_recommender(
    home, small_dataset, tmp_path
):
    text = tmp_path / "words.txt"
    lines = [f"Account {i} pays {i % 7} percent on savings kept for {i % 5} years." for i in range(200)]  # fmt: skip # noqa: E501
    text.write_text("\n\n".join(lines))
    tiny = ("epochs=1", "words=120", "width=16", "layers=1", "heads=2")
    sets = [part for one in tiny for part in ("--set", one)]
    code, out, err = call("pretrain", "general", text, "--name", "own", *sets, "--json")
    assert code == 0, err
    found = json.loads(out.splitlines()[-1])
    assert found["metrics"]["pretrained"]["perplexity"] > 1
    chosen = settings(small_dataset, text_encoder="own")
    given, _ = assemble.inputs(split(small_dataset), "valid", chosen)
    assert given.texts.shape[1] == 16
    code, out, err = call("pretrain", "general", text, "--name", "own", *sets)
    assert code == 2 and "exists already" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("pretrain", "magic", ".", "--name", "x"), "Stage 'magic' is unknown"),
        (("pretrain", "general", "no/such", "--name", "x"), "does not exist"),
        (("pretrain", "finetune", ".", "--name", "x"), "--label"),
        (("pretrain", "adapt", ".", "--name", "../x"), "no name of an encoder"),
        (("pretrain", "adapt", ".", "--name", "x", "--start", "ghost"), "neither a folder"),
        (("pretrain", "adapt", ".", "--name", "x", "--set", "speed=9"), "give one of"),
        (("pretrain", "adapt", ".", "--name", "x", "--set", "epochs=0"), "epochs"),
    ],
)
def test_bad_input_is_one_sentence(home, arguments, says):
    code, _, err = call(*arguments)
    assert code == 2 and says in err and "Traceback" not in err
