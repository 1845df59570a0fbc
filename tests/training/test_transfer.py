"""Behaviour that is transferred: hidden events filled in, layers of another run."""

import numpy as np
import pytest
import torch

from finrec import presets
from finrec.features import sequences
from finrec.schema import CheckpointError
from finrec.scorer import cohort
from finrec.split import split
from finrec.training import assemble, fit, runs, transfer


def made(dataset, parts="+gnn", **train):
    settings = presets.settings(
        dataset.info,
        "x@0",
        "quick",
        parts,
        train={"epochs": 2, "batch": 16, **train},
        model={"width": 16},
    )
    given, histories = assemble.inputs(split(dataset), "valid", settings)
    return settings, given, histories


def test_filling_in_reads_both_ways_but_never_the_hidden_product(small_dataset):
    settings, given, histories = made(small_dataset)
    net = assemble.network(given, settings).eval()
    encoded = sequences.encode(histories, given.customers)
    row = int(np.argmax(histories.lengths))
    batch = sequences.batch(encoded, np.array([row]), 20)
    events = torch.nn.functional.embedding(batch.products, net.products())
    start = net.profile(batch.numbers, batch.categories)
    states = net.behaviour.both_ways(start, events, batch)
    changed = events.clone()
    changed[0, -1] = torch.randn(16)
    assert not torch.allclose(net.behaviour.both_ways(start, changed, batch)[0, 1], states[0, 1])
    mask = torch.zeros(16)
    torch.manual_seed(0)
    one = transfer._fill_in(net, batch, mask)
    torch.manual_seed(0)
    hidden = (torch.rand(batch.real().shape) < transfer.HIDDEN) & batch.real()
    shown = torch.where(hidden[..., None], mask, events)
    states = net.behaviour.both_ways(start, shown, batch)[:, 1:][hidden]
    logits = states @ net.products().T + net.bias
    logits[:, ~net.known] = float("-inf")  # nobody's negative
    expected = torch.nn.functional.cross_entropy(logits, batch.products[hidden])
    torch.testing.assert_close(one, expected)


def test_filling_in_never_reads_padding(small_dataset):
    settings, given, histories = made(small_dataset)
    net = assemble.network(given, settings).eval()
    encoded = sequences.encode(histories, given.customers)
    short, long = (int(np.argsort(histories.lengths)[place]) for place in (0, -1))
    found = []
    for rows in ([short], [short, long]):
        batch = sequences.batch(encoded, np.array(rows), 20)
        events = torch.nn.functional.embedding(batch.products, net.products())
        start = net.profile(batch.numbers, batch.categories)
        found.append(
            net.behaviour.both_ways(start, events, batch)[0, : histories.lengths[short] + 1]
        )
    assert histories.lengths[short] < histories.lengths[long]
    torch.testing.assert_close(*found)


def test_no_padding_is_filled_in(small_dataset, monkeypatch):
    monkeypatch.setattr(transfer, "HIDDEN", 1.0)
    settings, given, histories = made(small_dataset)
    net = assemble.network(given, settings).eval()
    encoded = sequences.encode(histories, given.customers)
    rows = np.argsort(histories.lengths)[[0, -1]]
    mask = torch.randn(16)
    each = [
        float(transfer._fill_in(net, sequences.batch(encoded, part, 50), mask).detach())
        for part in (rows[:1], rows[1:], rows)
    ]
    assert each[2] == pytest.approx(np.average(each[:2], weights=histories.lengths[rows]), rel=1e-4)


def test_loss_of_hidden_events_falls_and_is_repeatable(small_dataset):
    settings, given, histories = made(small_dataset, rate=5e-3)
    encoded = sequences.encode(histories, given.customers)
    curves = []
    for _ in range(2):
        torch.manual_seed(0)
        net = assemble.network(given, settings)
        curves.append(transfer.masked_events(net, encoded, settings, 12))
    assert curves[0] == curves[1] and curves[0][-1] < 0.99 * curves[0][0]


