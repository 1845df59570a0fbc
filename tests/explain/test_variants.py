"""Variants of a customer: attributes made unknown, paths not counted, vectors kept while valid."""

import itertools

import numpy as np
import pytest
import torch

from finrec import presets
from finrec.explain import counterfactual, variants
from finrec.explain.variants import Change
from finrec.networks.relations import CustomerNode
from finrec.split import split
from finrec.training import assemble, fit


@pytest.fixture(scope="module")
def fitted(small_dataset):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
        model={"width": 16, "dropout": 0.1}, train={"epochs": 6, "batch": 8},
    )  # fmt: skip
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    scorer = fit.fit(given, histories, settings, None, epochs=6).scorer
    with torch.no_grad():  # so that attributes decide something
        for table in scorer.network.profile.categories:
            table.weight.mul_(20)
    scorer.network.paths.strength.fill_(2.0)
    scorer.network.paths.sharpness.fill_(20.0)
    scorer.network.paths.decay.fill_(0.8)
    return scorer, histories


def test_vectors_are_kept_until_a_weight_changes(fitted):
    scorer, _ = fitted
    before = variants.vectors(scorer)
    assert variants.vectors(scorer) is before
    with torch.no_grad():
        scorer.network.embedding[3] += 1.0
    after = variants.vectors(scorer)
    assert not torch.allclose(before[3], after[3])
    torch.testing.assert_close(after, scorer.network.products().detach())
    with torch.no_grad():
        scorer.network.embedding[3] -= 1.0


def test_an_attribute_made_unknown_is_a_customer_without_it(fitted):
    scorer, histories = fitted
    one = histories.take([4])
    found = variants.changed(scorer, one, [Change(), Change(attributes=("age", "student"))], 2)
    bare = histories.take([4])
    bare.profile["age"] = np.nan
    bare.profile["student"] = None
    np.testing.assert_allclose(found[0], scorer.score(one)[0], atol=1e-5)
    np.testing.assert_allclose(found[1], scorer.score(bare)[0], atol=1e-5)
    assert abs(found[0] - found[1]).max() > 1e-4


def test_a_path_left_out_changes_the_offer_alone_and_by_what_it_brought(fitted):
    scorer, histories = fitted
    one = histories.take([int(np.argmax(histories.lengths))])
    offer = next(
        p for p in range(12) if (variants.path_weights(scorer, one.products, p) > 0).sum() >= 2
    )
    weights = variants.path_weights(scorer, one.products, offer)
    own = int(one.products[np.argmax(weights)])
    plain, less = variants.changed(scorer, one, [Change(), Change(paths=(own,))], offer)
    changed = np.flatnonzero(~np.isclose(plain, less, atol=1e-6))
    assert changed.tolist() == [offer]
    kept = weights[one.products != own].sum()
    fall = 2.0 * (np.log1p(20 * weights.sum()) - np.log1p(20 * kept))
    assert plain[offer] - less[offer] == pytest.approx(fall, abs=1e-4)
    with torch.inference_mode():  # the walk counted here is the network's own
        batch_walk = variants.path_score(scorer, one.products, offer)
    strength = scorer.network.paths.strength.clone()
    scorer.network.paths.strength.fill_(0.0)
    assert plain[offer] - scorer.score(one)[0, offer] == pytest.approx(batch_walk, abs=1e-4)
    scorer.network.paths.strength.copy_(strength)


def test_counterfactuals_over_attributes_and_paths_are_verified(fitted):
    scorer, histories = fitted
    kinds = set()
    for row, kind in itertools.product(range(40), ("attributes", "paths")):
        one = histories.take([row])
        allowed = ~one.seen(12)[0]
        if not allowed.any():
            continue
        offer = int(np.argmax(np.where(allowed, scorer.score(one)[0], -np.inf)))
        found = counterfactual.fewest_removals(scorer, one, offer, allowed, 1, over=(kind,))
        assert found.places == ()
        if found.verified:
            kinds |= {"attributes"} if found.attributes else set()
            kinds |= {"paths"} if found.paths else set()
            change = Change(attributes=found.attributes, paths=found.paths)
            scores = variants.changed(scorer, one, [change], offer)[0]
            assert (scores[allowed] >= scores[offer]).sum() == found.rank > 1
    assert kinds == {"attributes", "paths"}


