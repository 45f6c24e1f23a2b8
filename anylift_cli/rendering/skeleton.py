"""Draws 2D keypoints as a stick figure."""

from __future__ import annotations

import cv2
import numpy as np

from anylift_cli.body.skeleton import BODY24, BODY24_BONES

LEFT, RIGHT, MIDDLE = (255, 140, 40), (40, 150, 255), (245, 245, 245)
"""RGB by side of the body."""
MIN_CONFIDENCE = 0.3
_SHIFT = 4


def draw_skeleton(image: np.ndarray, points: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Draw bones and points of one person, left orange, right blue, line width by image size.

    Args:
        image: (H, W, 3) RGB uint8, changed in place.
        points: (24, 2) `body24`, pixels; NaN where unobserved.
        confidence: (24,); points below `MIN_CONFIDENCE` are left out.

    Returns:
        `image`.
    """
    height, width = image.shape[:2]
    thickness = max(1, round(np.hypot(height, width) / 500))
    points, confidence = np.asarray(points, float), np.asarray(confidence)
    near = (np.abs(points) < 8 * max(height, width)).all(-1)
    shown = near & (confidence >= MIN_CONFIDENCE)
    fixed = np.round((np.where(shown[:, None], points, 0) - 0.5) * (1 << _SHIFT)).astype(int)
    for first, second in BODY24_BONES:
        if shown[first] and shown[second]:
            color = _side(first) if _side(first) == _side(second) else MIDDLE
            cv2.line(image, fixed[first].tolist(), fixed[second].tolist(), color, thickness, cv2.LINE_AA, _SHIFT)
    for index in np.flatnonzero(shown):
        radius = round(1.2 * thickness * (1 << _SHIFT))
        cv2.circle(image, fixed[index].tolist(), radius, _side(index), cv2.FILLED, cv2.LINE_AA, _SHIFT)
    return image


def _side(index: int) -> tuple[int, int, int]:
    name = BODY24[index]
    return LEFT if name.startswith("left_") else RIGHT if name.startswith("right_") else MIDDLE
