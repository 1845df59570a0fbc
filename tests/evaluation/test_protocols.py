"""Protocols: what is ranked, slices, references, thresholds; and that nothing leaks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from finrec.baselines.popularity import Popularity
from finrec.evaluation import pointwise, protocols
from finrec.schema import CUSTOMER, ORDER, PRODUCT, TIME, DataError
from finrec.split import leave_one_out, split


class Knows:
    """Scores what is relevant highest: an upper bound that only a test may build."""

    def __init__(self, cases, n):
        self.truth = {
            (c, tuple(p)): t
            for c, p, t in zip(
                cases.customers.ids,
                [cases.customers.take([i]).products for i in range(len(cases))],
                cases.relevance(n),
                strict=True,
            )
        }

    def score(self, customers):
        rows = [(c, tuple(customers.take([i]).products)) for i, c in enumerate(customers.ids)]
        return np.array([self.truth[r] for r in rows], dtype=np.float32)


def test_a_scorer_that_knows_the_answer_gets_one_and_a_constant_one_gets_least(small_dataset):
    cut = split(small_dataset)
    n = len(cut.catalogue)
    cases = cut.test.cases
    best = protocols.ranking(Knows(cases, n), cases, (n,), True, False)
    assert best.mean()[f"ndcg@{n}"] > 0.7  # several relevant products tie with one another

    class Constant:
        def score(self, customers):
            return np.zeros((len(customers), n), np.float32)

    worst = protocols.ranking(Constant(), cases, (1,), True, False)
    assert worst.mean()["hr@1"] == 0


def test_masking_takes_the_history_out_of_the_list(small_dataset):
    cut = split(small_dataset)
    cases = cut.test.cases
    n = len(cut.catalogue)
    offered = protocols.offered(cases, n, True)
    assert (offered == ~cases.customers.seen(n)).all()
    assert protocols.offered(cases, n, False).all()


def test_batches_do_not_change_figures(small_dataset):
    cut = split(small_dataset)
    popular = Popularity().fit(cut.test, cut)
    whole = protocols.ranking(popular, cut.test.cases, (3,), True, False)
    pieces = protocols.ranking(popular, cut.test.cases, (3,), True, False, batch=7)
    pd.testing.assert_frame_equal(whole.per_case, pieces.per_case)


def test_evaluate_reports_both_views_the_references_and_protocol_p(small_dataset):
    cut = split(small_dataset)
    popular = Popularity().fit(cut.test, cut)
    done = protocols.evaluate(lambda fold: popular, cut, small_dataset.info, {"pop": popular})
    found = done.metrics
    assert len(done.per_case) == len(cut.test.cases)
    assert done.per_case["ndcg@5"].mean() == pytest.approx(found["R2"]["masked"]["ndcg@5"])
    assert set(found) == {"R2", "P"}
    assert found["R2"]["masked"] == found["R2"]["references"]["pop"]["masked"]
    assert {"hr@3", "ndcg@5", "mrr"} <= set(found["R2"]["unmasked"])
    assert found["P"]["always_yes"]["precision"] == pytest.approx(0.5)


def test_a_case_is_of_a_new_product_when_nobody_had_any_of_what_was_taken(small_dataset):
    cut = split(small_dataset)
    cases = replace(
        cut.test.cases.take(np.arange(4)),
        offsets=np.array([0, 1, 3, 4, 6]),
        relevant=np.array([0, 2, 1, 2, 2, 3]),  # 0 | 2, 1 | 2 | 2, 3
    )
    known = np.array([True, True, False, False])
    assert protocols.all_new(cases, known).tolist() == [False, False, True, True]


def test_cases_of_new_products_are_measured_apart_where_there_are_some(small_dataset):
    cut = split(small_dataset)
    popular = Popularity().fit(cut.test, cut)
    plain = protocols.evaluate(lambda fold: popular, cut, small_dataset.info, {})
    assert "new product" not in plain.metrics["R2"]["slices"], "here everything was sold before"
    first = cut.test.cases.relevant[cut.test.cases.offsets[:-1]]
    new = first[0]
    held_out = small_dataset.events[TIME] >= cut.test.until
    before = small_dataset.events[PRODUCT] == cut.catalogue.ids[new]
    later = split(replace(small_dataset, events=small_dataset.events[held_out | ~before]))
    popular = Popularity().fit(later.test, later)
    done = protocols.evaluate(lambda fold: popular, later, small_dataset.info, {})
    found = done.metrics["R2"]["slices"]["new product"]
    cases = later.test.cases
    alone = [
        set(cases.relevant[a:b]) == {later.catalogue.index(np.array([cut.catalogue.ids[new]]))[0]}
        for a, b in zip(cases.offsets[:-1], cases.offsets[1:], strict=True)
    ]
    assert found["cases"] == sum(alone) > 0
    assert found["hr@3"] == done.per_case.loc[alone, "hr@3"].mean()


def test_threshold_maximises_f1_where_it_is_chosen():
    truth = np.array([True, False, True, True, False, False])
    score = np.array([0.9, 0.8, 0.7, 0.7, 0.2, 0.1])
    assert pointwise.best_threshold(truth, score) == 0.7  # 3 of 4 yes: F1 6/7


def test_popularity_by_hand(small_dataset):
    cut = split(small_dataset)
    fold = cut.valid
    counts = fold.train[PRODUCT].value_counts()
    scores = Popularity().fit(fold, cut).score(cut.valid.cases.customers)
    assert scores[0].tolist() == [counts.get(p, 0) for p in cut.catalogue.ids]
    late = fold.train[fold.train[TIME] >= fold.until - pd.Timedelta(days=90)]
    recent = Popularity(90).fit(fold, cut).score(cut.valid.cases.customers)
    assert np.floor(recent[0]).tolist() == [(late[PRODUCT] == p).sum() for p in cut.catalogue.ids]


def test_replacing_what_is_held_out_changes_nothing_that_is_learned_from(small_dataset):
    cut = split(small_dataset)
    held_out = small_dataset.events[TIME] >= pd.Timestamp("2024-07-01")
    events = small_dataset.events.copy()
    events.loc[held_out, PRODUCT] = "P01"
    other = split(replace(small_dataset, events=events))
    pd.testing.assert_frame_equal(cut.valid.train, other.valid.train)
    for name in ("ids", "offsets", "products", "kinds", "times"):
        mine = getattr(cut.valid.cases.customers, name)
        assert len(mine) == len(getattr(other.valid.cases.customers, name))
    assert (cut.valid.train[TIME] < cut.valid.until).all()
    assert (cut.test.train[TIME] < cut.test.until).all()
    assert (cut.test.cases.customers.times < cut.test.until.timestamp()).all()


def test_leave_one_out_holds_out_the_last_two_events_of_each(small_dataset):
    cut = leave_one_out(small_dataset)
    events = small_dataset.events.sort_values([CUSTOMER, TIME, ORDER])
    for fold, place in ((cut.valid, -2), (cut.test, -1)):
        for i, customer in enumerate(fold.cases.customers.ids):
            own = events[events[CUSTOMER] == customer]
            expected = own[PRODUCT].tolist()
            assert cut.catalogue.ids[fold.cases.relevant[i]] == expected[place]
            seen = cut.catalogue.ids[fold.cases.customers.take([i]).products].tolist()
            assert seen == expected[:place]
    assert len(cut.valid.train) == len(events) - 2 * len(cut.test.cases)


@pytest.mark.parametrize("months", [3, 4, 5, 9, 24])
def test_few_months_still_give_three_parts(small_dataset, months):
    rng = np.random.default_rng(months)
    ids = small_dataset.customers[CUSTOMER].to_numpy()
    rows = [
        (ids[i % len(ids)], f"P{rng.integers(1, 13):02d}", pd.Timestamp(2023, 1, 28)
         + pd.DateOffset(months=m), "held" if m == 0 else "acquired", np.nan, m)
        for m in range(months)
        for i in range(40)
    ]  # fmt: skip
    events = pd.DataFrame(rows, columns=[CUSTOMER, PRODUCT, TIME, "kind", "amount", ORDER])
    cut = split(replace(small_dataset, info=replace(small_dataset.info, split=()), events=events))
    assert len(cut.valid.train) and len(cut.valid.cases) and len(cut.test.cases)
    assert cut.valid.until < cut.test.until <= events[TIME].max()
    with pytest.raises(DataError, match="two dates after the first"):
        few = events[events[ORDER] < 2]
        split(replace(small_dataset, info=replace(small_dataset.info, split=()), events=few))
