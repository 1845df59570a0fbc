"""Tables with headings for people, and the drawn timeline of a customer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import plotly.graph_objects as go

from finrec.config import RunSettings
from finrec.figures import comparison, formats
from finrec.figures.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, empty, styled
from finrec.schema import CUSTOMER, KIND, NAME, TIME, DatasetInfo

KIND_LOOKS = {  # kind of event: (words, colour, symbol)
    "acquired": ("taken", BLUE, "circle"),
    "held": ("held when first seen", GREY, "circle-open"),
    "dropped": ("given up", VERMILION, "x"),
    "rated": ("rated", ORANGE, "diamond"),
    "traded": ("traded", GREEN, "square"),
}
OTHER_LOOKS = (SKY, "triangle-up")
GENERATED = "generated"
LEAST_ROOM = pd.Timedelta(days=10)  # beside the events: axes tell days, never hours


class SnapshotLike(Protocol):
    """What is read of a snapshot (:class:`finrec.snapshots.Snapshot`)."""

    @property
    def ref(self) -> str:
        """``name@hash``."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def info(self) -> DatasetInfo:
        """Title and protocol."""

    @property
    def rows(self) -> Mapping[str, int]:
        """By table."""

    @property
    def created(self) -> str:
        """ISO time."""

    @property
    def lineage(self) -> Mapping[str, Any]:
        """Source and files."""


class JobLike(Protocol):
    """What is read of a job (:class:`finrec.training.jobs.Job`)."""

    @property
    def run(self) -> str:
        """Name of the run that it becomes."""

    @property
    def settings(self) -> RunSettings:
        """What it was told."""

    @property
    def created(self) -> str:
        """ISO time."""


def title(info: DatasetInfo) -> str:
    """A data set's title, which says so when a program made the data."""
    if info.generated and GENERATED not in info.title.lower():
        return f"{info.title} ({GENERATED})"
    return info.title


def title_of(told: Mapping[str, Any]) -> str:
    """As :func:`title`, from what a run's provenance says of its data set."""
    if not told.get("title"):
        return formats.UNKNOWN
    return title(
        DatasetInfo(str(told.get("name")), str(told["title"]), generated=bool(told["generated"]))
    )


def snapshot_titles(found: Sequence[SnapshotLike]) -> dict[str, str]:
    """Title of each snapshot by its ref, with the start of its hash where two share a title."""
    plain = {s.ref: title(s.info) for s in found}
    shared = Counter(plain.values())
    return {
        s.ref: plain[s.ref] + (f" · {s.path.name[:6]}" if shared[plain[s.ref]] > 1 else "")
        for s in found
    }


def snapshots(found: Sequence[SnapshotLike]) -> pd.DataFrame:
    """One row a snapshot."""
    return pd.DataFrame(
        {
            "Data": [title(s.info) for s in found],
            "Snapshot": [s.ref for s in found],
            "Customers": [s.rows.get("customers", 0) for s in found],
            "Products": [s.rows.get("products", 0) for s in found],
            "Events": [s.rows.get("events", 0) for s in found],
            "Protocol": [s.info.protocol for s in found],
            "Made (UTC)": [formats.moment(s.created) for s in found],
        }
    )


def files(snapshot: SnapshotLike) -> pd.DataFrame:
    """The source files of a snapshot: name, size and SHA-256."""
    listed = snapshot.lineage.get("files") or []
    return pd.DataFrame(
        {
            "File": [f["file"] for f in listed],
            "Size": [formats.size(f["bytes"]) for f in listed],
            "SHA-256": [f["sha256"] for f in listed],
        }
    )


def reasons(found: Mapping[str, int]) -> pd.DataFrame:
    """Why rows were rejected, the most frequent reason first."""
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return pd.DataFrame({"Reason": [r for r, _ in ordered], "Rows": [n for _, n in ordered]})


def contents(snapshot: SnapshotLike) -> pd.DataFrame:
    """Tables of a snapshot with their rows."""
    return pd.DataFrame(
        {"Table": [formats.words(n) for n in snapshot.rows], "Rows": list(snapshot.rows.values())}
    )


def runs(found: Sequence[comparison.RunLike]) -> pd.DataFrame:
    """One row a trained model."""
    rows = []
    for run in found:
        name, ours, popular = comparison.headline(run)
        told = run.provenance
        rows.append(
            {
                "Parts": comparison.PART_WORDS[run.settings.parts],
                "Preset": run.settings.preset,
                "Seed": run.settings.train.seed,
                "Measure": formats.measure(name),
                "Test": ours,
                "Popularity": popular,
                "Protocol": run.settings.protocol,
                "Parameters": told.get("parameters"),
                "Trained in": formats.duration(
                    told.get("seconds_train", 0.0) + told.get("seconds_refit", 0.0)
                ),
                "Made (UTC)": formats.moment(told.get("created")),
                "Data": title_of(told.get("dataset", {})),
                "Model": run.id,
            }
        )
    return pd.DataFrame(rows)


