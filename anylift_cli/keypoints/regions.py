"""Where to look for a person in the next frame, told by the points seen in this one; and where nothing is seen."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP, K
from anylift_cli.keypoints.base import Region

SEEN = 0.3
"""Confidence from which a point counts for the size of a person."""
MARGIN = 1.25
TORSOS = 4.0
"""A region is at least this many torso sides wide, shoulder to hip: the points of one who crouches say too little."""
OUTSIDE = 0.03
"""How far outside the image a point may lie, as a fraction of the region's size."""


def region_of(points: np.ndarray, confidence: np.ndarray) -> Region | None:
    """The region of a person, around the hips where they are known; None with fewer than two points seen.

    Args:
        points: (24, 2) px, `body24`; NaN where unobserved.
        confidence: (24,).
    """
    seen = points[confidence >= SEEN]
    if len(seen) < 2:
        return None
    low, high = seen.min(0), seen.max(0)
    hips = points[[LEFT_HIP, RIGHT_HIP]].mean(0)
    x, y = hips if np.isfinite(hips).all() else (low + high) / 2
    sides = [np.linalg.norm(points[K[f"{side}_shoulder"]] - points[K[f"{side}_hip"]]) for side in ("left", "right")]
    size = max(MARGIN * float((high - low).max()), TORSOS * float(np.nan_to_num(sides).max()))
    return Region(float(x), float(y), size)


def is_outside(points: np.ndarray, size: float, image_size: tuple[int, int]) -> np.ndarray:
    """(24,) whether a point lies clearly outside the image, where nothing can be seen of it.

    Args:
        points: (24, 2) px.
        size: of the person's region, px.
        image_size: width, height.
    """
    slack = OUTSIDE * size
    return (points < -slack).any(axis=1) | (points > np.array(image_size) + slack).any(axis=1)
