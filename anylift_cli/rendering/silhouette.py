"""Where a mesh is in an image."""

from __future__ import annotations

import cv2
import numpy as np

from anylift_cli.geometry.cameras import project_camera, transform
from anylift_cli.rendering.mesh import NEAR

_SHIFT = 4


def silhouette(
    vertices: np.ndarray,
    faces: np.ndarray,
    camera_from_object: np.ndarray,
    K: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Mask (height, width) uint8 of a mesh, 255 where one of its triangles is seen; those beside the camera are not.

    Args:
        vertices, faces: (V, 3) m, (F, 3).
        camera_from_object: (4, 4); K: (3, 3) px.
        size: width, height.
    """
    mask = np.zeros(size[::-1], np.uint8)
    camera = transform(camera_from_object, vertices)
    shown = faces[(camera[:, 2] > NEAR)[faces].all(1)]
    pixels = project_camera(np.where(camera[:, 2:] > NEAR, camera, 1.0), K)
    limit = 1 << (30 - _SHIFT - 1)
    fixed = np.round((pixels - 0.5).clip(-limit, limit) * (1 << _SHIFT)).astype(np.int32)
    for triangle in fixed[shown]:
        cv2.fillConvexPoly(mask, triangle, 255, shift=_SHIFT)
    return mask
