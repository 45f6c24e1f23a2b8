"""Memory that a finished step no longer needs, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Return freed memory.

    glibc keeps what small results between large temporaries hold apart, so that a chain of steps would grow with the
    length of the video; elsewhere the allocator does this by itself.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