def test_a_link_left_out_is_the_node_without_the_product_and_the_sequence_with_it(
    fitted, monkeypatch
):
    scorer, histories = fitted
    row = int(np.argmax(histories.lengths))
    one = histories.take([row])
    own = int(one.products[0])
    plain, less = variants.changed(scorer, one, [Change(), Change(links=(own,))], 2)
    assert np.abs(plain - less).max() > 1e-5
    np.testing.assert_allclose(scorer.score(one)[0], plain, atol=1e-5)  # nothing stays hidden
    whole, seen = CustomerNode.last, []
    watch = lambda node, a, b, real, c=None: (seen.append(real), whole(node, a, b, real, c))[1]  # noqa: E731
    monkeypatch.setattr(CustomerNode, "last", watch)
    variants.changed(scorer, one, [Change(links=(own,))], 2)
    gone = ~seen[0][0].numpy()
    assert gone[1:].tolist() == (one.products == own).tolist() and not gone[0]


def test_counterfactuals_over_links_are_verified(fitted):
    scorer, histories = fitted
    node, found_any = scorer.network.node.project.weight, 0
    before = node.detach().clone()
    with torch.no_grad():  # so that links decide something
        node.mul_(10)
    for row in range(40):
        one = histories.take([row])
        allowed = ~one.seen(12)[0]
        if not allowed.any():
            continue
        offer = int(np.argmax(np.where(allowed, scorer.score(one)[0], -np.inf)))
        found = counterfactual.fewest_removals(scorer, one, offer, allowed, 1, over=("links",))
        assert found.places == found.paths == ()
        if found.verified:
            found_any += 1
            scores = variants.changed(scorer, one, [Change(links=found.links)], offer)[0]
            assert (scores[allowed] >= scores[offer]).sum() == found.rank > 1
    with torch.no_grad():
        node.copy_(before)
    assert found_any >= 2


def test_what_the_beam_finds_is_verified_needed_and_near_the_smallest(fitted, monkeypatch):
    scorer, histories = fitted
    larger = checked = 0
    for row in np.flatnonzero(histories.lengths >= 4)[:20]:
        one = histories.take([int(row)])
        allowed = ~one.seen(12)[0]
        offer = int(np.argmax(np.where(allowed, scorer.score(one)[0], -np.inf)))
        monkeypatch.setattr(counterfactual, "EFFORT", 12_000)
        best = counterfactual.fewest_removals(scorer, one, offer, allowed, 2)
        count = len(one.products)
        monkeypatch.setattr(  # singles exhaustively, the rest by beam
            counterfactual, "EFFORT", 2 * count * (count + counterfactual.OVERHEAD)
        )
        found = counterfactual.fewest_removals(scorer, one, offer, allowed, 2)
        if not found.verified:
            assert found.places == () and found.minimal == best.minimal or not found.minimal
            continue
        checked += 1
        scores = variants.changed(scorer, one, [Change(events=found.places)], offer)[0]
        assert (scores[allowed] >= scores[offer]).sum() == found.rank > 2
        assert len(found.places) >= len(best.places)
        larger += len(found.places) > len(best.places)
        if found.minimal:
            assert len(found.places) == len(best.places)
        if found.needed:
            for place in found.places:
                fewer = tuple(p for p in found.places if p != place)
                scores = variants.changed(scorer, one, [Change(events=fewer)], offer)[0]
                assert not fewer or (scores[allowed] >= scores[offer]).sum() <= 2
    assert checked >= 5 and larger <= checked // 4
