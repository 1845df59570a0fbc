"""A process that ends with the one that started it, however that one ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1  # of Linux's prctl
LOOK_SECONDS = 1.0


def end_with(pid: int) -> None:
    """End this process as soon as its parent, process ``pid``, has ended.

    On Linux the kernel does it, at once and whatever this process is doing; elsewhere a thread
    looks every second. Call it at the start, from a process that ``pid`` started and waits for.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(pid,), daemon=True).start()
    if os.getppid() != pid:  # it ended before it could be watched
        os._exit(1)


def _watch(pid: int) -> None:
    while os.getppid() == pid:
        time.sleep(LOOK_SECONDS)
    os._exit(1)
