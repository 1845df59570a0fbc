"""finrec: which financial product fits which customer, and why."""

import os

# Threads that wait for each other asleep: spinning ones slow a shared machine down several times.
# Read by the thread library when torch loads it, hence here, before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
