"""What came back: accepted offers as labels of the next run, and a new run judged on the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from finrec import records
from finrec import snapshots as store
from finrec.pipeline import answering
from finrec.pipeline.standing import stand
from finrec.schema import BASKET, CUSTOMER, FOLD, ORDER, PRODUCT, TIME, DataError, Dataset
from finrec.serving import offpolicy
from finrec.serving.offpolicy import Comparison
from finrec.serving.recommender import Recommender
from finrec.snapshots import Snapshot
from finrec.split import split

FEWEST = 30  # logged decisions that say anything


@dataclass(frozen=True)
class Accepted:
    """Accepted offers that can become labels.

    Args:
        events: as in an events table, and ``record``.
        known: how many more the snapshot holds already.
        strange: how many more are of products that the snapshot does not list.
    """

    events: pd.DataFrame
    known: int
    strange: int


@dataclass(frozen=True)
class Estimates:
    """A run judged on logged decisions.

    Args:
        comparison: IPS, SNIPS and DR beside what was logged.
        run: that was judged.
        left_out: logged decisions without propensity, customer or product that it knows.
        sentence: for people.
    """

    comparison: Comparison
    run: str
    left_out: int
    sentence: str


def feedback(snapshot: str) -> Accepted:
    """Accepted offers of this data set that its snapshot does not hold."""
    found = store.find(snapshot)
    return _accepted(found, found.load())


def _accepted(snapshot: Snapshot, dataset: Dataset) -> Accepted:
    found = records.labels(snapshot.ref)
    listed = found[PRODUCT].isin(dataset.products[PRODUCT])
    have = pd.MultiIndex.from_frame(dataset.events[[CUSTOMER, PRODUCT]])
    if dataset.info.repeatable:  # an older purchase of the same product is another one
        later = dataset.events.merge(found, on=[CUSTOMER, PRODUCT], suffixes=("", " said"))
        later = later[later[TIME] >= later[f"{TIME} said"]]
        have = pd.MultiIndex.from_frame(later[[CUSTOMER, PRODUCT]])
    known = pd.MultiIndex.from_frame(found[[CUSTOMER, PRODUCT]]).isin(have)
    learned = snapshot.lineage.get("feedback", {}).get("until")
    if learned:
        known |= (found[TIME] <= pd.Timestamp(learned)).to_numpy()
    fresh = found[listed & ~known].reset_index(drop=True)
    return Accepted(fresh, int((listed & known).sum()), int((~listed).sum()))


def with_feedback(snapshot: str) -> Snapshot:
    """A new snapshot that holds the accepted offers as acquisitions, to be learned from.

    By its date an acceptance is newer than everything that is held out, and a split by time would
    never learn from it. The new snapshot therefore says itself what is learned from: its own dates
    decide for all other events, acceptances are learned from, and customers who accepted
    something are learned from whole and not tested on, so that no test sees its own future.
    Acceptances are dated the day after the data's last day at the latest.
    Without dates to split by (leave one out) an acceptance is the customer's newest event and is
    held out until another follows it.

    Raises:
        DataError: when nothing was accepted that the snapshot lacks.
    """
    old = store.find(snapshot)
    dataset = old.load()
    accepted = _accepted(old, dataset)
    fresh = accepted.events.drop(columns="record")
    if fresh.empty:
        raise DataError(
            f"No accepted offer is new to {old.ref}"
            + (f" ({accepted.known} are in it already)" if accepted.known else "")
            + "; record acceptances first."
        )
    events = dataset.events
    # On the data's own clock: what was accepted long after its last day would leave a hole in it.
    fresh[TIME] = fresh[TIME].clip(upper=events[TIME].max() + pd.Timedelta(days=1))
    fresh[ORDER] = np.arange(len(fresh)) + int(events[ORDER].max() if len(events) else 0) + 1
    if dataset.info.protocol == "R2":
        events = _dated(dataset)
        fresh[FOLD] = "train"
        theirs = events[CUSTOMER].isin(fresh[CUSTOMER])
        for name in ("valid", "test"):
            if not ((events[FOLD] == name) & ~theirs).any():
                raise DataError(
                    "Every customer of the held-out period accepted an offer, so that none is "
                    "left to test on; ingest newer data instead."
                )
        events = events.assign(**{FOLD: events[FOLD].where(~theirs, "train")})
    if BASKET in events.columns:
        fresh[BASKET] = ["feedback-" + r for r in accepted.events["record"]]
    both = pd.concat([events, fresh], ignore_index=True).astype(events.dtypes.to_dict())
    candidates = dataset.candidates
    new = Dataset(
        dataset.info, dataset.customers, dataset.products, both, dataset.links, candidates,
        dataset.extra,
    )  # fmt: skip
    lineage = {
        **old.lineage,
        "feedback": {
            "from": old.ref,
            "labels": len(fresh),
            "customers": int(fresh[CUSTOMER].nunique()),
            "source": "accepted offers recorded in the app",
            "until": str(accepted.events[TIME].max()),
        },
    }
    lineage.pop("who", None)
    lineage.pop("replaces", None)
    return store.write(new, lineage)


def _dated(dataset: Dataset) -> pd.DataFrame:
    """The events with a column FOLD, as the data set's own split has them."""
    if FOLD in dataset.events.columns:
        return dataset.events
    parts = split(dataset, "R2")
    times = dataset.events[TIME]
    fold = np.where(
        times < parts.valid.until, "train", np.where(times < parts.test.until, "valid", "test")
    )
    return dataset.events.assign(**{FOLD: pd.Series(fold, index=dataset.events.index, dtype="str")})


