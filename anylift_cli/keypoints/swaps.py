"""Left and right exchanged for a moment: found by comparing with the frames around, and marked, not repaired."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, K

LONGEST_LIMB = 3
"""Frames for which a limb may be exchanged; what lasts longer may be legs that really crossed."""
LONGEST_BODY = 0.5
"""Seconds for which the whole body may be exchanged; what lasts longer may be a person who was seen wrongly before."""
DOUBTFUL = 0.1
"""Confidence left to exchanged points."""


def _both_sides(*joints: str) -> list[int]:
    return [K[side + joint] for joint in joints for side in ("left_", "right_")]


_LIMBS = [
    _both_sides("hip", "knee", "ankle", "heel", "big_toe"),
    _both_sides("shoulder", "elbow", "wrist"),
    _both_sides("eye", "ear"),
]
_TORSO, _BODY = _both_sides("shoulder", "hip"), list(range(len(BODY24)))
_CLEARLY = 0.5
"""An exchange must shorten the way of a limb to less than this."""


def doubt_swaps(points: np.ndarray, confidence: np.ndarray, sizes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Confidence lowered where legs, arms, face or the whole body swap sides for a moment and swap back.

    A body cannot turn round from one frame to the next: its shoulders would have to pass one another.

    Args:
        points: (T, 24, 2) px; NaN where unobserved.
        confidence: (T, 24).
        sizes: (T,) px, size of the person; ways shorter than 2 % of it are noise. NaN where absent.
        times: (T,) s.

    Returns:
        (T, 24).
    """
    lowered = confidence.copy()
    frames_of_body = int(LONGEST_BODY / np.median(np.diff(times)))
    for judged, doubted, longest in [(limb, limb, LONGEST_LIMB) for limb in _LIMBS] + [(_TORSO, _BODY, frames_of_body)]:
        for first, stop in _exchanged(points, judged, sizes, longest):
            lowered[first:stop, doubted] = np.minimum(lowered[first:stop, doubted], DOUBTFUL)
    return lowered


def _exchanged(points: np.ndarray, limb: list[int], sizes: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """Ranges of frames between a flip and the next one, at most `longest` frames."""
    flips = np.flatnonzero(_flips(points[:, limb], points[:, [BODY24_MIRROR[i] for i in limb]], sizes)) + 1
    ranges, index = [], 0
    while index + 1 < len(flips):
        first, stop = int(flips[index]), int(flips[index + 1])
        if stop - first <= longest:
            ranges.append((first, stop))
            index += 1
        index += 1
    return ranges


def _flips(points: np.ndarray, mirrored: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(T-1,) whether a limb is clearly nearer to its mirror image of the frame before than to itself."""
    kept = np.linalg.norm(points[1:] - points[:-1], axis=-1)
    swapped = np.linalg.norm(points[1:] - mirrored[:-1], axis=-1)
    both = np.isfinite(kept) & np.isfinite(swapped)
    kept, swapped = (np.where(both, way, 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1) for way in (kept, swapped))
    return (swapped < _CLEARLY * kept) & (kept > 0.02 * np.fmax(sizes[1:], sizes[:-1]))
