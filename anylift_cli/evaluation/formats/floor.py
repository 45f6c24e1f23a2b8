"""Where the floor is, of files that do not say."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import K

FEET = [K[f"{side}_{name}"] for side in ("left", "right") for name in ("big_toe", "small_toe", "heel", "ankle")]
PERCENTILE = 2.0


def height_under_feet(points: np.ndarray) -> float:
    """Height of the lowest known foot point of (T, 24, 3), z up: its 2nd percentile over time; 0 where none is."""
    heights = points[:, FEET, 2]
    known = np.isfinite(heights).any(0)
    if not known.any():
        return 0.0
    lowest = heights[:, known].min(1)
    return float(np.percentile(lowest[np.isfinite(lowest)], PERCENTILE))


def on_floor(points: np.ndarray) -> np.ndarray:
    """Points (T, 24, 3) moved so that `height_under_feet` is z = 0."""
    return points - np.array([0.0, 0.0, height_under_feet(points)])
