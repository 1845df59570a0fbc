"""Rolling-origin backtest: month by month, a method that has learned from the past of that month.

One split may be lucky. Here every month in turn is the test: settings may be chosen on the month
before, and nothing of the month or after it is known (Tashman, 2000).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from finrec.evaluation import protocols, significance
from finrec.schema import DROPPED, HELD, KIND, TIME, DataError, Dataset
from finrec.scorer import Scorer
from finrec.split import Split, by_time

LEAST = 20  # acquisitions that a month must have to be tested
ONE_MONTH = pd.DateOffset(months=1)
SLACK = pd.Timedelta(days=5)  # by which a month's last event varies


@dataclass(frozen=True)
class Month:
    """One origin: the split that tests this month, and nothing after it.

    Args:
        start: first day of the month.
        split: validation is the month before, training everything earlier.
    """

    start: pd.Timestamp
    split: Split


def months(dataset: Dataset, last: int = 6) -> list[pd.Timestamp]:
    """First days of the last so many months that can be tested, the earliest first.

    A month needs ``LEAST`` acquisitions, acquisitions in the month before, and events before that.
    The last month counts only when it is whole, which the data's own spacing decides: when they
    reach its last days, or as far into it as into the months before. So a monthly panel dated on
    the 1st (or any other day) has its last month, while of daily data that end on the 1st that
    month has only begun.

    Raises:
        DataError: when there is none.
    """
    times = dataset.events[TIME]
    taken = times[~dataset.events[KIND].isin([DROPPED, HELD])]
    counts = taken.dt.to_period("M").value_counts().sort_index()
    first = times.min()
    found = []
    for period, count in counts.items():
        start = period.start_time
        before = counts.get(period - 1, 0)
        if count >= LEAST and before > 0 and first < start - ONE_MONTH and _whole(times, start):
            found.append(start)
    if not found:
        raise DataError(
            f"{dataset.info.name} has no month with {LEAST} acquisitions and two months of past; "
            "a backtest needs at least three months of dated events."
        )
    return found[-last:]


def _whole(times: pd.Series, start: pd.Timestamp) -> bool:
    """Whether the data go on to about where this month's events end."""
    end = times.max()
    if end >= start + ONE_MONTH - SLACK:
        return True
    earlier = times[times < start]
    reached = earlier.groupby(earlier.dt.to_period("M")).max().dt.day
    return bool(end >= start + pd.Timedelta(days=float(reached.median()) - 1) - SLACK)


def origins(dataset: Dataset, starts: Sequence[pd.Timestamp]) -> Iterator[Month]:
    """The split of each month; events after a month are not even handed over."""
    for start in starts:
        past = dataset.events[dataset.events[TIME] < start + ONE_MONTH]
        cut = replace(dataset, events=past.reset_index(drop=True))
        yield Month(start, by_time(cut, start - ONE_MONTH, start))


def backtest(
    dataset: Dataset,
    fit: Callable[[Split], Scorer],
    starts: Sequence[pd.Timestamp],
    progress: Callable[[pd.Timestamp], None] = lambda start: None,
) -> pd.DataFrame:
    """One row a month and metric: ``month``, ``cases``, ``learned``, ``metric``, ``value``, ...

    Args:
        dataset: the data; its list lengths are used, products held are left out of lists.
        fit: given a month's split, learns from ``split.test.train`` (settings chosen on
            ``split.valid``) and returns what scores.
        starts: from :func:`months`.
        progress: told of each month before it is learned.

    Returns:
        ``learned`` is the number of training events; ``low`` and ``high`` bound the 95 % interval
        over customers.
    """
    rows = []
    for month in origins(dataset, starts):
        progress(month.start)
        cut = month.split
        cases = cut.test.cases
        found = protocols.ranking(fit(cut), cases, dataset.info.ks, True, cut.repeatable)
        codes = pd.factorize(cases.customers.ids)[0]
        for name in found.per_case.columns:
            values = found.per_case[name].to_numpy(dtype=np.float64)
            interval = significance.bootstrap(values, codes, resamples=500)
            rows.append(
                {
                    "month": month.start,
                    "cases": len(cases),
                    "learned": len(cut.test.train),
                    "metric": str(name),
                    "value": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                }
            )
    return pd.DataFrame(rows)
