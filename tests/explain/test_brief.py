"""Briefs cite only what exists, keep still on forbidden topics, and never tell of few people."""

import json

import numpy as np
import pandas as pd
import pytest

from finrec import presets
from finrec.explain import addition, brief, codes, explanation, paths, variants, why_not
from finrec.features.company import Company
from finrec.schema import PolicyError
from finrec.serving.recommender import offerable
from finrec.split import split
from finrec.training import assemble, fit


def company(scorer, histories):
    return Company.of(histories, len(scorer.given.catalogue))


@pytest.fixture(scope="module")
def fitted(small_dataset):
    settings = presets.settings(
        small_dataset.info, "small@0", "quick", parts="+gnn", device="cpu",
        model={"width": 16, "dropout": 0.1}, train={"epochs": 8, "batch": 8},
    )  # fmt: skip
    given, histories = assemble.inputs(split(small_dataset), "valid", settings)
    scorer = fit.fit(given, histories, settings, None, epochs=8).scorer
    scorer.network.paths.strength.fill_(1.5)
    scorer.network.paths.sharpness.fill_(20.0)
    scorer.network.paths.decay.fill_(0.8)
    return scorer, histories


@pytest.fixture(scope="module")
def explained(fitted):
    scorer, histories = fitted
    found = []
    for row in range(0, len(histories), 3):
        one = histories.take([row])
        allowed = offerable(one, 12, False)[0]
        offer = int(np.argmax(np.where(allowed, scorer.score(one)[0], -np.inf)))
        product = str(scorer.given.catalogue.ids[offer])
        found.append(explanation.explain(scorer, one, product, allowed, company(scorer, histories)))
    return found


def test_every_sentence_cites_evidence_that_opens(explained):
    cited = 0
    for one in explained:
        for safe in (False, True):
            told = brief.brief(one, ("Check the term.",), safe)
            assert 1 <= len(told.sentences) <= 3
            for sentence in told.sentences:
                assert sentence.code in codes.CODES and sentence.evidence_ids
                assert set(sentence.evidence_ids) <= codes.evidence_ids(one)
                for evidence in sentence.evidence_ids:
                    row = brief.opened(one, evidence)
                    if sentence.code == "event":
                        assert row["when"] in sentence.text
                        assert row["what"].split(" (")[0] in sentence.text
                    cited += 1
            assert set(told.evidence["id"]) == {e for s in told.sentences for e in s.evidence_ids}
    assert cited > 60
    with pytest.raises(KeyError):
        brief.opened(explained[0], "event/99")


def test_the_safe_brief_has_nothing_of_others_nor_of_the_bank(explained):
    for one in explained:
        told = brief.brief(one, ("The customer is vulnerable.",), safe=True)
        page = brief.to_html(told)
        assert told.customer == "" and not told.checks and "paths" not in {
            s.code for s in told.sentences
        }  # fmt: skip
        for word in ("customers who", "score", "vulnerable", "event/"):
            assert word not in page


def test_forbidden_topics_are_never_reasons(explained):
    named = {"things": ("card", "account", "loan", "nurse", "clerk", "age", "fund", "plan")}
    every = [s.text for one in explained for s in brief.brief(one).sentences]
    assert any("card" in text or "account" in text for text in every)
    for one in explained:
        for sentence in brief.brief(one, topics=named).sentences:
            said = sentence.text.replace(one.name, "")
            assert codes.topic_of(said, named) is None
    assert codes.topic_of("diagnosis_code") == "health"
    assert codes.topic_of("Church tax") == "religion"
    assert codes.topic_of("debt collection 2024") == "hardship"
    assert codes.topic_of("skills and churches' bills account") is None
    assert codes.topic_of("Wealth plan") is None


def test_topics_are_configurable(tmp_path):
    file = tmp_path / "topics.toml"
    assert codes.load_topics(file) == codes.TOPICS
    file.write_text('politics = ["party*", "union"]\nhealth = []\n', encoding="utf-8")
    topics = codes.load_topics(file)
    assert codes.topic_of("hospital bill", topics) is None
    assert codes.topic_of("Trade union card", topics) == "politics"
    file.write_text('health = "hospital"\n', encoding="utf-8")
    with pytest.raises(PolicyError, match="topics.toml, health"):
        codes.load_topics(file)


