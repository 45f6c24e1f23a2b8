"""Runs of frames."""

from __future__ import annotations

import numpy as np


def runs(active: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of each run of True in (T,)."""
    edges = np.flatnonzero(np.diff(np.pad(active.astype(np.int8), 1)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
