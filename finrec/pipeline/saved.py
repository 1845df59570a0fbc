"""Campaigns that were saved: kept in the records, exported, compared with what came of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finrec import records
from finrec import snapshots as store
from finrec.pipeline.campaigning import Plan, forecast
from finrec.schema import CUSTOMER, PRODUCT, TIME, DataError
from finrec.scorer import KINDS as EVENT_KINDS
from finrec.serving import export
from finrec.serving.campaign import Forecast, take_up


@dataclass(frozen=True)
class Outcome:
    """What came of a campaign.

    Args:
        name: of the campaign.
        planned: offers planned.
        made: of them, recorded as offered or answered.
        taken: of them, recorded as accepted, or acquired by the snapshot given.
        forecast: for the offers planned.
        by_product: product_id, planned, made, taken, expected, low, high.
        sentence: for people.
    """

    name: str
    planned: int
    made: int
    taken: int
    forecast: Forecast
    by_product: pd.DataFrame
    sentence: str


def save_campaign(plan: Plan, name: str, who: str = "", note: str = "") -> int:
    """Keep a plan under a name, in the records; returns the number of offers.

    Raises:
        DataError: when the name is empty or taken.
    """
    if not name.strip() or len(name) > 80:
        raise DataError("A campaign needs a name of 1 to 80 characters.")
    if len(records.find(kinds=("planned",), campaign=name, limit=1)):
        raise DataError(f"There is a campaign {name!r} already; choose another name.")
    shared = {
        "kind": "planned", "who": who, "campaign": name, "run": plan.run,
        "snapshot": plan.snapshot,
    }  # fmt: skip
    detail = {**plan.settings, "forecast": asdict(plan.forecast), "value": plan.value,
              "considered": plan.considered, "reachable": plan.reachable,
              "optimal": plan.optimal}  # fmt: skip
    rows = plan.frame[[CUSTOMER, PRODUCT]].assign(
        **shared, rank=np.arange(1, len(plan.frame) + 1),
        score=plan.frame["value"], probability=plan.frame["take_up"],
    )  # fmt: skip
    head = pd.DataFrame([{**shared, "note": note, "detail": detail}])
    records.append(pd.concat([head, rows], ignore_index=True))
    return len(rows)


def export_campaign(plan: Plan, path: Path, who: str = "") -> int:
    """Write a plan's list to a CSV, XLSX or Parquet file and record that it left the house."""
    export.write(plan.frame, path)
    told = {"kind": "exported", "who": who, "run": plan.run, "snapshot": plan.snapshot,
            "detail": {"campaign offers": len(plan.frame), "file": path.name}}  # fmt: skip
    records.append(pd.DataFrame([told]))
    return len(plan.frame)


def campaigns() -> pd.DataFrame:
    """Saved campaigns, newest first, with their offers and forecasts."""
    found = records.find(kinds=("planned",), limit=None)
    found = found[~found["undone"].astype(bool)]
    offers = found[found[CUSTOMER] != ""]["campaign"].value_counts()
    heads = found[found[CUSTOMER] == ""]
    told = [json.loads(d) for d in heads["detail"]]
    return pd.DataFrame(
        {
            "campaign": heads["campaign"].to_numpy(),
            "time": heads["time"].to_numpy(),
            "who": heads["who"].to_numpy(),
            "offers": heads["campaign"].map(offers).fillna(0).astype(int).to_numpy(),
            "expected": [float(t["forecast"]["expected"]) for t in told],
            "low": [int(t["forecast"]["low"]) for t in told],
            "high": [int(t["forecast"]["high"]) for t in told],
            "products": [", ".join(t["products"]) for t in told],
            "run": heads["run"].to_numpy(),
            "snapshot": heads["snapshot"].to_numpy(),
            "note": heads["note"].to_numpy(),
        }
    )


def outcome(name: str, snapshot: str | None = None) -> Outcome:
    """What came of a saved campaign, beside its forecast.

    Args:
        name: of the campaign.
        snapshot: a later snapshot; what it says was acquired within the campaign's window counts
            as taken up, besides what was recorded as accepted.

    Raises:
        DataError: when no campaign has that name.
    """
    every = records.find(kinds=("planned",), campaign=name, limit=None)
    every = every[~every["undone"].astype(bool)]
    if every.empty:
        raise DataError(f"There is no campaign {name!r}; see the list of saved campaigns.")
    head = every[every[CUSTOMER] == ""].iloc[0]
    told = json.loads(head["detail"])
    offers = every[every[CUSTOMER] != ""].set_index([CUSTOMER, PRODUCT])
    answered = records.find(kinds=("offered", "accepted", "declined"), since=head["time"],
                            limit=None)  # fmt: skip
    answered = answered[~answered["undone"].astype(bool)]
    answered = answered[answered["campaign"].isin([name, ""])]
    made = offers.index.isin(pd.MultiIndex.from_frame(answered[[CUSTOMER, PRODUCT]]))
    yes = answered[answered["kind"] == "accepted"]
    taken = offers.index.isin(pd.MultiIndex.from_frame(yes[[CUSTOMER, PRODUCT]]))
    if snapshot is not None:
        taken |= offers.index.isin(_acquired(snapshot, told))
    level = float(told["forecast"]["level"])
    stray = told.get("spread")
    planned = offers.reset_index().assign(take_up=offers["probability"].to_numpy())
    whole = forecast(planned, level, stray)
    rows = []
    for product, part in offers.assign(made=made, taken=taken).groupby(level=PRODUCT):
        own = take_up(part["probability"].to_numpy(), level, spread=stray or 0.0)
        rows.append(
            {PRODUCT: product, "planned": len(part), "made": int(part["made"].sum()),
             "taken": int(part["taken"].sum()), "expected": own.expected, "low": own.low,
             "high": own.high}
        )  # fmt: skip
    number = int(taken.sum())
    side = "within" if whole.low <= number <= whole.high else (
        "above" if number > whole.high else "below")  # fmt: skip
    sentence = (
        f"{number:,} of {len(offers):,} offers were taken up; {whole.expected:,.1f} were "
        f"expected ({whole.low:,} to {whole.high:,}): {side} the {level:.0%} interval. "
        f"{int(made.sum()):,} {'offer is' if made.sum() == 1 else 'offers are'} recorded as made."
    )
    return Outcome(name, len(offers), int(made.sum()), number, whole, pd.DataFrame(rows), sentence)


def _acquired(snapshot: str, told: Mapping[str, Any]) -> pd.MultiIndex:
    events = store.find(snapshot).load().events
    since = pd.Timestamp(told["asof"])
    until = since + pd.Timedelta(days=float(told["window_days"]) + 1)
    taken = events["kind"].isin([k for k in EVENT_KINDS if k not in ("dropped", "held")])
    here = taken & (events[TIME] > since) & (events[TIME] <= until)
    return pd.MultiIndex.from_frame(events.loc[here, [CUSTOMER, PRODUCT]])
