"""Why today: what in a customer's events, attributes or records makes a call timely."""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np
import pandas as pd

from finrec.schema import AMOUNT, CUSTOMER, DROPPED, KIND, NAME, PRODUCT, TIME

TRIGGERS = ("maturing", "large_amount", "given_up", "life_event", "date", "cooled_off")
COLUMNS = (CUSTOMER, "trigger", PRODUCT, "date", "sentence", "strength")
MONTH = pd.Timedelta(days=30.4375)
TECHNICAL = ("known_at", "created", "updated", "joined", "last_day_as_primary")


def find(
    events: pd.DataFrame,
    customers: pd.DataFrame,
    products: pd.DataFrame,
    past: pd.DataFrame,
    asof: pd.Timestamp,
    term: str | None = "term",
    matures: Container[str] | None = None,
    before: pd.DataFrame | None = None,
    cooling_off: Mapping[str, int] | None = None,
    now: pd.Timestamp | None = None,
    ahead: int = 45,
    back: int = 30,
) -> pd.DataFrame:
    """Triggers of all customers: COLUMNS, the strongest first.

    Args:
        events: the events table; only what lies before ``asof`` is read.
        customers: attributes; date columns are read as dates in the customer's life.
        products: the catalogue's table.
        past: records of earlier offers.
        asof: today, for the data.
        term: column of products with the months that one runs; None: none matures.
        matures: ids of products whose end is a reason to call; None: all with a term.
        before: the customers table of an earlier snapshot; what changed since is a life event.
        cooling_off: days of rest after each kind of refusal, from the policy.
        now: today, for the records (UTC); None: now.
        ahead: days before something matures that a call is timely.
        back: days after something happened that a call is timely.
    """
    known = events[events[TIME] < asof]
    names = products.set_index(PRODUCT)[NAME]
    parts = [
        _maturing(known, products, names, asof, term, matures, ahead),
        _large(known, names, asof, back),
        _given_up(known, names, asof, back),
        _changed(customers, before, asof),
        _dated(customers, asof, back),
        _cooled(past, names, cooling_off or {}, now, back),
    ]
    found = pd.concat([p for p in parts if len(p)] or [_none()], ignore_index=True)
    return found.sort_values(
        ["strength", "date", CUSTOMER], ascending=[False, False, True], kind="stable"
    ).reset_index(drop=True)[list(COLUMNS)]


def _none() -> pd.DataFrame:
    return pd.DataFrame({c: pd.Series(dtype="object") for c in COLUMNS})


def _told(
    found: pd.DataFrame, trigger: str, sentences: list[str], strength: object
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            CUSTOMER: found[CUSTOMER].astype("str").to_numpy(),
            "trigger": trigger,
            PRODUCT: found[PRODUCT].astype("str").to_numpy(),
            "date": found["date"].to_numpy(),
            "sentence": sentences,
            "strength": strength,
        }
    )


def _maturing(
    known: pd.DataFrame,
    products: pd.DataFrame,
    names: pd.Series,
    asof: pd.Timestamp,
    term: str | None,
    matures: Container[str] | None,
    ahead: int,
) -> pd.DataFrame:
    if term is None or term not in products:
        return _none()
    months = pd.to_numeric(products.set_index(PRODUCT)[term], errors="coerce")
    last = known.sort_values(TIME, kind="stable").drop_duplicates([CUSTOMER, PRODUCT], keep="last")
    held = last[last[KIND] != DROPPED]
    if matures is not None:
        held = held[[p in matures for p in held[PRODUCT]]]
    runs = held[PRODUCT].map(months).astype("float64")  # of nobody, it would be text
    ends = held[TIME] + runs * MONTH
    soon = (runs > 0) & (ends >= asof) & (ends <= asof + pd.Timedelta(days=ahead))
    found = held[soon].assign(date=ends[soon].dt.normalize())
    sentences = [
        f"{names[p]} runs out on {d:%Y-%m-%d}" + (f" ({a:,.0f})." if pd.notna(a) and a > 0 else ".")
        for p, d, a in zip(found[PRODUCT], found["date"], found[AMOUNT], strict=True)
    ]
    return _told(found, "maturing", sentences, 1.0)


