"""Memory that is free, given back to the system.

The C library keeps what tensors of many sizes leave behind, in pieces that the next, larger tensor
does not fit into. On Beauty a training took 2.3 GiB so, of which it used 1.5.
"""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Give memory that is not used back to the system, where the C library is GNU's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
