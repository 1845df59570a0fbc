"""The process that parses uploaded files: bounded in memory and time, told what to do by JSON.

``python -m finrec.intake.worker REQUEST`` reads the request, works in the request's folder, and
writes ``answer.json`` there: the result, or the sentence of the error. It touches nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from finrec.datasets import large
from finrec.intake import archives, convert, describe, events, profiles
from finrec.intake.formats import Format, format_of
from finrec.intake.limits import MIB, Limits
from finrec.intake.looks import SAMPLE
from finrec.intake.mapping import Mapping, Table, checked, fitting, matched
from finrec.intake.proposing import propose, with_formats
from finrec.intake.receipt import FileReceipt, Receipt, rejects_csv
from finrec.intake.sandbox import ANSWER, PROGRESS
from finrec.intake.tables import Raw, read_text
from finrec.intake.workbooks import read_parquet, read_workbook
from finrec.schema import PROFILES, DataError
from finrec.snapshots.quality import quality

MANY_REJECTS = 1_000_000  # kept with their content; the rest is only counted


def main(request_file: str) -> None:
    """Do what the request asks and write the answer."""
    request = json.loads(Path(request_file).read_text())
    folder = Path(request["folder"])
    limits = Limits(**request["limits"])
    _bound(limits)
    try:
        answer: dict[str, Any] = {"ok": work(request, folder, limits)}
    except DataError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {
            "error": f"The files need more than {limits.memory_mib} MiB of memory to be read; "
            "split them."
        }
    part = folder / f"{ANSWER}.part"
    part.write_text(json.dumps(answer, default=str))
    os.replace(part, folder / ANSWER)


def _bound(limits: Limits) -> None:
    """Let the system stop this process when it runs away; the parent watches it, too."""
    most_cpu = limits.seconds * (os.cpu_count() or 1)  # seconds of all its threads together
    resource.setrlimit(resource.RLIMIT_CPU, (most_cpu, most_cpu + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if hasattr(resource, "RLIMIT_DATA") and sys.platform == "linux":
        most = (limits.memory_mib + 1024) * MIB  # reserved, not only used, memory counts here
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def work(request: dict[str, Any], folder: Path, limits: Limits) -> dict[str, Any]:
    """Parse the request's files; propose a mapping, or make tables with the one given."""
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    sources = archives.sources([Path(f) for f in request["files"]], unpacked, limits)
    if request["task"] == "propose":
        samples = [_parse(s, None, folder, i, limits, SAMPLE) for i, s in enumerate(sources)]
        return {"mapping": propose(samples, request["name"]).to_json()}
    mapping = Mapping.from_json(request["mapping"])
    names = {t.file: t.format for t in mapping.tables}
    parsed = [
        _parse(s, names.get(s.name), folder, i, limits, request.get("rows"))
        for i, s in enumerate(sources)
    ]
    found = matched(mapping, [(r.source.name, r.columns) for r in parsed])
    tables = [with_formats(raw, fitting(table)) for raw, table in zip(parsed, found, strict=True)]
    return _convert(parsed, tables, mapping, folder, request)


def _parse(
    source: archives.Source,
    form: Format | None,
    folder: Path,
    number: int,
    limits: Limits,
    most: int | None,
) -> Raw:
    out = folder / f"raw{number}.parquet"
    size = source.path.stat().st_size

    def tell(done: int) -> None:
        _progress(folder, {"file": source.name, "stage": "reading", "done": done, "of": size})

    if source.kind == "parquet":
        return read_parquet(source, out, limits, most, lambda row: None)
    if source.kind == "xlsx":
        return read_workbook(source, form or Format(), out, limits, most, lambda row: None)
    guessed = format_of(source.path, source.name)
    if form is not None:  # the encoding is looked at anew: another month, another export
        guessed = replace(form, encoding=guessed.encoding)
    return read_text(source, guessed, out, limits, most, tell)


def _progress(folder: Path, told: dict[str, Any]) -> None:
    part = folder / f"{PROGRESS}.part"
    part.write_text(json.dumps(told))
    os.replace(part, folder / PROGRESS)