def _large(known: pd.DataFrame, names: pd.Series, asof: pd.Timestamp, back: int) -> pd.DataFrame:
    """Amounts of three times the customer's usual one (or, for a first, all customers' median)."""
    paid = known[known[AMOUNT] > 0]
    recent = paid[paid[TIME] >= asof - pd.Timedelta(days=back)]
    earlier = paid[paid[TIME] < asof - pd.Timedelta(days=back)]
    if recent.empty or earlier.empty:
        return _none()
    usual = recent[CUSTOMER].map(earlier.groupby(CUSTOMER)[AMOUNT].median())
    high = float(earlier[AMOUNT].quantile(0.95))
    large = (recent[AMOUNT] >= 3 * usual.fillna(earlier[AMOUNT].median())) & (
        recent[AMOUNT] >= high
    )
    found = recent[large].assign(date=recent.loc[large, TIME].dt.normalize())
    sentences = [
        f"Large amount on {d:%Y-%m-%d}: {a:,.0f}, {names[p]}."
        for p, d, a in zip(found[PRODUCT], found["date"], found[AMOUNT], strict=True)
    ]
    return _told(found, "large_amount", sentences, 0.8)


def _given_up(known: pd.DataFrame, names: pd.Series, asof: pd.Timestamp, back: int) -> pd.DataFrame:
    lately = known[(known[KIND] == DROPPED) & (known[TIME] >= asof - pd.Timedelta(days=back))]
    found = lately.assign(date=lately[TIME].dt.normalize())
    sentences = [
        f"Gave up {names[p]} on {d:%Y-%m-%d}."
        for p, d in zip(found[PRODUCT], found["date"], strict=True)
    ]
    return _told(found, "given_up", sentences, 0.9)


def _changed(
    customers: pd.DataFrame, before: pd.DataFrame | None, asof: pd.Timestamp
) -> pd.DataFrame:
    """Attributes in words that differ from an earlier snapshot's."""
    if before is None:
        return _none()
    both = customers.merge(before, on=CUSTOMER, suffixes=("", " before"))
    parts = []
    for column in customers.columns:
        if column == CUSTOMER or f"{column} before" not in both:
            continue
        if not pd.api.types.is_string_dtype(customers[column]):
            continue
        old, new = both[f"{column} before"], both[column]
        differs = old.notna() & new.notna() & (old != new)
        found = both[differs].assign(product_id="", date=asof.normalize())
        sentences = [
            f"{column.replace('_', ' ').capitalize()} changed from {o} to {n}."
            for o, n in zip(old[differs], new[differs], strict=True)
        ]
        parts.append(_told(found, "life_event", sentences, 0.9))
    return pd.concat(parts, ignore_index=True) if parts else _none()


def _dated(customers: pd.DataFrame, asof: pd.Timestamp, back: int) -> pd.DataFrame:
    """Dates of a customer's life that passed lately, such as a move or a birth."""
    parts = []
    for column in customers.columns:
        if column in TECHNICAL or not pd.api.types.is_datetime64_any_dtype(customers[column]):
            continue
        when = customers[column]
        here = (when < asof) & (when >= asof - pd.Timedelta(days=back))
        found = customers[here].assign(product_id="", date=when[here].dt.normalize())
        sentences = [
            f"{column.replace('_', ' ').capitalize()}: {d:%Y-%m-%d}." for d in found["date"]
        ]
        parts.append(_told(found, "date", sentences, 0.7))
    return pd.concat(parts, ignore_index=True) if parts else _none()


def _cooled(
    past: pd.DataFrame,
    names: pd.Series,
    cooling_off: Mapping[str, int],
    now: pd.Timestamp | None,
    back: int,
) -> pd.DataFrame:
    """Refusals whose rest ended lately and that nothing followed."""
    if past.empty or not cooling_off:
        return _none()
    moment = pd.Timestamp.now("UTC").tz_localize(None) if now is None else now
    ours = past[~past["undone"].astype(bool)] if "undone" in past else past
    last = ours[ours["kind"].isin([*cooling_off, "accepted", "done"])]
    last = last.sort_values("time", kind="stable").drop_duplicates([CUSTOMER, PRODUCT], keep="last")
    refused = last[last["kind"].isin(list(cooling_off)) & last[PRODUCT].isin(names.index)]
    rest = refused["kind"].map(dict(cooling_off)).astype("float64")
    ended = refused["time"] + pd.to_timedelta(rest, unit="D")
    here = np.asarray((ended <= moment) & (ended >= moment - pd.Timedelta(days=back)))
    found = refused[here].assign(date=ended[here].dt.normalize())
    sentences = [
        f"Said no to {names[p]} on {t:%Y-%m-%d}; the rest after it has ended."
        for p, t in zip(found[PRODUCT], found["time"], strict=True)
    ]
    return _told(found, "cooled_off", sentences, 0.5)
