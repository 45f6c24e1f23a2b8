"""Memory that a finished step no longer needs, given back to the system, and how much there is to take."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


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


def available() -> int:
    """Bytes that may still be taken: of the machine, and of the container or cluster job that this runs in."""
    import psutil

    return min([psutil.virtual_memory().available, *_left_in_groups()])


def _left_in_groups() -> Iterator[int]:
    """What each control group (Linux, versions 2 and 1) of this process leaves; pages of files are counted as free."""
    for folder, limit, used, inactive in _places():
        try:
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            taken = int((folder / used).read_text()) - int(stat.get(inactive, 0))
            yield int((folder / limit).read_text()) - taken
        except (OSError, ValueError):
            continue


def _places() -> Iterator[tuple[Path, str, str, str]]:
    """Folders to look into, and the names of limit, use and inactive file pages in them."""
    new = "memory.max", "memory.current", "inactive_file"
    old = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    yield _GROUPS, *new
    yield _GROUPS / "memory", *old
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if not kinds:
            yield _GROUPS / path.lstrip("/"), *new
        elif "memory" in kinds.split(","):
            yield _GROUPS / "memory" / path.lstrip("/"), *old