def _convert(
    parsed: list[Raw], tables: list[Table], mapping: Mapping, folder: Path, request: dict[str, Any]
) -> dict[str, Any]:
    checked(replace(mapping, tables=tuple(tables)))
    out = folder / "tables"
    out.mkdir()
    every = [
        convert.Given(raw, table, f"given{i}")
        for i, (raw, table) in enumerate(zip(parsed, tables, strict=True))
    ]
    used = [g for g in every if g.table.kind != "ignore"]
    for given in used:
        if not given.raw.rows_in:
            raise DataError(f"{given.raw.source.name} has a header and no rows; export it again.")
    with large.database(folder) as db:
        for given in used:
            _progress(folder, {"file": given.raw.source.name, "stage": "checking"})
            convert.stage_rows(db, given, mapping, request["today"])
        if mapping.unknown_products == "reject":
            convert.reject_unknown_products(db, used)
        _something_left(used)
        _progress(folder, {"stage": "writing"})
        mixed = events.stage_events(db, used, out / "events.parquet")
        describe.stage_customers(db, used, mapping, out / "customers.parquet")
        names = set(pq.read_schema(out / "customers.parquet").names)
        changing = profiles.stage_profiles(db, used, mapping, names, out / f"{PROFILES}.parquet")
        describe.stage_products(db, used, mapping, out / "products.parquet")
        events.stage_links(db, used, out / "links.parquet")
        events.stage_prices(db, used, out / "prices.parquet")
    receipt = _receipt(every, out, request["today"])
    rejects = [r for g in every for r in (*g.raw.rejects, *g.rejects)]
    (folder / "rejected.csv").write_text(rejects_csv(rejects[:MANY_REJECTS]), encoding="utf-8")
    bare = rejects_csv(rejects[:MANY_REJECTS], content=False)
    (folder / "rejected_bare.csv").write_text(bare, encoding="utf-8")
    return {
        "receipt": receipt.to_json(),
        "mapping": replace(mapping, tables=tuple(tables)).to_json(),
        "mixed": mixed,
        "changing": changing,
        "dated": any(
            g.has("date") or g.has("opened") for g in used if g.table.kind in ("events", "holdings")
        ),
    }


def _something_left(used: list[convert.Given]) -> None:
    for given in used:
        if not given.loaded:
            first = next(iter([*given.raw.rejects, *given.rejects]), None)
            why = f" The first: line {first.line}, column {first.column or '-'}: {first.reason}." \
                if first else ""  # fmt: skip
            raise DataError(
                f"No row of {given.raw.source.name} can be used as {given.table.kind}.{why} "
                "Check the mapping."
            )


def _receipt(every: list[convert.Given], out: Path, today: str) -> Receipt:
    files, notes, reasons = [], [], dict[str, int]()
    for given in every:
        raw = given.raw
        rejects = [*raw.rejects, *given.rejects]
        unused = given.table.kind == "ignore"
        loaded = 0 if unused else given.loaded
        left = raw.rows_in - len(rejects) - loaded
        if unused:
            reasons["the file is not used"] = reasons.get("the file is not used", 0) + left
        elif left:
            raise AssertionError(f"{left} rows of {raw.source.name} are not accounted for")
        for reject in rejects:
            why = f"{reject.column}: {reject.reason}" if reject.column else reject.reason
            reasons[why] = reasons.get(why, 0) + 1
        form = raw.format
        text = raw.source.kind == "text"
        files.append(
            FileReceipt(
                raw.source.name, given.table.kind, raw.rows_in, loaded, raw.rows_in - loaded,
                raw.blank, form.encoding if text else raw.source.kind,
                form.separator if text else "", form.decimal,
            )
        )  # fmt: skip
        notes += [f"{raw.source.name}: {n}" if raw.source.name not in n else n for n in raw.notes]
        notes += given.notes
    if sum(f.rejected for f in files) > MANY_REJECTS:
        notes.append(f"Of the rejected rows only the first {MANY_REJECTS:,} are listed.")
    rows_in, loaded = sum(f.rows_in for f in files), sum(f.loaded for f in files)
    profile = quality(out, today).to_json()
    return Receipt(rows_in, loaded, rows_in - loaded, {k: v for k, v in reasons.items() if v},
                   tuple(files), tuple(notes), profile)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
