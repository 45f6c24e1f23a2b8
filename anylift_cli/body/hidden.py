"""Points of people that an object hides: estimators guess where they are, mostly where the object begins."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from scipy.ndimage import binary_closing

from anylift_cli.artifacts import KeypointsArtifact, ObjectsArtifact
from anylift_cli.body.skeleton import K

LEGS = tuple(
    K[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle", "heel", "big_toe", "small_toe")
)
"""Arms are left alone: hands are before what they hold as often as behind it."""
_LIMB = 0.035
"""Half the width of a leg, as a share of the person's height: what is seen nearer to its middle is before it."""
_BEYOND = 0.015
"""How far outside of the object, as a share of the person's height, a point is still taken for a guess at its edge."""
_BRIDGED = 0.25
"""Seconds."""


def without_hidden(keypoints: KeypointsArtifact, objects: ObjectsArtifact) -> KeypointsArtifact:
    """Keypoints with confidence 0 for points of legs where points of an object are seen in their place."""
    confidence = keypoints.confidence.copy()
    interval = float(np.median(np.diff(keypoints.timestamps))) if len(keypoints.timestamps) > 1 else 1.0
    bridge = np.ones(2 * max(1, round(_BRIDGED / interval / 2)) + 1, bool)
    for person, boxes in enumerate(keypoints.boxes):
        tall = np.nanmedian(boxes[keypoints.present[person], 3] - boxes[keypoints.present[person], 1])
        legs = keypoints.keypoints[person][:, LEGS].astype(np.float64)
        for number in range(len(objects.names)):
            hidden = np.stack([
                _behind(points, objects.points2d[number, row, objects.visible[number, row]], float(tall))
                for row, points in enumerate(legs)
            ])  # fmt: skip
            for column, point in enumerate(LEGS):
                padded = np.pad(hidden[:, column], len(bridge))
                confidence[person, binary_closing(padded, bridge)[len(bridge) : -len(bridge)], point] = 0
    return replace(keypoints, confidence=confidence)


def _behind(points: np.ndarray, seen: np.ndarray, tall: float) -> np.ndarray:
    """Which of `points` (N, 2) px lie among points (M, 2) of an object that are seen.

    Args:
        tall: the person's height, px.
    """
    behind = np.zeros(len(points), bool)
    if len(seen) < 3 or not np.isfinite(tall):
        return behind
    outline = cv2.convexHull(seen.astype(np.float32))
    for row in np.flatnonzero(np.isfinite(points).all(-1)):
        near = np.linalg.norm(seen - points[row], axis=-1).min() < _LIMB * tall
        behind[row] = near and cv2.pointPolygonTest(outline, tuple(points[row]), True) > -_BEYOND * tall
    return behind
