"""The verbs of intake: propose a mapping, preview it, read files with it, keep them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from finrec import snapshots
from finrec.intake import sandbox
from finrec.intake.archives import shown
from finrec.intake.limits import USUAL, Limits
from finrec.intake.mapping import Mapping, checked
from finrec.intake.receipt import COLUMNS, Receipt
from finrec.intake.sandbox import Progress
from finrec.schema import (
    ACQUIRED,
    CUSTOMER,
    KIND,
    PRODUCT,
    TIME,
    Dataset,
    DatasetInfo,
    Protocol,
    Staged,
    validated,
)
from finrec.snapshots import Snapshot


@dataclass(frozen=True)
class Preview:
    """What a mapping makes of the first rows.

    Args:
        meaning: one sentence a file.
        tables: first rows of customers, products and events.
        receipt: of those rows only.
    """

    meaning: list[str]
    tables: dict[str, pd.DataFrame]
    receipt: Receipt


def propose(files: Sequence[Path], name: str | None = None, limits: Limits = USUAL) -> Mapping:
    """Guess what the files mean, from the names and the first rows of their columns.

    Args:
        files: CSV, TSV, XLSX, Parquet, or those in gzip or zip.
        name: of the data set; by default from the first file's name.
        limits: of the process that parses.

    Raises:
        DataError: when a file is missing or no table.
    """
    called = name or _called(files)
    with tempfile.TemporaryDirectory(prefix="finrec-intake-") as folder:
        request = {"task": "propose", "files": _absolute(files), "name": called}
        answer = sandbox.run(request, Path(folder), limits)
    return Mapping.unchecked(json.loads(answer["mapping"]))


def preview(
    files: Sequence[Path],
    mapping: Mapping,
    rows: int = 50,
    limits: Limits = USUAL,
) -> Preview:
    """What the mapping makes of the first ``rows`` rows of each file.

    Raises:
        DataError: when the mapping doesn't fit the files.
    """
    with tempfile.TemporaryDirectory(prefix="finrec-intake-") as folder:
        staged, receipt, _ = _staged(files, mapping, Path(folder), limits, rows)
        tables = {
            name: pq.read_table(staged.folder / f"{name}.parquet").to_pandas().head(rows)
            for name in ("customers", "products", "events")
        }
    return Preview(mapping.meaning(), tables, receipt)


def read(
    files: Sequence[Path],
    mapping: Mapping,
    limits: Limits = USUAL,
    progress: Progress = lambda told: None,
) -> tuple[Dataset, Receipt]:
    """The data set in memory, and what became of every row.

    Raises:
        DataError: when a file can't be read, or the mapping doesn't fit.
    """
    with tempfile.TemporaryDirectory(prefix="finrec-intake-") as folder:
        staged, receipt, _ = _staged(files, mapping, Path(folder), limits, None, progress)
        tables = {
            f.stem: pq.read_table(f).to_pandas() for f in sorted(staged.folder.glob("*.parquet"))
        }
    known = {k: tables.pop(k) for k in ("customers", "products", "events", "links")}
    dataset = Dataset(staged.info, extra=tables, **known)
    if mapping.pseudonymise:
        dataset = snapshots.pseudonymised(dataset, snapshots.read_key())
    return validated(dataset), receipt


def ingest_uploaded(
    files: Sequence[Path],
    mapping: Mapping | None = None,
    limits: Limits = USUAL,
    progress: Progress = lambda told: None,
) -> tuple[Snapshot, Receipt]:
    """Read files with a mapping, or with the proposed one, and keep them as a snapshot.

    The snapshot's folder also holds ``receipt.json``, ``rejected.csv`` and ``mapping.json``.

    Raises:
        DataError: when a file can't be read, the mapping doesn't fit, or the disk is full.
    """
    chosen = mapping or checked(propose(files, limits=limits))
    with snapshots.staging() as folder:
        staged, receipt, used = _staged(files, chosen, folder, limits, None, progress)
        rejected = "rejected_bare.csv" if chosen.pseudonymise else "rejected.csv"
        attachments = {
            "receipt.json": json.dumps(receipt.to_json(), indent=1, default=str).encode(),
            "rejected.csv": (folder / rejected).read_bytes(),
            "mapping.json": used.to_json().encode(),
        }
        lineage: dict[str, Any] = {
            "source": "uploaded",
            "files": snapshots.file_lineage(list(files)),
            "mapping": json.loads(used.to_json()),
            "receipt": {
                k: v for k, v in receipt.to_json().items() if k not in ("profile", "notes")
            },
        }
        if chosen.pseudonymise:
            snapshots.pseudonymise_files(staged.folder, snapshots.read_key())
        return snapshots.write(staged, lineage, attachments), receipt


def _staged(
    files: Sequence[Path],
    mapping: Mapping,
    folder: Path,
    limits: Limits,
    rows: int | None,
    progress: Progress = lambda told: None,
) -> tuple[Staged, Receipt, Mapping]:
    checked(mapping)
    request = {
        "task": "read",
        "files": _absolute(files),
        "mapping": mapping.to_json(),
        "today": datetime.now(UTC).date().isoformat(),
        "rows": rows,
    }
    answer = sandbox.run(request, folder, limits, progress)
    rejects = pd.read_csv(folder / "rejected.csv", dtype="str", keep_default_na=False)
    rejects = rejects.reindex(columns=list(COLUMNS)).astype({"row": "int64", "line": "int64"})
    receipt = Receipt.from_json(answer["receipt"], rejects)
    info = _info(mapping, receipt, folder / "tables", answer)
    return Staged(info, folder / "tables"), receipt, Mapping.from_json(answer["mapping"])


def _info(mapping: Mapping, receipt: Receipt, tables: Path, told: dict[str, Any]) -> DatasetInfo:
    dated, mixed = bool(told["dated"]), bool(told["mixed"])
    events = pq.read_table(tables / "events.parquet", columns=[CUSTOMER, PRODUCT, TIME, KIND])
    frame = events.to_pandas()
    taken = frame[frame[KIND] != "held"]
    acquired = taken[taken[KIND] == ACQUIRED]
    # By time needs products taken on two dates after the first of all.
    days = acquired.loc[acquired[TIME] > frame[TIME].min(), TIME].dt.normalize().nunique()
    protocol: Protocol = "R2" if dated and days >= 2 and len(frame) >= 10 else "R1"
    again = mapping.repeatable
    if again is None:
        again = bool(acquired.duplicated([CUSTOMER, PRODUCT]).any()) or "dropped" in set(
            frame[KIND]
        )
    products = pq.ParquetFile(tables / "products.parquet").metadata.num_rows
    notes = [f"{receipt.loaded:,} of {receipt.rows_in:,} rows were loaded."]
    if not dated:
        order = "." if mixed else ", order is the file's."
        notes.append(f"No dates were given: every event carries 2000-01-01{order}")
    if dated and any(t.kind == "customers" and t.having("attribute") for t in mapping.tables):
        notes.append(
            "Attributes of customers have no dates. One that follows from what was taken (a count "
            "of products, say) flatters every figure: leave it out."
        )
    if told["changing"]:
        notes.append(
            "Attributes that change from row to row are shown as known last; models learn from and "
            "are tested with what was known before the dates held out."
        )
    if mixed:
        notes.append(
            "Events of one moment stand by product or by column in the files, which says nothing "
            "of what was taken first: a random order is kept."
        )
    return DatasetInfo(
        name=mapping.name,
        title=mapping.title or mapping.name,
        origin="Uploaded: " + ", ".join(f.file for f in receipt.files),
        licence="yours",
        protocol=protocol,
        ks=(10, 5, 20) if products > 30 else (3, 1, 5),
        repeatable=again,
        product_word=mapping.product_word,
        notes=tuple(notes),
    )


def _absolute(files: Sequence[Path]) -> list[str]:
    return [str(Path(f).resolve()) for f in files]


def _called(files: Sequence[Path]) -> str:
    stem = shown(files[0].name).split(".")[0] if files else ""
    plain = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:40]
    return plain or "uploaded"
