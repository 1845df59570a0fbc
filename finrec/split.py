"""Cut a data set into what is learned from and what is held out, without leaking either way.

Protocol R1 (:func:`leave_one_out`): a customer's last event is test, the one before validation.
It leaks time: a product's popularity after the test event of one customer is known through the
others. It is kept because published figures use it.
Protocol R2 (:func:`by_time`): one date for everybody. Settings are chosen with a model that has
seen nothing after date A; the tested model is fitted again, with those settings, on everything
before date B.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from finrec.profiles import then
from finrec.schema import (
    BASKET,
    CUSTOMER,
    DROPPED,
    FOLD,
    HELD,
    KIND,
    ORDER,
    PRODUCT,
    TIME,
    DataError,
    Dataset,
    DatasetInfo,
    no_links,
)
from finrec.scorer import Catalogue, Cohort, cohort, events_of, seconds

FoldName = Literal["valid", "test"]


@dataclass(frozen=True)
class Cases:
    """Held-out cases: for each, the customer as known before and what was then acquired.

    Args:
        customers: C customers, each as known just before the case; an id may stand more than
            once (one case a basket).
        offsets: int64 [C + 1] into ``relevant``.
        relevant: catalogue index of each product acquired, int64.
        allowed: bool [C, N], what could be offered, where the source says so; else None.
    """

    customers: Cohort
    offsets: np.ndarray
    relevant: np.ndarray
    allowed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.customers)

    def take(self, rows: np.ndarray) -> Cases:
        """The cases at these rows, in this order."""
        chosen = np.arange(len(self))[rows]
        offsets, index = events_of(self.offsets, chosen)
        allowed = None if self.allowed is None else self.allowed[chosen]
        return Cases(self.customers.take(chosen), offsets, self.relevant[index], allowed)

    def relevance(self, n_products: int) -> np.ndarray:
        """What was acquired, bool [C, N]."""
        mask = np.zeros((len(self), n_products), dtype=bool)
        mask[np.repeat(np.arange(len(self)), np.diff(self.offsets)), self.relevant] = True
        return mask


@dataclass(frozen=True)
class Fold:
    """What one evaluation may learn from (``train``, a part of the events table) and its cases."""

    train: pd.DataFrame
    cases: Cases
    until: pd.Timestamp


@dataclass(frozen=True)
class Split:
    """Validation and test folds of a data set under one protocol.

    Args:
        protocol: R1 or R2.
        description: one sentence for people, with the dates.
        catalogue: order of products in every score matrix.
        customers: the customers table, as it was before what is held out.
        valid: settings are chosen here.
        test: looked at once.
        repeatable: whether products in the history may be offered again.
        later: under R2 every event from the validation date on, drops too; read by protocol O
            alone, nothing may learn from it. None under R1.
        links: between customers: SOURCE, TARGET, KIND, WEIGHT; undated, and taken as always known.
        regime: state of the economy by the day from which it was known; None without.
    """

    protocol: str
    description: str
    catalogue: Catalogue
    customers: pd.DataFrame
    valid: Fold
    test: Fold
    repeatable: bool
    later: pd.DataFrame | None = None
    links: pd.DataFrame = field(default_factory=no_links)
    regime: pd.DataFrame | None = None

    def fold(self, name: FoldName) -> Fold:
        """The fold of that name."""
        return self.valid if name == "valid" else self.test


def split(dataset: Dataset, protocol: str | None = None) -> Split:
    """Split by the protocol given, or by the data set's own headline protocol."""
    chosen = protocol or dataset.info.protocol
    if chosen == "R1":
        return leave_one_out(dataset)
    if chosen != "R2":
        raise DataError(f"Protocol {chosen!r} is unknown; choose R1 or R2.")
    if FOLD in dataset.events.columns:
        return declared(dataset)
    events = dataset.events
    taken = ~events[KIND].isin([DROPPED, HELD]).to_numpy()
    whose = events.loc[events[KIND] != DROPPED, CUSTOMER]
    return by_time(dataset, *dates(dataset.info, events[TIME], taken, whose))


