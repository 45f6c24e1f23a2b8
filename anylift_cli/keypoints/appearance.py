"""What a person wears, as a colour histogram: enough to tell people apart when one comes back."""

from __future__ import annotations

import cv2
import numpy as np

from anylift_cli.body.skeleton import K
from anylift_cli.keypoints.base import Pose

_TORSO_OUTLINE = [K[name] for name in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")]
_THIGHS = [(K[side + "hip"], K[side + "knee"]) for side in ("right_", "left_")]
_BINS = (12, 6, 6)


def appearance(image: np.ndarray, pose: Pose) -> np.ndarray | None:
    """HSV histogram of torso and thighs, one after the other, each summing to 1; None where they cannot be seen.

    Args:
        image: RGB.
    """
    if np.isnan(pose.points[[*_TORSO_OUTLINE, *sum(_THIGHS, ())]]).any():
        return None
    height, width = image.shape[:2]
    seen = pose.points[[*_TORSO_OUTLINE, *sum(_THIGHS, ())]]
    left, top = np.clip(np.floor(seen.min(axis=0)).astype(int), 0, (width, height))
    right, bottom = np.clip(np.ceil(seen.max(axis=0)).astype(int) + 1, 0, (width, height))
    if right <= left or bottom <= top:
        return None
    patch = cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_RGB2HSV)
    torso, thighs = np.zeros(patch.shape[:2], np.uint8), np.zeros(patch.shape[:2], np.uint8)
    corner = np.array([left, top])
    breadth = max(1, round(0.05 * pose.region.size))
    outline = (pose.points[_TORSO_OUTLINE] - corner).astype(np.int32)
    cv2.fillPoly(torso, [cv2.convexHull(outline)], 255)
    cv2.polylines(torso, [outline], True, 255, max(1, breadth // 2))
    for a, b in _THIGHS:
        start, end = ((pose.points[i] - corner).astype(int).tolist() for i in (a, b))
        cv2.line(thighs, start, end, 255, breadth)
    return np.concatenate([_histogram(patch, torso), _histogram(patch, thighs)])


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Bhattacharyya coefficient of two appearances, 1 for the same, 0 for nothing in common."""
    return float(np.sqrt(a * b).sum() / 2)


def _histogram(hsv: np.ndarray, mask: np.ndarray) -> np.ndarray:
    counts = cv2.calcHist([hsv], [0, 1, 2], mask, _BINS, [0, 180, 0, 256, 0, 256]).ravel()
    return counts / max(counts.sum(), 1.0)
