"""A small map of the clip from straight above: the people's ways and the camera's."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

BACKGROUND = (255, 255, 255)
FRAME = (200, 205, 212)
CAMERA = (60, 64, 72)
MARGIN = 0.12
SMALLEST_SPAN = 2.0
"""Metres that the map shows at least."""
_SHIFT = 4


class PlanView:
    """World x to the right, world y upwards; the whole clip fits in."""

    def __init__(
        self,
        roots: Sequence[np.ndarray],
        colors: Sequence[tuple[int, int, int]],
        world_from_camera: np.ndarray,
        size: int,
    ) -> None:
        """Draw what does not change.

        Args:
            roots: pelvis of each person, (T_p, 3) metres.
            colors: RGB of each person.
            world_from_camera: (T, 4, 4).
            size: width and height in pixels.
        """
        self.size, self.roots, self.colors, self.cameras = size, roots, colors, world_from_camera
        points = np.concatenate([*roots, world_from_camera[:, :3, 3]])[:, :2]
        self.middle = (points.min(0) + points.max(0)) / 2
        self.scale = size * (1 - 2 * MARGIN) / max(np.ptp(points, axis=0).max(), SMALLEST_SPAN)
        self.map = np.full((size, size, 3), BACKGROUND, np.uint8)
        cv2.rectangle(self.map, (0, 0), (size - 1, size - 1), FRAME, 1)
        for path, color in zip((*roots, world_from_camera[:, :3, 3]), (*colors, CAMERA), strict=True):
            cv2.polylines(self.map, [self._pixels(path)], False, color, 1, cv2.LINE_AA, _SHIFT)

    def draw(self, frame: int, rows: Sequence[int]) -> np.ndarray:
        """The map with the camera at `frame` and each person at its row in `rows`, RGB uint8 (size, size, 3)."""
        image = self.map.copy()
        pose = self.cameras[frame]
        reach = 0.2 * self.size / self.scale
        sides = np.array([(-0.4, 0, 1), (0, 0, 0), (0.4, 0, 1)]) * reach @ pose[:3, :3].T + pose[:3, 3]
        cv2.polylines(image, [self._pixels(sides)], False, CAMERA, 1, cv2.LINE_AA, _SHIFT)
        self._draw_dot(image, pose[:3, 3], CAMERA)
        for path, color, row in zip(self.roots, self.colors, rows, strict=True):
            self._draw_dot(image, path[row], color)
        return image

    def _draw_dot(self, image: np.ndarray, point: np.ndarray, color: tuple[int, int, int]) -> None:
        radius = round(0.022 * self.size * (1 << _SHIFT))
        cv2.circle(image, self._pixels(point).tolist(), radius, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        offset = (points[..., :2] - self.middle) * (self.scale, -self.scale) + self.size / 2
        return np.round((offset - 0.5) * (1 << _SHIFT)).astype(np.int32)
