"""Reason codes of a whole saved campaign, and its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from finrec import records
from finrec.pipeline import answering, explaining, saved
from finrec.schema import CUSTOMER, PRODUCT, DataError
from finrec.serving import export
from finrec.serving.recommender import Recommender

KINDS: dict[str, Literal["csv", "json", "html"]] = {
    ".csv": "csv", ".json": "json", ".html": "html",
}  # fmt: skip


@dataclass(frozen=True)
class CampaignReasons:
    """Why each offer of a campaign is made.

    Args:
        campaign: its name.
        run: the model that planned it, and that was asked.
        frame: see :func:`finrec.pipeline.explaining.reason_codes`.
        offers: explained.
        gone: offers left out, their customer or product being no longer in the data.
    """

    campaign: str
    run: str
    frame: pd.DataFrame
    offers: int
    gone: int

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        said = f"Reasons of {self.offers:,} offer{'s' * (self.offers != 1)} by model {self.run}."
        if self.gone:
            said += f" {self.gone:,} left out: the customer or product is no longer in the data."
        return said


def campaign_reasons(
    name: str,
    safe: bool = False,
    progress: Callable[[int, int], object] | None = None,
    recommender: Recommender | None = None,
) -> CampaignReasons:
    """Up to three reasons for every offer of a saved campaign, by the model that planned it.

    Args:
        name: of the campaign.
        safe: only what may be told to the customers.
        progress: told how many offers are done, of how many.
        recommender: that model, where it is at hand.

    Raises:
        DataError: when no campaign has that name.
        CheckpointError: when its model is gone.
    """
    every = saved.campaigns()
    heads = every[every["campaign"] == name]
    if heads.empty:
        known = ", ".join(map(str, every["campaign"][:5])) or "none yet"
        raise DataError(f"There is no campaign {name!r}; saved are: {known}.")
    run = str(heads["run"].iloc[0])
    if recommender is None or recommender.run.id != run:
        recommender = answering.load(run)
    planned = records.find(kinds=("planned",), campaign=name, limit=None)
    planned = planned[~planned["undone"].astype(bool) & (planned[CUSTOMER] != "")]
    offers = planned.sort_values("rank")[[CUSTOMER, PRODUCT]]
    here = offers[CUSTOMER].isin(recommender.known)
    here &= offers[PRODUCT].isin(set(recommender.catalogue.ids))
    frame = explaining.reason_codes(recommender, offers[here], safe, progress)
    return CampaignReasons(name, run, frame, int(here.sum()), int((~here).sum()))


def write(found: CampaignReasons, path: Path, who: str = "") -> None:
    """Write reason codes to a CSV, JSON or HTML file and record that they left the house.

    Raises:
        DataError: when the file's ending is none of these.
    """
    export.write_bytes(explaining.codes_file(found.frame, kind_of(path)), path)
    record(found, path.name, who)


def record(found: CampaignReasons, file: str, who: str = "") -> None:
    """Record that a campaign's reason codes left the house."""
    detail = {"campaign reasons": len(found.frame), "file": file}
    told = {"kind": "exported", "who": who, "run": found.run, "campaign": found.campaign}
    records.append(pd.DataFrame([{**told, "detail": detail}]))


def kind_of(path: Path) -> Literal["csv", "json", "html"]:
    """Kind of file by its ending.

    Raises:
        DataError: when it is none of CSV, JSON and HTML.
    """
    if path.suffix.lower() not in KINDS:
        raise DataError(f"{path.name}: give a name that ends in {', '.join(KINDS)}.")
    return KINDS[path.suffix.lower()]
