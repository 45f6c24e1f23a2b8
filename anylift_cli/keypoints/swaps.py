"""Left and right exchanged for a moment: found by comparing with the frames around, and marked, not repaired."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import BODY24_MIRROR, K

LONGEST = 3
"""Frames for which an exchange may last; what lasts longer may be a person who turned round."""
DOUBTFUL = 0.1
"""Confidence left to exchanged points."""

_LIMBS = [
    [K[side + joint] for joint in joints for side in ("left_", "right_")]
    for joints in (("hip", "knee", "ankle", "heel", "big_toe"), ("shoulder", "elbow", "wrist"), ("eye", "ear"))
]
_CLEARLY = 0.5
"""An exchange must shorten the way of a limb to less than this."""


def doubt_swaps(points: np.ndarray, confidence: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Confidence lowered where legs, arms or face swap sides for at most `LONGEST` frames and swap back.

    Args:
        points: (T, 24, 2) px; NaN where unobserved.
        confidence: (T, 24).
        sizes: (T,) px, size of the person; ways shorter than 2 % of it are noise. NaN where absent.

    Returns:
        (T, 24).
    """
    lowered = confidence.copy()
    for limb in _LIMBS:
        flips = np.flatnonzero(_flips(points[:, limb], points[:, [BODY24_MIRROR[i] for i in limb]], sizes)) + 1
        begin = 0
        while begin + 1 < len(flips):
            first, stop = flips[begin], flips[begin + 1]
            if stop - first <= LONGEST:
                lowered[first:stop, limb] = np.minimum(lowered[first:stop, limb], DOUBTFUL)
                begin += 1
            begin += 1
    return lowered


def _flips(points: np.ndarray, mirrored: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(T-1,) whether a limb is clearly nearer to its mirror image of the frame before than to itself."""
    kept = np.linalg.norm(points[1:] - points[:-1], axis=-1)
    swapped = np.linalg.norm(points[1:] - mirrored[:-1], axis=-1)
    both = np.isfinite(kept) & np.isfinite(swapped)
    kept, swapped = (np.where(both, way, 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1) for way in (kept, swapped))
    return (swapped < _CLEARLY * kept) & (kept > 0.02 * np.fmax(sizes[1:], sizes[:-1]))
