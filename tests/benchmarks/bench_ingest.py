"""How fast a file like Kaggle's train_ver2.csv becomes a snapshot, against DuckDB's plain copy.

FINREC_BENCH_ROWS (default 1,000,000; the real file has 13.65 million) is the largest size; time is
also measured at 1/13.6 and 3/13.6 of it, and the exponent of its growth fitted. Each measurement
runs in a process of its own, which tells its peak memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.santander_lookalike import write

SHARES = (1 / 13.6, 3 / 13.6, 1.0)
INGEST = """
import json, resource, sys, time
from pathlib import Path
from finrec import datasets, snapshots
began = time.perf_counter()
file = Path(sys.argv[1])
with snapshots.staging() as folder:
    staged = datasets.stage("santander", file, folder)
    made = snapshots.write(staged, {"files": snapshots.file_lineage([file])})
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_mib": peak, "rows": dict(made.rows),
                  "receipt": made.lineage["receipt"]}))
"""
COPY = """
import json, resource, sys, time
import duckdb
db = duckdb.connect()
db.execute("SET memory_limit = '2GiB'")
began = time.perf_counter()
db.execute(f"COPY (SELECT * FROM read_csv('{sys.argv[1]}', all_varchar = true)) "
           f"TO '{sys.argv[2]}' (FORMAT parquet)")
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_mib": peak}))
"""


def run() -> dict[str, Any]:
    """Seconds, speed relative to DuckDB's copy, peak memory in MiB, and the exponent of growth."""
    rows = int(os.environ.get("FINREC_BENCH_ROWS", "1000000"))
    sizes = []
    with tempfile.TemporaryDirectory(prefix="finrec-bench-", dir=_scratch()) as folder:
        for share in SHARES:
            sizes.append(_measure(Path(folder), int(rows * share)))
    seconds = np.log([s["seconds"] for s in sizes])
    exponent = float(np.polyfit(np.log([s["rows"] for s in sizes]), seconds, 1)[0])
    last = sizes[-1]
    return {
        "rows": last["rows"],
        "csv_mib": last["csv_mib"],
        "seconds": last["seconds"],
        "duckdb_copy_seconds": last["duckdb_copy_seconds"],
        "speed_of_duckdb_copy": round(last["duckdb_copy_seconds"] / last["seconds"], 3),
        "peak_mib": last["peak_mib"],
        "exponent": round(exponent, 3),
        "sizes": sizes,
    }


def _scratch() -> str | None:
    return os.environ.get("FINREC_BENCH_FOLDER")


def _measure(folder: Path, rows: int) -> dict[str, Any]:
    file, copied = folder / "train_ver2.csv", folder / "copy.parquet"
    write(file, rows)
    home = folder / "home"
    first = _child(COPY, home, file, copied)  # the first reader pays for a cold disk: DuckDB twice
    ours = _child(INGEST, home, file)
    again = _child(COPY, home, file, copied)
    receipt = ours["receipt"]
    if receipt["rows_in"] != rows or receipt["loaded"] != rows:
        raise AssertionError(f"{rows} rows were written, the receipt says {receipt}")
    return {
        "rows": rows,
        "csv_mib": round(file.stat().st_size / 2**20, 1),
        "seconds": round(ours["seconds"], 2),
        "duckdb_copy_seconds": round(min(first["seconds"], again["seconds"]), 2),
        "peak_mib": round(ours["peak_mib"]),
        "duckdb_peak_mib": round(again["peak_mib"]),
        "tables": ours["rows"],
    }


def _child(program: str, home: Path, *arguments: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "FINREC_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))