def dates(
    info: DatasetInfo, times: pd.Series, taken: np.ndarray, customers: pd.Series | None = None
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Where validation and test begin under R2: as the data set says, else by its events.

    Args:
        info: of the data set.
        times: of all its events.
        taken: bool, whether something was taken then: neither dropped nor seen as held.
        customers: of events not dropped, to say whether the other protocol is a remedy.

    Raises:
        DataError: when there are too few events or dates.
    """
    if len(info.split) == 2:
        first, second = info.split
        return pd.Timestamp(first), pd.Timestamp(second)
    # No dates given: the last tenth of events is test, the tenth before it validation, moved so
    # that each has a date of its own however few dates there are.
    days = times.dt.normalize()
    ours = days[taken]
    if len(days) and ours.empty:
        raise DataError(
            f"Nothing is taken in {info.name}: each of its {len(days):,} events is of something "
            "given up or only seen as held. Give more months, or say which column tells what was "
            "done."
        )
    distinct = np.unique(ours[ours > days.min()].to_numpy())  # something is known before each
    if len(days) < 10 or len(distinct) < 2:
        raise DataError(
            f"{info.name} has {len(days)} events on too few dates to split by time; "
            "a split needs at least ten events, and products taken on two dates after the first. "
            f"Give more months{_or_leave_one_out(customers)}."
        )
    ordered = np.sort(ours.to_numpy())
    cuts = [ordered[int(len(ordered) * share)] for share in (0.8, 0.9)]
    valid = min(max(cuts[0], distinct[0]), distinct[-2])
    test = max(cuts[1], distinct[distinct > valid][0])
    return pd.Timestamp(valid), pd.Timestamp(test)


def _or_leave_one_out(customers: pd.Series | None) -> str:
    """The other protocol as a remedy, where it is one."""
    enough = customers is not None and (customers.value_counts() >= 3).any()
    return ", or choose leaving one out (R1)" if enough else ""


def leave_one_out(dataset: Dataset) -> Split:
    """Protocol R1: last event test, last but one validation, for customers with three or more.

    An event by which a product was given up is not foretold, and counts for neither.
    """
    events = dataset.events.sort_values([CUSTOMER, TIME, ORDER], kind="stable")
    taken = (events[KIND] != DROPPED).astype(int)
    # Events to foretell from each on, itself among them, of the same customer.
    still = taken[::-1].groupby(events[CUSTOMER][::-1], sort=False).cumsum()[::-1].to_numpy()
    after = still - taken.to_numpy()
    long_enough = taken.groupby(events[CUSTOMER], sort=False).transform("sum").to_numpy() >= 3
    if not long_enough.any():
        raise DataError(
            f"No customer of {dataset.info.name} has three events, which leaving one out (R1) "
            "needs; give longer histories, or split by time (R2), which needs ten events and "
            "products taken on two dates after the first."
        )
    last, before = (long_enough & (still == n) & (after == n - 1) for n in (1, 2))
    train = events[~long_enough | (after >= 2)]
    catalogue, people = Catalogue(dataset.products), then(dataset, None)
    until = pd.Timestamp(train[TIME].max())
    folds = []
    for held_out, known in ((before, train), (last, events[~long_enough | (after >= 1)])):
        target = events[held_out]
        customers = cohort(
            target[CUSTOMER].to_numpy(),
            known,
            people,
            catalogue,
            seconds(target[TIME]),
            dataset.links,
        )
        cases = Cases(
            customers, np.arange(len(target) + 1), catalogue.index(target[PRODUCT]).astype(np.int64)
        )
        folds.append(Fold(train, cases, until))
    many = f"{int(last.sum()):,} customers"
    told = f"the last event of each of {many} is test, the one before it validation; times " \
        "overlap between customers."  # fmt: skip
    if events[TIME].nunique() == 1:
        told = f"one event of each of {many} is test, another validation; the data have no " \
            "dates that would say which came last."  # fmt: skip
    return Split(
        "R1",
        f"Leave one out: {told}",
        catalogue,
        people,
        folds[0],
        folds[1],
        dataset.info.repeatable,
        links=dataset.links,
        regime=dataset.extra.get("regime"),
    )


def by_time(dataset: Dataset, valid_from: pd.Timestamp, test_from: pd.Timestamp) -> Split:
    """Protocol R2: validation from date A, test from date B, the same for everybody."""
    times = dataset.events[TIME]
    fold = np.where(times < valid_from, "train", np.where(times < test_from, "valid", "test"))
    return _temporal(dataset, dataset.events.assign(**{FOLD: fold}), valid_from, test_from)


def declared(dataset: Dataset) -> Split:
    """Protocol R2 with the source's own split, told by the column FOLD."""
    events = dataset.events
    starts = events.groupby(FOLD)[TIME].min()
    for name in ("train", "valid", "test"):
        if name not in starts.index:
            raise DataError(f"Column fold of {dataset.info.name} never says {name!r}; add it.")
    return _temporal(dataset, events, starts["valid"], starts["test"])


def _temporal(
    dataset: Dataset, events: pd.DataFrame, valid_from: pd.Timestamp, test_from: pd.Timestamp
) -> Split:
    # As known before the validation date: what is told later may tell what was taken.
    catalogue, people = Catalogue(dataset.products), then(dataset, valid_from)
    folds = {}
    for name, known_folds, moment in (
        ("valid", ["train"], valid_from),
        ("test", ["train", "valid"], test_from),
    ):
        known = events[events[FOLD].isin(known_folds)]
        taken = ~events[KIND].isin([DROPPED, HELD])  # only what was taken can be foretold
        held_out = events[(events[FOLD] == name) & taken]
        if held_out.empty or known.empty:
            raise DataError(
                f"The split of {dataset.info.name} at {valid_from:%Y-%m-%d} and "
                f"{test_from:%Y-%m-%d} leaves no events to {name if len(known) else 'learn from'}; "
                "choose other dates."
            )
        when = next_moment(known[TIME], moment)
        cases = _cases(dataset, known, held_out, people, catalogue, when)
        folds[name] = Fold(known.drop(columns=FOLD), cases, moment)
    return Split(
        "R2",
        f"By time: settings chosen on {valid_from:%Y-%m-%d} to {test_from:%Y-%m-%d} with what was "
        f"known before, tested once on what came after {test_from:%Y-%m-%d}.",
        catalogue,
        people,
        folds["valid"],
        folds["test"],
        dataset.info.repeatable,
        events[events[FOLD] != "train"].drop(columns=FOLD),
        dataset.links,
        dataset.extra.get("regime"),
    )


def next_moment(known: pd.Series, earliest: pd.Timestamp) -> pd.Timestamp:
    """The moment that is asked about: the next at which an event can be seen.

    Where events are told once a month, the next ones are a month after the last, however early
    the question is asked; a network that has learned from monthly gaps would otherwise be asked
    about a gap of a day.

    Args:
        known: times of all events known, datetime64.
        earliest: not before this.
    """
    days = np.unique(known.to_numpy().astype("datetime64[D]"))
    if len(days) < 2:
        return earliest
    steps = np.sort(np.diff(days))
    usual = steps[(len(steps) - 1) // 2]  # the lower median
    return max(earliest, pd.Timestamp(days[-1] + usual))


def _cases(
    dataset: Dataset,
    known: pd.DataFrame,
    held_out: pd.DataFrame,
    customers: pd.DataFrame,
    catalogue: Catalogue,
    moment: pd.Timestamp,
) -> Cases:
    unit = BASKET if BASKET in held_out.columns else CUSTOMER
    first = held_out.drop_duplicates(unit).sort_values([TIME, ORDER], kind="stable")
    row = pd.Index(first[unit]).get_indexer(pd.Index(held_out[unit]))
    pairs = pd.DataFrame({"row": row, "product": catalogue.index(held_out[PRODUCT])})
    pairs = pairs.drop_duplicates().sort_values(["row", "product"])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(pairs["row"], minlength=len(first)))])
    people = first[CUSTOMER].drop_duplicates()
    distinct = cohort(people.to_numpy(), known, customers, catalogue, moment, dataset.links)
    asked = distinct.take(pd.Index(people).get_indexer(pd.Index(first[CUSTOMER])))
    allowed = None
    if dataset.candidates is not None and unit == BASKET:
        listed = dataset.candidates
        where = pd.Index(first[BASKET]).get_indexer(pd.Index(listed[BASKET]))
        inside = where >= 0
        if inside.any():
            allowed = np.zeros((len(first), len(catalogue)), dtype=bool)
            allowed[where[inside], catalogue.index(listed[PRODUCT])[inside]] = True
            # A case without a list is offered everything.
            allowed[~allowed.any(axis=1)] = True
    return Cases(
        asked, offsets.astype(np.int64), pairs["product"].to_numpy(dtype=np.int64), allowed
    )


def with_catalogue(cases: Cases, allowed: np.ndarray | None) -> Cases:
    """The same cases with another set of products that may be offered."""
    return replace(cases, allowed=allowed)