def test_layers_are_kept_and_what_belongs_to_a_product_begins_anew(small_dataset):
    settings, given, histories = made(small_dataset)
    net = assemble.network(given, settings)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    encoded = sequences.encode(histories, given.customers)
    transfer.masked_events(net, encoded, settings, 1)
    changed = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    assert changed and all(k.startswith(transfer.SHARED) for k in changed)
    part = split(small_dataset)
    first = part.valid.train.drop_duplicates("customer_id")
    alone = cohort(histories.ids, first, part.customers, part.catalogue, part.valid.until)
    assert set(alone.lengths) == {1}
    kept = {k: v.clone() for k, v in net.state_dict().items()}
    assert transfer.masked_events(net, sequences.encode(alone, given.customers), settings, 1) == []
    assert all(torch.equal(v, kept[k]) for k, v in net.state_dict().items())


def test_without_texts_tl_means_behaviour(small_dataset):
    settings, given, _ = made(small_dataset)
    assert transfer.passes(settings, None) == 0
    assert transfer.passes(settings, np.ones((3, 2))) == 0
    assert transfer.passes(settings, np.zeros((3, 2))) == transfer.PLAIN_PASSES
    told, _, _ = made(small_dataset, masked_passes=1)
    assert transfer.passes(told, None) == 1


def test_layers_of_another_run_are_taken_over_and_a_misfit_is_named(home, small_dataset):
    settings, given, histories = made(small_dataset)
    first = fit.fit(given, histories, settings, validate=None, epochs=1)
    runs.write("first", first.scorer, settings, {}, {})
    net = assemble.network(given, settings)
    names = transfer.begin_with(net, "first")
    theirs = first.scorer.network.state_dict()
    assert names and all(torch.equal(net.state_dict()[n], theirs[n]) for n in names)
    assert not torch.equal(net.embedding, first.scorer.network.embedding)
    wider = presets.settings(small_dataset.info, "x@0", "quick", "+gnn", model={"width": 32})
    with pytest.raises(CheckpointError, match="model.width"):
        transfer.begin_with(assemble.network(given, wider), "first")


@pytest.mark.parametrize(
    "other",
    [{"pre_norm": False}, {"layers": 2}, {"decoder_layers": 0}, {"heads": 4}],
    ids=str,
)
def test_layers_of_a_run_that_is_built_otherwise_are_refused(home, small_dataset, other):
    settings, given, histories = made(small_dataset)
    first = fit.fit(given, histories, settings, validate=None, epochs=1)
    runs.write("first", first.scorer, settings, {}, {})
    shape = {**settings.model.model_dump(), **other}
    told = settings.model_copy(update={"model": type(settings.model)(**shape)})
    (name,) = other
    with pytest.raises(CheckpointError, match=f"model.{name} of first is"):
        transfer.begin_with(assemble.network(given, told), "first")


def test_fit_begins_with_it_and_a_resumed_fit_does_not_again(home, small_dataset, tmp_path):
    from finrec.training.checkpoint import Checkpoints

    settings, given, histories = made(small_dataset, masked_passes=1)
    told = []
    store = Checkpoints(tmp_path / "c")
    whole = fit.fit(given, histories, settings, None, epochs=2, progress=told.append)
    assert sum(e["event"] == "pretraining" for e in told) > 0
    first = []
    with pytest.raises(fit.Cancelled):
        fit.fit(given, histories, settings, None, epochs=2, checkpoints=store,
                progress=first.append,
                cancelled=lambda: sum(e["event"] == "step" for e in first) > 3)  # fmt: skip
    again = []
    resumed = fit.fit(given, histories, settings, None, epochs=2, checkpoints=store,
                      progress=again.append)  # fmt: skip
    for a, b in zip(whole.scorer.network.parameters(), resumed.scorer.network.parameters(), strict=True):  # fmt: skip  # noqa: E501
        torch.testing.assert_close(a, b)


def test_filling_in_counts_as_time_of_learning(small_dataset, monkeypatch):
    settings, given, histories = made(small_dataset, masked_passes=1)

    def slow(*_):
        clock[0] += 1000.0
        return []

    clock = [0.0]
    monkeypatch.setattr(fit.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(transfer, "masked_events", slow)
    assert fit.fit(given, histories, settings, None, epochs=1).seconds == 1000.0
