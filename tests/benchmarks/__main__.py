"""Speed of this machine and of finrec on it, as one JSON object on stdout.

``python -m tests.benchmarks [NAME …]`` runs every ``bench_NAME.py`` of this folder (or those
named); each has a function ``run() -> dict``. The machine's own limit stands beside the results,
because a time without it says nothing elsewhere.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from finrec.networks import linear

SIZES = (512, 1024, 2048, 4096)  # edge of the square matrices
SECONDS, FEWEST = 0.5, 3  # time and products per size, at least


def matmul_gflops(
    device: str = "cpu", product: Callable[[Tensor, Tensor], Tensor] = torch.matmul
) -> dict[str, float]:
    """Best measured rate of float32 matrix products, 10^9 operations a second, by size.

    An n by n product counts as 2 n^3 operations. ``product`` is torch's own unless said otherwise.
    """
    rates = {}
    for n in SIZES:
        left, right = torch.rand(n, n, device=device), torch.rand(n, n, device=device)
        product(left, right)  # the first call sets up threads and memory
        best, until, tries = float("inf"), time.perf_counter() + SECONDS, 0
        while tries < FEWEST or time.perf_counter() < until:
            tries += 1
            if device == "cuda":
                torch.cuda.synchronize()
            began = time.perf_counter()
            product(left, right)
            if device == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - began)
        rates[str(n)] = round(2 * n**3 / best / 1e9, 1)
    return rates


def onednn_gflops() -> dict[str, float]:
    """The same through oneDNN, where finrec uses it; else torch's rate again."""
    return matmul_gflops(product=linear.product)


def machine() -> dict[str, object]:
    """What the figures were measured on, with its measured limit."""
    by_size = matmul_gflops()
    facts: dict[str, object] = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "matmul_fp32_gflops": max(by_size.values()),
        "matmul_fp32_gflops_by_size": by_size,
        "onednn_fp32_gflops": max(onednn_gflops().values()),
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
        facts["gpu_matmul_fp32_gflops"] = max(matmul_gflops("cuda").values())
    return facts


def main(wanted: list[str]) -> None:
    """Run the benchmarks and print the result."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("bench_*.py"))
    known = [name.removeprefix("bench_") for name in names]
    unknown = set(wanted) - set(known)
    if unknown:
        listed = ", ".join(known) or "none yet"
        sys.exit(f"No benchmark {', '.join(sorted(unknown))}; there are: {listed}.")
    results: dict[str, object] = {"machine": machine()}
    for name in names:
        if not wanted or name.removeprefix("bench_") in wanted:
            print(f"{name} ...", file=sys.stderr, flush=True)
            module = importlib.import_module(f"tests.benchmarks.{name}")
            results[name.removeprefix("bench_")] = module.run()
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