def off_policy(run: str | Recommender, since: pd.Timestamp | None = None) -> Estimates:
    """What a run's best offers would have earned on the decisions that were logged.

    A decision is a product that was recorded as shown in the first place with a propensity; it was
    taken up when the same customer accepted the same product later. What the customer was like then
    is read from the snapshot of the log, where it is still here.

    Raises:
        DataError: when the log holds too few decisions.
    """
    recommender = answering.load(run) if isinstance(run, str) else run
    log, left_out = _decisions(recommender, since)
    if len(log) < FEWEST:
        raise DataError(
            f"The records hold {len(log)} decisions with a propensity that this run can judge; "
            f"{FEWEST} or more are needed. Show offers and record what came of them."
        )
    n = len(recommender.catalogue)
    new, model = np.zeros((len(log), n), np.float32), np.zeros((len(log), n), np.float32)
    nothing = records.find(limit=0)
    for ref, part in log.groupby("snapshot"):
        then = _as_of(recommender, str(ref))
        part = part[part[CUSTOMER].isin(then.known)]
        people = list(dict.fromkeys(part[CUSTOMER]))
        for start in range(0, len(people), 1024):
            some = people[start : start + 1024]
            at = stand(then, some, past=nothing)
            mine = part[part[CUSTOMER].isin(some)]
            rows = mine.index.to_numpy()
            where = pd.Index(some).get_indexer(pd.Index(mine[CUSTOMER]))
            masked = np.where(at.gate.allowed, at.probability, -1.0)
            best, offers = masked.argmax(1)[where], (masked.max(1) >= 0)[where]
            new[rows[offers], best[offers]] = 1.0
            model[rows] = at.take_up[where]
    offered = recommender.catalogue.index(log[PRODUCT])
    reward = log["taken"].to_numpy(np.float64)
    scaled = _scaled(model, offered, reward, log[CUSTOMER].to_numpy())
    supported = None
    if (log["propensity"] >= 1).all():  # a log without chance knows only what it did
        supported = np.zeros((len(log), n), bool)
        supported[np.arange(len(log)), offered] = True
    found = offpolicy.estimate(
        new, offered, log["propensity"].to_numpy(np.float64), reward, scaled,
        log[CUSTOMER].to_numpy(), supported,
    )  # fmt: skip
    by = {e.method: e for e in found.estimates}
    told = by["DR"]
    sentence = (
        f"{recommender.run.id} would have had {told.value:.2%} of its first offers taken up "
        f"(95 % interval {told.low:.2%} to {told.high:.2%}); as logged: {by['as logged'].value:.2%}"
        f", from {found.decisions:,} decisions worth {found.effective:,.0f}."
    )
    if not found.trustworthy:
        sentence += (
            " The log says too little about what this run would do differently: let some first "
            "places be drawn at random (explore, in the policy) and wait."
        )
    return Estimates(found, recommender.run.id, left_out, sentence)


def _as_of(recommender: Recommender, ref: str) -> Recommender:
    """The run with the data that a decision was made on, where that is still here."""
    if ref == recommender.snapshot.ref:
        return recommender
    try:
        snapshot = store.find(ref)
    except DataError:
        return recommender
    return replace(recommender, snapshot=snapshot)


def _decisions(recommender: Recommender, since: pd.Timestamp | None) -> tuple[pd.DataFrame, int]:
    found = records.find(kinds=("shown", "accepted"), limit=None,
                         since=None if since is None else since.to_pydatetime())  # fmt: skip
    found = found[~found["undone"].astype(bool)]
    accepted = found[found["kind"] == "accepted"]
    last = accepted.groupby([CUSTOMER, PRODUCT])["time"].max()
    shown = found[(found["kind"] == "shown") & (found["rank"] == 1)]
    learned = recommender.snapshot.lineage.get("feedback", {}).get("until")
    if learned:  # a run is not judged on answers that it has learned
        shown = shown[shown["time"] > pd.Timestamp(learned)]
    name = recommender.snapshot.ref.partition("@")[0]
    ours = (
        shown["propensity"].notna()
        & shown[CUSTOMER].isin(recommender.known)
        & (recommender.catalogue.index(shown[PRODUCT]) >= 0)
        & (shown["snapshot"].str.split("@").str[0] == name)
    )
    log = shown[ours].sort_values("time", kind="stable").reset_index(drop=True)
    # One list looked at again is one decision: only the last before an answer may be taken up.
    log = log.drop_duplicates([CUSTOMER, PRODUCT], keep="last").reset_index(drop=True)
    pairs = pd.MultiIndex.from_frame(log[[CUSTOMER, PRODUCT]])
    when = last.reindex(pairs).to_numpy()
    taken = ~pd.isna(when) & (when >= log["time"].to_numpy())
    return log.assign(taken=taken), len(shown) - len(log)


def _scaled(
    model: np.ndarray, offered: np.ndarray, reward: np.ndarray, customer: np.ndarray
) -> np.ndarray:
    """The model's take-up scaled to the log's level, each half of customers by the other's."""
    _, person = np.unique(customer, return_inverse=True)
    fold = person % 2
    out = model.astype(np.float64)
    own = model[np.arange(len(offered)), offered]
    for half in (0, 1):
        other = fold != half
        expected = float(own[other].sum())
        if expected > 0:
            out[fold == half] *= float(reward[other].sum()) / expected
    return np.clip(out, 0, 1)