def test_html_is_one_escaped_page_and_json_is_whole(explained):
    one = explained[0]
    evil = explanation.replace(one, name="<script>alert(1)</script>")
    page = brief.to_html(brief.brief(evil, ("a < b",)))
    assert "<script" not in page and "&lt;script&gt;" in page and "a &lt; b" in page
    assert "http" not in page and "@page" in page
    told = json.loads(brief.to_json(one, brief.brief(one)))
    assert told["product"] == one.product and len(told["events"]) == len(one.events)
    assert told["brief"]["sentences"][0]["evidence_ids"]


def test_paths_add_up_and_hide_small_groups(fitted):
    scorer, histories = fitted
    hidden = shown = 0
    for row in range(0, 40, 2):
        one = histories.take([row])
        index = one.products
        events = pd.DataFrame({"index": index, "position": np.arange(1, len(index) + 1)})
        offer = next(p for p in range(11) if p not in index)
        few = paths.paths(scorer, events, offer, company(scorer, histories))
        every = paths.paths(scorer, events, offer, company(scorer, histories), smallest=1)
        assert few["id"].tolist() == every["id"].tolist()
        assert few["share"].sum() <= 1 + 1e-6
        for a, b in zip(few["customers"], every["customers"], strict=True):
            assert a == (b if b >= 10 else 0)
            hidden, shown = hidden + (a < b), shown + (a > 0)
        for item, effect in zip(every["product_id"], every["effect"], strict=True):
            own = scorer.given.catalogue.position(item)
            changes = [variants.Change(), variants.Change(paths=(own,))]
            scored = variants.changed(scorer, one, changes, offer)[:, offer]
            assert scored[0] - scored[1] == pytest.approx(effect, abs=1e-4)
    assert hidden and shown


def test_an_addition_is_verified_and_no_smaller_one_exists(fitted):
    scorer, histories = fitted
    brought = 0
    for row in range(0, 50, 2):
        one = histories.take([row])
        allowed = offerable(one, 12, False)[0]
        scores = scorer.score(one)[0]
        order = [p for p in np.argsort(-scores) if allowed[p]]
        if len(order) < 5:
            continue
        wanted = int(order[-2])
        found = addition.fewest_additions(scorer, one, wanted, allowed, 1)
        assert found.rank_now == len(order) - 1
        if found.verified:
            brought += 1
            then = scorer.score(addition.acquired(one, [found.products], scorer.length))[0]
            open_ = allowed.copy()
            open_[list(found.products)] = False
            assert (then[open_] >= then[wanted]).sum() == found.rank <= 1
            assert wanted not in found.products
        if len(found.products) != 1:  # then none alone suffices
            for p in order:
                if p == wanted:
                    continue
                then = scorer.score(addition.acquired(one, [(int(p),)], scorer.length))[0]
                open_ = allowed.copy()
                open_[p] = False
                assert (then[open_] >= then[wanted]).sum() > 1
    assert brought >= 3


def test_why_not_keeps_reasons_apart(fitted):
    scorer, histories = fitted
    one = histories.take([8])
    allowed = offerable(one, 12, False)[0]
    scores = np.where(allowed, scorer.score(one)[0], -np.inf)
    ids = scorer.given.catalogue.ids
    best, last = int(np.argmax(scores)), int(np.argmin(np.where(allowed, scores, np.inf)))
    free = why_not.why_not(scorer, one, str(ids[best]), allowed, 3)
    assert free.offered and free.rank == 1 and free.gap.empty and free.addition is None
    gated = why_not.why_not(scorer, one, str(ids[best]), allowed, 3, ("Too young.",), ("Risky.",))
    assert gated.rank == 1 and not gated.offered
    assert (gated.eligibility, gated.suitability, gated.held) == (
        ("Too young.",),
        ("Risky.",),
        None,
    )
    low = why_not.why_not(scorer, one, str(ids[last]), allowed, 1)
    assert low.rank > 1 and not low.offered and not low.eligibility
    assert low.gap["lacks"].sum() == pytest.approx(low.needed - low.score, abs=1e-3)
    taken = int(one.products[0])
    held = why_not.why_not(scorer, one, str(ids[taken]), allowed, 3)
    assert held.held and "has it already" in held.held and held.addition is None
