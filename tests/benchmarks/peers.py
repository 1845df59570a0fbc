"""finrec beside RecTools' SASRec: same histories, width, length, loss and threads, in one run.

``make bench-peers`` sets up the peer's environment and runs this; each run adds its rows to
``data/results/speed.csv``. Histories are those of :mod:`tests.benchmarks.bench_training`, of
Amazon Beauty's size; both learn from some of its customers and score all. ``FINREC_PEERS`` names
another folder with the peer's environment than ``.venv/peers``.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from finrec import presets
from finrec.pipeline import code
from finrec.serving.best import best
from finrec.training import fit
from tests.benchmarks import bench_training as bench
from tests.benchmarks.__main__ import matmul_gflops, onednn_gflops

PEERS = Path(os.environ.get("FINREC_PEERS") or Path(__file__).parents[2] / ".venv" / "peers")
RESULTS = Path(__file__).parents[2] / "data" / "results" / "speed.csv"
COLUMNS = ("time", "commit", "machine", "threads", "matmul_gflops", "who", "seconds_a_pass",
           "targets_per_second", "share_of_matmul_rate", "customers_scored_per_second",
           "peak_mib", "learning_times_peer", "scoring_times_peer", "onednn_gflops",
           "share_of_onednn_rate", "scoring_share_of_matmul_rate",
           "scoring_share_of_onednn_rate")  # fmt: skip
VARIANTS = {  # as like the peer as can be, then finrec's own default without and with the graph
    "finrec baseline, no decoder": ("baseline", 0),
    "finrec +tl, no decoder": ("+tl", 0),
    "finrec +tl": ("+tl", 1),
    "finrec +tl+gnn": ("+tl+gnn", 1),
}


def ours(parts: str, decoder_layers: int) -> dict[str, Any]:
    """The second pass over some histories, and ten products for everybody, in this process."""
    everybody = bench.histories()
    known = everybody.take(slice(0, bench.CUSTOMERS))
    settings = presets.settings(
        bench.INFO, "bench@0", "standard", parts=parts, device="cpu",
        model={"decoder_layers": decoder_layers}, train={"epochs": 2},
    )  # fmt: skip
    seconds: list[float] = []

    def note(event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            seconds.append(event["seconds"])

    given = bench.inputs(known, "gnn" in parts, "tl" in parts)
    done = fit.fit(given, known, settings, None, epochs=2, progress=note)
    began = time.perf_counter()
    best(done.scorer, everybody, False, 10, 1.0)
    seconds_scoring = time.perf_counter() - began
    steps = -(-bench.CUSTOMERS // settings.train.batch)
    took = seconds[1] - seconds[0]
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
    return {
        "seconds_a_pass": took,
        "seconds_scoring": seconds_scoring,
        "targets": done.targets,
        "operations": bench.operations(
            settings, done.targets, steps, len(np.unique(known.products))
        ),
        "operations_scoring": bench.scoring_operations(settings, everybody.lengths),
        "peak_mib": peak,
    }


def _apart(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measure the peer, then ours, each in a process of its own; append and print the rows."""
    limits = [max(rate().values()) for rate in (matmul_gflops, onednn_gflops)]
    threads = torch.get_num_threads()
    settings = presets.settings(bench.INFO, "bench@0", "standard")
    shape = {
        **{name: getattr(settings.model, name) for name in ("width", "layers", "heads", "length")},
        "batch": settings.train.batch,
        "threads": threads,
        "customers": bench.CUSTOMERS,
    }
    known = bench.histories()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.csv"
        pd.DataFrame(
            {"customer": known.rows(), "product": known.products, "time": known.times}
        ).to_csv(file, index=False)
        script = Path(__file__).with_name("peer_rectools.py")
        python = str(PEERS / "bin" / "python")
        peer = _apart([python, str(script), str(file), json.dumps(shape)])
    rows.append({"who": "RecTools SASRec", **_rates(peer, None, limits)})
    for who, (parts, layers) in VARIANTS.items():
        call = [sys.executable, "-m", "tests.benchmarks.peers", parts, str(layers)]
        rows.append({"who": who, **_rates(_apart(call), peer, limits)})
    fixed = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": code.commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": threads,
        "matmul_gflops": limits[0],
        "onednn_gflops": limits[1],
    }
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows({**fixed, **row} for row in rows)
    print(json.dumps({**fixed, "rows": rows}, indent=1))


def _rates(
    found: dict[str, Any], peer: dict[str, Any] | None, limits: list[float]
) -> dict[str, Any]:
    out: dict[str, Any] = {
        "seconds_a_pass": round(found["seconds_a_pass"], 2),
        "customers_scored_per_second": round(bench.SCORED / found["seconds_scoring"]),
    }
    if peer is not None:
        learning = found["operations"] / found["seconds_a_pass"] / 1e9
        scoring = found["operations_scoring"] / found["seconds_scoring"] / 1e9
        out |= {
            "targets_per_second": round(found["targets"] / found["seconds_a_pass"]),
            "share_of_matmul_rate": round(learning / limits[0], 3),
            "share_of_onednn_rate": round(learning / limits[1], 3),
            "scoring_share_of_matmul_rate": round(scoring / limits[0], 3),
            "scoring_share_of_onednn_rate": round(scoring / limits[1], 3),
            "peak_mib": found["peak_mib"],
            "learning_times_peer": round(peer["seconds_a_pass"] / found["seconds_a_pass"], 1),
            "scoring_times_peer": round(peer["seconds_scoring"] / found["seconds_scoring"], 1),
        }
    return out


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(ours(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