def settings(run_settings: RunSettings) -> pd.DataFrame:
    """Every setting of a run with its value."""
    flat: dict[str, Any] = {}
    for name, given in run_settings.model_dump().items():
        if isinstance(given, dict):
            flat |= {f"{name}.{inner}": value for inner, value in given.items()}
        else:
            flat[name] = given
    return pd.DataFrame(
        {"Setting": list(flat), "Value": ["" if v is None else str(v) for v in flat.values()]}
    )


def attributes(known: Mapping[str, Any]) -> pd.DataFrame:
    """A customer's attributes in words."""
    return pd.DataFrame(
        {
            "Attribute": [formats.words(name) for name in known],
            "Value": [formats.value(v) for v in known.values()],
        }
    )


def found_customers(found: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """Ids in order, and a label for each that says how many events are known."""
    labels = {
        str(row[CUSTOMER]): f"{row[CUSTOMER]} · {formats.counted(int(row['events']), 'event')}"
        for row in found.to_dict("records")
    }
    return list(labels), labels


def busiest(found: pd.DataFrame) -> str | None:
    """Of these customers the first with the most events: something to look at."""
    if found.empty:
        return None
    return str(found[CUSTOMER].iloc[int(found["events"].to_numpy().argmax())])


def history(events: pd.DataFrame) -> pd.DataFrame:
    """A customer's events, newest first; amounts only where some are known."""
    table = pd.DataFrame(
        {
            "Day": events[TIME],
            "Product": events[NAME],
            "Event": [KIND_LOOKS.get(k, (formats.words(k),))[0] for k in events[KIND]],
        }
    )
    if events["amount"].notna().any():
        table["Amount"] = events["amount"].astype(float)
    return table


MOST_ROWS = 15  # products in a timeline; the table beside it holds all


def timeline(events: pd.DataFrame) -> go.Figure:
    """A customer's events: time from left to right, one row a product, the latest products."""
    if events.empty:
        return empty("No events are known.")
    ordered = events.sort_values(TIME)
    latest = ordered.drop_duplicates(NAME, keep="last")[NAME].tail(MOST_ROWS)
    ordered = ordered[ordered[NAME].isin(latest)]
    names = list(dict.fromkeys(ordered[NAME]))
    rows = {name: place for place, name in enumerate(names)}
    figure = go.Figure()
    for kind in dict.fromkeys(ordered[KIND]):
        part = ordered[ordered[KIND] == kind]
        words, colour, symbol = KIND_LOOKS.get(kind, (formats.words(kind), *OTHER_LOOKS))
        figure.add_trace(
            go.Scatter(
                x=part[TIME],
                y=[rows[name] for name in part[NAME]],
                mode="markers",
                name=words,
                marker={"color": colour, "symbol": symbol, "size": 12},
                customdata=[formats.markup(name) for name in part[NAME]],
                hovertemplate="%{customdata}<br>%{x|%-d %b %Y}<extra>" + words + "</extra>",
            )
        )
    labels = [formats.markup(formats.shortened(name, 34)) for name in names]
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(rows.values()),
        ticktext=labels,
        range=[len(names) - 0.5, -0.5],
    )
    first, last = ordered[TIME].min(), ordered[TIME].max()
    room = max(0.04 * (last - first), LEAST_ROOM)
    figure.update_xaxes(range=[first - room, last + room])
    return styled(figure, 90 + 28 * max(len(names), 3), showlegend=True)


def describe_timeline(events: pd.DataFrame) -> str:
    """One sentence: how many events, of how many products, from when to when."""
    if events.empty:
        return "No events are known of this customer."
    first, last = events[TIME].min(), events[TIME].max()
    products = int(events[NAME].nunique())
    cut = f" The latest {MOST_ROWS} products are drawn." if products > MOST_ROWS else ""
    return (
        f"{formats.counted(len(events), 'event')} with "
        f"{formats.counted(products, 'product')}, "
        f"from {formats.day(first)} to {formats.day(last)}.{cut}"
    )


def offers(frame: pd.DataFrame) -> pd.DataFrame:
    """Recommendations with headings for people."""
    return frame[["rank", NAME, "product_id", "probability", "score"]].rename(
        columns={
            "rank": "Rank",
            NAME: "Product",
            "product_id": "Product id",
            "probability": "Probability",
            "score": "Score",
        }
    )


def of_floats(name: str, values: pd.Series) -> str:
    """How a table writes floats: measures with four digits, ages and amounts without."""
    if name.endswith((", s", ", MiB")):
        return "%.1f"
    if "worth" in name.lower():
        return "%.2f"
    known = values.dropna().abs()
    whole = bool((known % 1 == 0).all()) and float(known.max() if len(known) else 0) > 1
    return "localized" if whole or (known >= 100).any() else "%.4f"
