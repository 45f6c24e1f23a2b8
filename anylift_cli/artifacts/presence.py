"""When a person is there."""

from __future__ import annotations

import numpy as np


def present_span(present: np.ndarray) -> slice:
    """Frames from the first to the last in which a person is present, (T,) bool; all frames if none is."""
    found = np.flatnonzero(present)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, len(present))
